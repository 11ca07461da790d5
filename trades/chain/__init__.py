"""The hash chain over the ledger's entries: made, walked, verified, taken away."""
