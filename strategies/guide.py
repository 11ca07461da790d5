"""What `/algorithm/help` answers: made from the declarations, so that it cannot say something else than the code."""

from strategies import metrics, prices
from strategies.backtest import MAX_TRADES, strategy_parameter
from strategies.library import strategies, takes_panel
from strategies.terms import TERMS

CSV_FORMS = (
    {
        "form": "long",
        "columns": "date, ticker, close; optional open, high, low, volume",
        "example": "date,ticker,close\n2025-01-02,AAPL,243.85\n2025-01-02,MSFT,418.58\n",
    },
    {
        "form": "one instrument",
        "columns": "date, close; optional open, high, low, volume. The ticker is the field ticker or the file's name",
        "example": "date,open,high,low,close,volume\n2025-01-02,248.93,249.10,241.82,243.85,55740731\n",
    },
    {
        "form": "wide",
        "columns": "date, then one column of closes a ticker; an empty cell is no bar",
        "example": "date,AAPL,MSFT\n2025-01-02,243.85,418.58\n2025-01-03,243.36,423.35\n",
    },
)
CSV_RULES = (
    "UTF-8 with or without BOM, LF or CRLF, columns in any order and case, rows in any order.",
    "date may be called timestamp or datetime, ticker symbol; adj close counts where there is no close.",
    "A date is 2025-01-31, a time 2025-01-31T09:30:00 or 2025-01-31T09:30:00Z, of one kind in a file.",
    "What yfinance saves for one ticker (Price, Ticker and Date in three lines) is read; a head of several is refused.",
    "A price is a plain positive decimal: no exponent, sign, currency or thousands separator.",
    "Two prices for a ticker and time, a short or long row, an open quote or a NUL refuse the file with its row.",
    "A ticker with too few bars for the windows is listed in skipped with the reason.",
)


def described(site: str) -> dict:
    """The help as plain JSON values; `site` is the address examples begin with."""
    return {
        "strategies": [_describe_strategy(name) for name in strategies()],
        "parameters": [parameter.described() for parameter in (strategy_parameter(), *TERMS)],
        "metrics": metrics.described(),
        "csv_forms": list(CSV_FORMS),
        "csv_rules": list(CSV_RULES),
        "sweep_example": 'curl -F file=@AAPL.csv -F \'grid={"fast": [10, 20], "slow": [100, 200]}\' '
        + f"{site}/algorithm/sweeps",
        "bounds": {
            "files": prices.MAX_FILES,
            "bytes": prices.MAX_BYTES,
            "tickers": prices.MAX_TICKERS,
            "bars": prices.MAX_BARS,
            "trades": MAX_TRADES,
        },
        "example": f"curl -F file=@AAPL.csv -F fast=50 -F slow=200 {site}/algorithm/run",
        "sample": f"{site}/algorithm/sample",
    }


def _describe_strategy(name: str) -> dict:
    module = strategies()[name]
    return {
        "name": name,
        "title": module.TITLE,
        "description": module.DESCRIPTION,
        "tickers": list(module.TICKERS) if takes_panel(module) else None,
        "parameters": [parameter.described() for parameter in module.PARAMETERS],
    }
