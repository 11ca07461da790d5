"""Closed trades, from flat to flat, with how far each went on its way."""
