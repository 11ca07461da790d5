"""The figures of a combination, by the names that rows and maps tell them under. Apart from `sweep`, which compiles."""

TITLES = {
    "return_percentage": "Return, %",
    "closed_trades": "Closed trades",
    "win_rate_percentage": "Won, %",
    "max_drawdown_percentage": "Max drawdown, %",
    "sharpe_ratio": "Sharpe ratio",
    "in_sample_return_percentage": "Return in sample, %",
    "out_of_sample_return_percentage": "Return out of sample, %",
    "in_sample_sharpe_ratio": "Sharpe ratio in sample",
    "out_of_sample_sharpe_ratio": "Sharpe ratio out of sample",
}
FIGURES = tuple(TITLES)
PLACES = {name: 0 if name == "closed_trades" else 2 if "ratio" in name else 1 for name in TITLES}
LESS_IS_BETTER = ("max_drawdown_percentage",)
