"""What accounts made of their capital: equity by day, returns, ratios, and what made the profit."""
