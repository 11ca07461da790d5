"""The figures of a combination, by the names that rows and maps tell them under. Apart from `sweep`, which compiles."""

FIGURES = ("return_percentage", "closed_trades", "win_rate_percentage", "max_drawdown_percentage", "sharpe_ratio")
TITLES = {
    "return_percentage": "Return, %",
    "closed_trades": "Closed trades",
    "win_rate_percentage": "Won, %",
    "max_drawdown_percentage": "Max drawdown, %",
    "sharpe_ratio": "Sharpe ratio",
}
LESS_IS_BETTER = ("max_drawdown_percentage",)
