"""Accounts: opening one, what may be changed of it, its cash."""
