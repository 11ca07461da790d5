"""A position opened: the lots and fills that make each figure, and what a trade would do to it."""
