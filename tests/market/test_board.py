"""Ticks in, quotes and alerts out; rebuilt after a restart as if it had not been."""

import numpy as np
import pytest

from market.board import DAY_MS, Board, Start, starts_of
from market.rules import Rule
from market.simulation import TICKERS, Simulation, start_levels
from market.ticks import TickBatch, gather
from tests.market.seed import seed_rule

pytestmark = pytest.mark.pure

MIDNIGHT = 20_000 * DAY_MS


def batch(now: int, **prices: int) -> TickBatch:
    """Ticks of A (place 0) and B (place 1) at `now`, ten units each."""
    places = np.array([{"A": 0, "B": 1}[name] for name in prices], dtype=np.int64)
    times = np.full(len(places), now, dtype=np.int64)
    return TickBatch(now, places, times, np.array(list(prices.values()), dtype=np.int64), times * 0 + 10)


def two_tickers() -> Board:
    starts = starts_of(["A", "B"], {"A": 100_000_000, "B": 50_000_000})
    return Board(starts, rules=[seed_rule(["A", "B"])])


def test_a_quote_has_the_figures_of_its_ticker():
    board = two_tickers()
    board.advance(batch(MIDNIGHT, A=100_000_000))
    flush = board.advance(batch(MIDNIGHT + 60_000, A=101_000_000))
    (quote,) = flush.quotes
    assert (quote.ticker, quote.price, quote.previous_close) == ("A", 101_000_000, 100_000_000)
    assert (quote.change_percentage, quote.change_1m_percentage) == (1.0, 1.0)
    assert (quote.average_5m, quote.samples_5m, quote.volume) == (100_500_000, 2, 20)
    assert flush.seq == 2


def test_a_change_of_less_than_a_minute_is_not_known():
    board = two_tickers()
    board.advance(batch(MIDNIGHT, A=100_000_000))
    (quote,) = board.advance(batch(MIDNIGHT + 59_999, A=150_000_000)).quotes
    assert quote.change_1m_percentage is None


def test_a_breach_is_among_the_fired_once():
    board = two_tickers()
    board.advance(batch(MIDNIGHT, A=100_000_000, B=50_000_000))
    first = board.advance(batch(MIDNIGHT + 60_000, A=102_000_001, B=51_000_000))
    again = board.advance(batch(MIDNIGHT + 60_500, A=103_000_000))
    assert ([(one.quote.ticker, round(one.change_percentage, 6)) for one in first.fired], again.fired) == (
        [("A", 2.000001)],
        [],
    )


def test_rules_may_look_over_other_windows_and_be_changed_on_the_way():
    board = two_tickers()
    board.take_rules([Rule("10s", "percent_change", (0,), threshold=100, window_seconds=10)], {"10s": {}})
    board.advance(batch(MIDNIGHT, A=100_000_000))
    (one,) = board.advance(batch(MIDNIGHT + 10_000, A=101_000_001)).fired
    assert (one.rule.key, round(one.change_percentage, 6)) == ("10s", 1.000001)
    board.take_rules([], board.watch.waiting())
    assert board.advance(batch(MIDNIGHT + 20_000, A=120_000_000)).fired == []


def test_a_cut_is_seen_before_the_price_that_ends_it():
    board = two_tickers()
    board.take_rules([Rule("stale", "stale", (0, 1), window_seconds=30)], {"stale": {}})
    board.advance(batch(MIDNIGHT, A=100_000_000))
    (one,) = board.advance(batch(MIDNIGHT + 30_001, A=101_000_000)).fired
    assert (one.quote.ticker, one.quote.price, one.quote.time) == ("A", 100_000_000, MIDNIGHT)


def test_a_closed_market_is_not_silent_and_one_that_opens_is_missed_from_then_on():
    board = two_tickers()
    board.take_rules([Rule("stale", "stale", (0, 1), window_seconds=30)], {"stale": {}})
    board.advance(batch(MIDNIGHT, A=100_000_000, B=100_000_000))
    board.expect_nothing_of(["A"])
    (one,) = board.advance(batch(MIDNIGHT + 40_000)).fired
    assert one.quote.ticker == "B"
    board.expect_nothing_of([])
    assert board.advance(batch(MIDNIGHT + 70_000)).fired == []
    (one,) = board.advance(batch(MIDNIGHT + 70_001)).fired
    assert one.quote.ticker == "A"


