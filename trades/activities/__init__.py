"""What moves an account besides trades: deposits, dividends, splits, transfers."""
