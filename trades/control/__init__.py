"""The back office's grip on the book: closed periods and what adjusts them, approvals, statements held against it."""
