"""How many bars make a year, read off the bar times.

A stock calendar has 252 days; one that trades on Saturdays and Sundays has 365. Below a day that is multiplied by the
bars of a usual day; bars further apart than days (weeks, months) are counted by their usual distance.
"""

import numpy as np

STOCK_DAYS, ALL_DAYS, YEAR_DAYS = 252, 365, 365.25
ONE_DAY = np.timedelta64(1, "D")


def bars_per_year(times: np.ndarray) -> float:
    """Bars in a year of a series like this one.

    times   datetime64[n]   ascending, none twice
    ->      float           252.0 for daily bars of a stock calendar
    """
    days, bars_of_day = np.unique(times.astype("datetime64[D]"), return_counts=True)
    if len(days) < 2:
        return float(STOCK_DAYS * np.median(bars_of_day)) if len(days) else float(STOCK_DAYS)
    distance = float(np.median(np.diff(days) / ONE_DAY))
    if distance >= 4:
        return float(max(1, round(YEAR_DAYS / distance)))
    return float((ALL_DAYS if _trades_at_weekends(days) else STOCK_DAYS) * np.median(bars_of_day))


def _trades_at_weekends(days: np.ndarray) -> bool:
    """Whether Saturdays and Sundays each hold at least half of their seventh: rare special sessions do not count."""
    # 1970-01-01 was a Thursday: day 2 a Saturday, day 3 a Sunday.
    weekdays = days.astype(int) % 7
    return bool(min((weekdays == 2).sum(), (weekdays == 3).sum()) * 14 >= len(days))
