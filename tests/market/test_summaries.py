"""What a window's prices come to, against fractions that are summed one by one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.summaries import Summary, summaries_of
from market.ticks import MAX_PRICE, StoredTicks

pytestmark = pytest.mark.pure

TICKERS = ("AAPL", "MSFT", "TSLA")
PRICES = st.one_of(st.integers(1, 2_000_000_000), st.integers(1, MAX_PRICE - 1))
VOLUMES = st.one_of(st.just(0), st.integers(0, 50_000), st.integers(0, 2**53))
TICKS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20), PRICES, VOLUMES), max_size=25)


def stored(rows: list[tuple[int, int, int, int]]) -> StoredTicks:
    """Ticks of (place, time, price, volume)."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T.copy()
    return StoredTicks(TICKERS, np.arange(len(rows)), *columns)


def brute(rows: list[tuple[int, int, int, int]], place: int, after: int, until: int) -> Summary | None:
    mine = [(price, volume) for where, time, price, volume in rows if where == place and after < time <= until]
    prices, volumes = [price for price, _ in mine], [volume for _, volume in mine]
    if not mine:
        return None
    notional = sum(price * volume for price, volume in mine)
    return Summary(
        len(mine), sum(prices), sum(volumes), notional, max(prices), min(prices), prices[0], prices[-1]
    )  # fmt: skip


@given(rows=TICKS, after=st.integers(-1, 20), length=st.integers(1, 20), cut=st.integers(0, 25))
def test_each_figure_is_the_exact_one_however_the_ticks_are_parted(rows, after, length, cut):
    rows.sort(key=lambda row: row[1])
    until = after + length
    found: dict[str, Summary] = {}
    for part in (rows[:cut], rows[cut:]):
        for ticker, summary in summaries_of(stored(part), after, until).items():
            found[ticker] = found[ticker].followed_by(summary) if ticker in found else summary
    expected = {ticker: brute(rows, place, after, until) for place, ticker in enumerate(TICKERS)}
    assert found == {ticker: summary for ticker, summary in expected.items() if summary is not None}
    for summary in found.values():
        assert summary.mean == round(Fraction(summary.total, summary.samples))
        assert summary.vwap == (round(Fraction(summary.notional, summary.volume)) if summary.volume else None)


def test_a_window_worked_out_by_hand():
    """100 x 10 + 104 x 30 + 101 x 10 = 5,130 for 50 units: 102.6; the mean of the three is 101.666667."""
    rows = [(0, 1, 99_000_000, 5), (0, 2, 100_000_000, 10), (0, 3, 104_000_000, 30), (0, 4, 101_000_000, 10)]
    (summary,) = summaries_of(stored(rows), 1, 4).values()
    assert (summary.vwap, summary.mean) == (102_600_000, 101_666_667)
    assert (summary.high, summary.low) == (104_000_000, 100_000_000)
    assert (summary.first, summary.last, summary.volume, summary.samples) == (100_000_000, 101_000_000, 50, 3)
