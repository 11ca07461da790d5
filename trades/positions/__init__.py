"""Positions at their marks, as they stand, as of a moment, and as they were known."""
