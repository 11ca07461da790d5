"""The back office's desk over the book, one module a subject."""

from . import accounts, book, control, derived

__all__ = ["accounts", "book", "control", "derived"]
