"""Events in order become positions, lots and realizations; how those are kept in step with the book."""
