"""How many bars make a year, from the bar times alone."""

import numpy as np
import pytest

from tradeops.core.annualization import bars_per_year

pytestmark = pytest.mark.pure


def series(start: str, step: str, count: int) -> np.ndarray:
    amount, unit = step.split()
    return np.datetime64(start, "us") + np.arange(count) * np.timedelta64(int(amount), unit)


def weekdays(times: np.ndarray) -> np.ndarray:
    return times[np.is_busday(times.astype("datetime64[D]"))]


DAYS = series("2020-01-01", "1 D", 800)
SATURDAYS = np.sort(np.concatenate([weekdays(DAYS), DAYS[3:40:28]]))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (weekdays(DAYS), 252),
        (DAYS, 365),
        (SATURDAYS, 252),  # a few special sessions are no calendar
        (series("2020-01-01", "7 D", 60), 52),
        (series("2020-01-01", "30 D", 60), 12),
        (series("2020-01-01", "365 D", 10), 1),
        (series("2024-01-01", "60 m", 24 * 21), 365 * 24),
        (weekdays(series("2024-01-01", "60 m", 24 * 21)), 252 * 24),
        (series("2024-01-02T10:00", "1 m", 60), 252 * 60),
        (DAYS[:1], 252),
        (DAYS[:0], 252),
    ],
)
def test_the_calendar_is_read_off_the_times(times, expected):
    assert bars_per_year(times) == expected