def test_a_feed_that_begins_after_the_opening_counts_a_silence_from_there():
    yesterday = Start(price=100_000_000, previous_close=100_000_000, time=MIDNIGHT - DAY_MS)
    waiting = {"stale": {}}
    board = Board({"A": yesterday}, rules=[Rule("stale", "stale", (0,), window_seconds=30)], waiting=waiting)
    board.count_silence_from({"A": MIDNIGHT})
    assert board.advance(batch(MIDNIGHT + 30_000)).fired == []
    (one,) = board.advance(batch(MIDNIGHT + 30_001)).fired
    assert (one.quote.ticker, one.quote.time) == ("A", MIDNIGHT - DAY_MS)


def test_the_price_at_midnight_is_the_previous_close_and_volume_begins_anew():
    board = two_tickers()
    board.advance(batch(MIDNIGHT - 1, A=110_000_000))
    (quote,) = board.advance(batch(MIDNIGHT, A=121_000_000)).quotes
    assert (quote.previous_close, quote.change_percentage, quote.volume) == (110_000_000, 10.0, 10)


def test_a_desk_that_was_off_over_midnight_turns_the_day_too():
    start = Start(price=90_000_000, previous_close=80_000_000, volume=7, time=MIDNIGHT - 5_000_000)
    board = Board({"A": start})
    (quote,) = board.advance(batch(MIDNIGHT + 1, A=90_000_000)).quotes
    assert (quote.previous_close, quote.change_percentage) == (90_000_000, 0.0)


def test_averages_are_as_of_now_for_every_ticker():
    board = two_tickers()
    board.advance(batch(MIDNIGHT, A=100_000_000, B=50_000_000))
    board.advance(batch(MIDNIGHT + 200_000, B=52_000_000))
    assert board.averages(MIDNIGHT + 250_000) == [("A", 100_000_000), ("B", 51_000_000)]
    assert board.averages(MIDNIGHT + 300_000) == [("B", 52_000_000)]


def simulated(count: int) -> list[TickBatch]:
    simulation, batches = Simulation(seed=11), []
    for number in range(count):
        step, now = simulation.step(5.0), MIDNIGHT + number * 5_000
        batches.append(TickBatch(now, step.indexes, step.prices * 0 + now, step.prices, step.volumes))
    return batches


@pytest.mark.parametrize("cut", [1, 11, 12, 13, 40, 61, 100, 299])
def test_a_board_rebuilt_from_its_ticks_goes_on_as_if_it_had_never_stopped(cut):
    batches, starts = simulated(300), starts_of(TICKERS, start_levels(TICKERS))
    kept = Board(starts, rules=[seed_rule(TICKERS)])
    before = [kept.advance(batch) for batch in batches[:cut]]
    columns = zip(TICKERS, kept.prices, kept.closes, kept.volumes, kept.times, strict=True)
    starts = {ticker: Start(*map(int, values)) for ticker, *values in columns}
    again = Board(starts, seq=kept.seq, rules=[seed_rule(TICKERS)], waiting=kept.watch.waiting())
    again.rebuild(gather(TICKERS, [(flush.seq, flush.batch) for flush in before[-60:]]))
    for batch_after in batches[cut:]:
        first, second = kept.advance(batch_after), again.advance(batch_after)
        assert (first.seq, first.quotes, first.fired) == (second.seq, second.quotes, second.fired)


def test_ticks_of_tickers_that_are_no_longer_there_are_left_out():
    board = Board({"B": Start(50_000_000, 50_000_000)})
    board.rebuild(gather(["A", "B"], [(1, batch(MIDNIGHT, A=100_000_000, B=50_000_000))]))
    assert board.averages(MIDNIGHT) == [("B", 50_000_000)]
