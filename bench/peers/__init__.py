"""The peers, each run by the environment of bench/requirements.txt and nothing of TradeOps."""
