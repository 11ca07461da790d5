"""When rules fire, once a breach, and when they are armed again; the +2 % of the seed word by word."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rules import FRESH, NEVER, Rule, Watch
from market.windows import places_of
from tests.market.seed import seed_rule

pytestmark = pytest.mark.pure

REFERENCE = 100_000_000
ARMED = {"seed": {}, "rule": {}}


def watching(*rules: Rule, state=ARMED) -> Watch:
    return Watch(rules or [seed_rule(["AAPL"])], ["AAPL"], state)


def tick(watch: Watch, now: int, price: int, reference: int = 0) -> bool:
    hits = watch.check(np.array([0]), np.array([now]), np.array([price]), lambda seconds: np.array([reference]))
    return bool(hits)


def check(watch: Watch, seconds: float, percent: str | None) -> bool:
    """Shows the watch a change at a time; None is a change that cannot be told."""
    price = REFERENCE if percent is None else int(REFERENCE * (1 + Fraction(percent) / 100))
    return tick(watch, int(seconds * 1000), price, 0 if percent is None else REFERENCE)


def fired(*steps: tuple[float, str | None], rule: Rule | None = None) -> list[float]:
    watch = watching(*([rule] if rule else []))
    return [seconds for seconds, percent in steps if check(watch, seconds, percent)]


@pytest.mark.parametrize(
    ("percent", "fires"),
    [("2", False), ("2.000001", True), ("1.99", False), ("-5", False), ("15", True), (None, False)],
)
def test_it_fires_strictly_above_two_percent(percent, fires):
    assert bool(fired((0, percent))) is fires


def test_one_breach_is_one_alert():
    assert fired((0, "2.1"), (1, "3"), (2, "2.5"), (3, "1.9"), (4, "2.5")) == [0]


def test_it_is_armed_again_at_one_and_a_half_percent():
    assert fired((0, "2.1"), (1, "1.5"), (2, "2.1")) == [0, 2]
    assert fired((0, "2.1"), (1, "1.500001"), (2, "2.1")) == [0]


def test_it_is_armed_again_after_a_minute_under_two_percent():
    assert fired((0, "2.1"), (1, "1.9"), (61, "2.1")) == [0, 61]
    assert fired((0, "2.1"), (1, "1.9"), (60.999, "2.1")) == [0]


def test_exactly_two_percent_is_not_under_it():
    assert fired((0, "2.1"), (1, "1.9"), (30, "2"), (31, "1.9"), (62, "2.1")) == [0]


def test_a_change_that_cannot_be_told_counts_as_under_it():
    assert fired((0, "2.1"), (100, None), (160, "2.1")) == [0, 160]


STEPS = st.lists(
    st.tuples(
        st.integers(0, 80_000), st.sampled_from([-10_000, 0, 15_000, 15_001, 19_000, 20_000, 20_001, 30_000, None])
    ),
    max_size=40,
)


@given(STEPS)
def test_it_agrees_with_the_rule_read_word_by_word(steps):
    watch, now, is_armed, under_since = watching(), 0, True, None
    for gap, ppm in steps:
        now += gap
        if under_since is not None and now - under_since >= 60_000:
            is_armed = True
        is_due = is_armed and ppm is not None and ppm > 20_000
        is_armed = (is_armed and not is_due) or (ppm is not None and ppm <= 15_000)
        is_under = ppm is None or ppm < 20_000
        under_since = None if is_armed or not is_under else now if under_since is None else under_since
        assert tick(watch, now, 10**6 + (ppm or 0), 0 if ppm is None else 10**6) is is_due


@given(STEPS, st.integers(0, 40))
def test_a_restored_watch_goes_on_as_if_it_had_never_stopped(steps, cut):
    kept, now, results = watching(state={}), 0, []
    restored = watching(state={})
    for place, (gap, ppm) in enumerate(steps):
        now += gap
        if place == cut:
            restored = watching(state=kept.waiting())
        price, reference = 10**6 + (ppm or 0), 0 if ppm is None else 10**6
        results.append((tick(kept, now, price, reference), tick(restored, now, price, reference)))
    assert all(first == second for first, second in results)


LEVELS = st.sampled_from([0, 15_000, 19_000, 20_000, 20_001, 30_000])
KINDS = [
    seed_rule("ABC", "rule"),
    Rule("rule", "percent_change", (0, 1, 2), threshold=-150, cooldown_ms=90_000),
    Rule("rule", "price_above", (0, 2), threshold=1_019_999),
    Rule("rule", "price_below", (0, 1, 2), threshold=1_000_001, cooldown_ms=7),
]


@given(st.sampled_from(KINDS), st.lists(st.lists(st.none() | LEVELS, min_size=3, max_size=3), max_size=30))
def test_a_rule_over_many_tickers_is_as_many_rules_of_one(rule, flushes):
    watch = Watch([rule], "ABC", ARMED)
    alone = {place: watching(replace(rule, places=(0,))) for place in rule.places}
    for number, levels in enumerate(flushes):
        came, now = [place for place in range(3) if levels[place] is not None], number * 25_000
        prices = np.array([10**6 + levels[place] for place in came], dtype=np.int64)
        # An old price of 0 is one that is not known.
        old = np.array([(number + place) % 4 and 10**6 for place in came], dtype=np.int64)
        where = places_of(np.array(came, dtype=np.int64), 3)
        hits = watch.check(where, np.full(len(came), now), prices, lambda seconds, old=old: old)
        due = [
            place
            for place, price, reference in zip(came, prices, old, strict=True)
            if place in alone and tick(alone[place], now, int(price), int(reference))
        ]
        assert [hit.place for hit in hits] == due


def test_what_waits_is_told_by_rule_and_ticker():
    tickers = ["AAPL", "TSLA"]
    watch = Watch([seed_rule(tickers)], tickers, ARMED)
    watch.check(np.array([1]), np.array([5_000]), np.array([103]), lambda seconds: np.array([100]))
    assert watch.waiting() == {"seed": {"TSLA": NEVER}}


# Other rules ----------------------------------------------------------------------------


def test_a_fall_fires_as_a_rise_does():
    falls = Rule("rule", "percent_change", (0,), threshold=-200)
    assert fired((0, "-2"), (1, "-2.1"), (2, "-3"), (3, "-1.5"), (4, "-2.1"), rule=falls) == [1, 4]


@pytest.mark.parametrize(
    ("kind", "prices", "fires"),
    [
        ("price_above", [99, 100, 101, 102, 100, 101], [2, 5]),
        ("price_below", [101, 100, 99, 98, 100, 99], [2, 5]),
    ],
)
def test_a_price_fires_strictly_beyond_its_threshold_and_again_after_it_was_back(kind, prices, fires):
    watch = watching(Rule("rule", kind, (0,), threshold=100))
    assert [place for place, price in enumerate(prices) if tick(watch, place, price)] == fires


def test_a_rule_that_is_true_when_it_is_made_waits_until_it_was_false_once():
    watch = watching(Rule("rule", "price_above", (0,), threshold=100), state={})
    assert watch.waiting() == {"rule": {"AAPL": FRESH}}
    assert [tick(watch, now, price) for now, price in enumerate([101, 102, 100, 101])] == [False, False, False, True]


def test_a_new_change_rule_is_armed_by_the_first_change_that_is_not_above():
    watch = watching(state={})
    assert [check(watch, now, percent) for now, percent in enumerate(["3", "1.9", "2.1"])] == [False, False, True]


def test_a_rule_rests_between_alerts_and_fires_after_it_if_the_breach_lasts():
    watch = watching(Rule("rule", "price_above", (0,), threshold=100, cooldown_ms=10))
    steps = [(0, 101), (1, 99), (2, 101), (9, 101), (10, 101), (11, 101)]
    assert [now for now, price in steps if tick(watch, now, price)] == [0, 10]


def test_a_rule_remembers_when_it_last_fired():
    watch = watching(Rule("rule", "price_above", (0,), threshold=100, cooldown_ms=10, last_fired={0: -5}))
    assert [now for now in range(7) if tick(watch, now, 101)] == [5]


def test_a_snoozed_rule_is_quiet_and_an_expired_one_for_good():
    snoozed = watching(Rule("rule", "price_above", (0,), threshold=100, quiet_until=3))
    assert [now for now in range(5) if tick(snoozed, now, 101)] == [3]
    expired = watching(Rule("rule", "price_above", (0,), threshold=100, ends_at=3))
    assert [now for now, price in enumerate([99, 101, 99, 101]) if tick(expired, now, price)] == [1]


def test_a_ticker_without_a_price_for_long_fires_once_until_it_has_one():
    watch = watching(Rule("rule", "stale", (0,), window_seconds=10))
    steps = [(1_000, 1_000), (11_000, 1_000), (11_001, 1_000), (12_000, 1_000), (12_500, 12_400), (23_000, 12_400)]
    silences = [now for now, latest in steps if watch.check_silence(now, np.array([latest]))]
    assert silences == [11_001, 23_000]


def test_a_ticker_that_never_had_a_price_is_not_missed():
    watch = watching(Rule("rule", "stale", (0,), window_seconds=10))
    assert watch.check_silence(10**12, np.array([0])) == []
