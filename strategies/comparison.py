"""Kept runs side by side: what was asked of each, what came out, where they differ and which did best."""

from collections.abc import Mapping, Sequence

from strategies.metrics import METRICS

FEWEST, MOST = 2, 6
# Figures of which less is better: depths are told as fractions below 0, so more is better there.
LESS_IS_BETTER = {
    "volatility", "longest_drawdown_days", "ulcer_index", "downside_deviation", "losing_streak", "total_fees",
    "turnover", "tracking_error",
}  # fmt: skip
# Neither better nor worse by itself.
NEUTRAL = {
    "closed_trades",
    "average_bars_held",
    "exposure",
    "beta",
    "correlation",
    "skewness",
    "excess_kurtosis",
    "kelly_fraction",
}


def asked_rows(runs: Sequence[Mapping[str, object]]) -> list[dict]:
    """A row a name that was asked with: its value in each run, and whether they differ.

    runs   the names and values of each run, in order; a name that one run has not is None there
    """
    names = dict.fromkeys(name for run in runs for name in run)
    rows = []
    for name in names:
        values = [run.get(name) for run in runs]
        rows.append({"name": name, "values": values, "differs": any(value != values[0] for value in values)})
    return rows


def figure_rows(figures: Sequence[Mapping[str, object]]) -> list[dict]:
    """A row a figure that any of the runs has: its values, and the places of the best of them."""
    rows = []
    for metric in METRICS:
        values = [_number(run.get(metric.name)) for run in figures]
        if any(value is not None for value in values):
            about = {"name": metric.name, "title": metric.title, "group": metric.group, "unit": metric.unit}
            rows.append(about | {"values": values, "best": _best(metric.name, values)})
    return rows


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _best(name: str, values: Sequence[float | None]) -> list[int]:
    """Places of the best value; none where all are equal or nothing says which is better."""
    known = [value for value in values if value is not None]
    if name in NEUTRAL or len(known) < 2 or min(known) == max(known):
        return []
    best = min(known) if name in LESS_IS_BETTER else max(known)
    return [at for at, value in enumerate(values) if value == best]
