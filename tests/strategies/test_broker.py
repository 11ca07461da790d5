"""The general account: equal to the plain one where both apply, and to hand-worked cases where only it does."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import backtest, broker, engine
from strategies.backtest import make_spec
from strategies.panel import make_panel
from strategies.prices import Prices
from strategies.sizing import orders, review_bars
from strategies.terms import Terms
from tests.strategies.test_engine import same, with_opens
from tests.strategies.test_ma_crossover import prices_of

pytestmark = pytest.mark.pure


def named(ticker: str, closes, **more) -> Prices:
    plain = prices_of(closes)
    return Prices(ticker, plain.times, plain.close, **{name: np.array(v, dtype=float) for name, v in more.items()})


def dealt(all_prices, targets, own_weights=False, **terms) -> list[engine.Result]:
    panel, told = make_panel(all_prices), Terms(**{"initial_investment": 1000.0} | terms)
    target = np.array(targets, dtype=float).T
    return broker.run(panel, target, orders(target, panel.close, panel.times, told, own_weights), told)


def one(prices, target, **terms) -> engine.Result:
    return dealt([prices], [target], **terms)[0]


# Equal to the plain account ----------------------------------------------------------------


@given(
    bars=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([0, 1])), min_size=1, max_size=40),
    fee=st.sampled_from([0.0, 10.0, 250.0]),
    fill=st.sampled_from(["close", "next_open"]),
)
def test_on_plain_terms_it_is_the_plain_account(bars, fee, fill):
    closes, opens, target = zip(*bars, strict=True)
    prices = with_opens(closes, opens)
    plain = engine.run(prices, np.array(target, dtype=float), 1000.0, fee / 10_000, fill)
    general = one(prices, target, fee_bps=fee, fill=fill)
    assert same(general.equity.tolist(), plain.equity.tolist())
    assert general.unfilled == plain.unfilled
    assert [(t.entry_bar, t.exit_bar, t.exit_reason) for t in general.trades] == [
        (t.entry_bar, t.exit_bar, t.exit_reason) for t in plain.trades
    ]
    for ours, theirs in zip(general.trades, plain.trades, strict=True):
        assert same([ours.quantity, ours.fees, ours.profit_loss], [theirs.quantity, theirs.fees, theirs.profit_loss])
        assert same(ours.return_fraction, theirs.return_fraction)


# One bar at a time, in exact arithmetic ------------------------------------------------------


def exact_account(closes, targets, fee: Fraction, cost: Fraction, weight: Fraction, tickers: int):
    """Equity of one pool dealt at closes, the slow way: sell what must go, then buy in proportion to what is free."""
    cash, held, equity = Fraction(1000 * tickers), [Fraction(0)] * tickers, []
    before = [0] * tickers
    for row, wanted in zip(closes, targets, strict=True):
        total = cash + sum(quantity * price for quantity, price in zip(held, row, strict=True))
        changed = [at for at in range(tickers) if wanted[at] != before[at]]
        for at in changed:
            if held[at]:
                sold = row[at] * (1 - cost if held[at] > 0 else 1 + cost)
                cash += held[at] * sold - abs(held[at]) * sold * fee
                held[at] = Fraction(0)
        free = cash + sum(q * p for q, p in zip(held, row, strict=True))
        free -= sum(abs(q) * p for q, p in zip(held, row, strict=True))
        asked = {at: weight * total for at in changed if wanted[at]}
        scale = min(Fraction(1), max(free, Fraction(0)) / sum(asked.values())) if asked else 0
        for at, money in asked.items():
            bought = row[at] * (1 + cost * wanted[at])
            quantity = money * scale / (bought * (1 + fee))
            if money * scale > Fraction(1, 10**9) * total:
                cash -= wanted[at] * quantity * bought + quantity * bought * fee
                held[at] = wanted[at] * quantity
        before = list(wanted)
        equity.append(cash + sum(q * p for q, p in zip(held, row, strict=True)))
    return equity


@given(
    rows=st.lists(
        st.tuples(
            st.tuples(st.integers(8, 12), st.integers(8, 12), st.integers(8, 12)),
            st.tuples(*[st.sampled_from([-1, 0, 1])] * 3),
        ),
        min_size=1,
        max_size=25,
    ),
    fee=st.sampled_from([0, 20]),
    spread=st.sampled_from([0, 30]),
    size=st.sampled_from(["all_in", "equal_weight", "fixed_fraction"]),
)
def test_a_pool_of_three_is_that_of_exact_arithmetic(rows, fee, spread, size):
    closes, targets = zip(*rows, strict=True)
    weight = {"all_in": Fraction(1), "equal_weight": Fraction(1, 3), "fixed_fraction": Fraction(2, 5)}[size]
    expected = exact_account(closes, targets, Fraction(fee, 10_000), Fraction(spread, 20_000), weight, 3)
    if min(expected) <= 0:
        return
    all_prices = [named(f"T{at}", [row[at] for row in closes]) for at in range(3)]
    terms = {"fee_bps": fee, "spread_bps": spread, "sizing": size, "position_percentage": 40.0, "direction": "both"}
    results = dealt(all_prices, list(zip(*targets, strict=True)), **terms)
    assert same(sum(result.equity for result in results).tolist(), [float(value) for value in expected])
    made = sum(trade.profit_loss for result in results for trade in result.trades)
    assert same(made, float(expected[-1]) - 3000)


# By hand ------------------------------------------------------------------------------


def test_a_short_gains_what_the_price_loses():
    result = one(prices_of([10, 8, 8]), [-1, -1, 0], direction="both")
    (trade,) = result.trades
    assert (trade.side, trade.quantity, trade.profit_loss, trade.return_fraction) == (-1, 100.0, 200.0, 0.2)
    assert result.equity.tolist() == [1000.0, 1200.0, 1200.0]


def test_a_long_account_leaves_short_signals_alone_and_a_short_one_long_signals():
    closes, target = [10, 8, 9, 12], [-1, -1, 1, 1]
    assert [trade.side for trade in one(prices_of(closes), target).trades] == [1]
    assert [trade.side for trade in one(prices_of(closes), target, direction="both").trades] == [-1, 1]
    assert [trade.side for trade in one(prices_of(closes), target, direction="short").trades] == [-1]


def test_spread_and_slippage_make_both_sides_worse_and_the_fixed_fee_is_paid_twice():
    # Half of 200 basis points and 100 more: 2 % a fill.
    result = one(prices_of([100, 100]), [1, 0], spread_bps=200, slippage_bps=100, fee_fixed=10)
    (trade,) = result.trades
    assert (trade.entry_price, trade.exit_price) == (102.0, 98.0)
    assert trade.quantity == pytest.approx(990 / 102)
    assert trade.fees == 20
    assert result.final_value == pytest.approx(990 / 102 * 98 - 10)


def test_what_is_held_is_never_made_more_than_the_equity_and_what_finds_no_cash_is_reported():
    first, late = dealt([named("A", [10, 10, 10]), named("B", [5, 5, 5])], [[1, 1, 1], [0, 1, 1]])
    assert first.trades[0].quantity == 200.0
    assert (late.trades, [(u.bar, u.side, u.code) for u in late.unfilled]) == ((), [(1, 1, "no_cash")])


def test_entries_of_one_bar_share_what_is_free_whatever_their_order():
    results = dealt([named("A", [10, 20]), named("B", [5, 5])], [[1, 1], [1, 1]])
    assert [result.trades[0].quantity for result in results] == [100.0, 200.0]
    assert [result.equity.tolist() for result in results] == [[1000.0, 2000.0], [1000.0, 1000.0]]


def test_a_position_is_sized_to_its_volatility():
    # Returns of +10 % and -10 % by turns: sample deviation over two of them is 0.1 * sqrt(2), times sqrt(252) a year.
    closes = [100, 110, 99, 108.9]
    terms = {"sizing": "volatility_target", "target_volatility_percentage": 50, "volatility_window": 2}
    result = one(prices_of(closes), [0, 0, 1, 1], **terms)
    share = 0.5 / (0.1 * 2**0.5 * 252**0.5)
    assert result.trades[0].quantity * 99 == pytest.approx(1000 * share)
    early = one(prices_of(closes), [1, 1, 0, 0], **terms)
    assert [entry.code for entry in early.unfilled] == ["no_volatility"]


def test_sizes_are_put_back_at_the_first_bar_of_a_month():
    days = np.array(["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"], dtype="datetime64[us]")
    up, flat = (Prices(name, days, np.array(c, dtype=float)) for name, c in (("A", [10, 20, 20, 20]), ("B", [10] * 4)))
    terms = {"sizing": "equal_weight", "rebalance": "monthly"}
    results = dealt([up, flat], [[1, 1, 1, 1], [1, 1, 1, 1]], **terms)
    assert [result.quantity.tolist() for result in results] == [[100, 100, 75, 75], [100, 100, 150, 150]]
    assert sum(result.final_value for result in results) == 3000


def test_review_bars_begin_weeks_on_monday():
    days = np.array(["2024-03-29", "2024-03-31", "2024-04-01", "2024-04-02", "2024-07-01"], dtype="datetime64[us]")
    assert review_bars(days, "weekly").tolist() == [False, False, True, False, True]
    assert review_bars(days, "monthly").tolist() == [False, False, True, False, True]
    assert review_bars(days, "quarterly").tolist() == [False, False, True, False, True]
    assert not review_bars(days, "never").any()


def test_a_strategys_own_weights_are_dealt_in_parts():
    result = one(prices_of([10, 20, 20]), [1.0, 0.5, 0.0], own_weights=True)
    (trade,) = result.trades
    assert (trade.quantity, trade.entry_price, trade.exit_price, trade.profit_loss) == (100.0, 10.0, 20.0, 1000.0)
    assert result.quantity.tolist() == [100.0, 50.0, 0.0]


def test_an_account_that_loses_everything_has_no_result():
    with pytest.raises(broker.Ruined, match="2020-01-02"):
        one(prices_of([10, 25, 5]), [-1, -1, -1], direction="both")


# Stops ------------------------------------------------------------------------------


BARS = {
    "open": [100, 100, 97, 99],
    "high": [101, 104, 98, 111],
    "low": [99, 96, 90, 95],
    "close": [100, 103, 92, 110],
}


def stopped(bars=BARS, side=1, **terms):
    prices = named("T", bars["close"], **{name: bars[name] for name in ("open", "high", "low")})
    result = one(prices, [side] * 4, direction="both", **terms)
    return [(trade.exit_bar, trade.exit_price, trade.exit_reason) for trade in result.trades]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        # Entered at the close of bar 0, at 100; from bar 1 on lows are 96, 90, 95.
        ({"stop_loss_percentage": 5}, (2, 95.0, "stop_loss")),
        # The bar opens below the level: that open is what can be had.
        ({"stop_loss_percentage": 2.5}, (1, 97.5, "stop_loss")),
        ({"take_profit_percentage": 4}, (1, 104.0, "take_profit")),
        ({"take_profit_percentage": 10}, (3, pytest.approx(110.0), "take_profit")),
        # One bar touches both: the stop counts.
        ({"stop_loss_percentage": 4, "take_profit_percentage": 4}, (1, 96.0, "stop_loss")),
        # The best price up to the bar before: 100, then 104, so 5 % below is 98.8; bar 2 opens at 97 already.
        ({"trailing_stop_percentage": 5}, (2, 97.0, "trailing_stop")),
        ({"stop_loss_percentage": 50}, (None, None, "")),
    ],
)
def test_a_long_is_stopped_where_the_rule_says(terms, expected):
    assert stopped(**terms) == [expected]


def test_a_short_is_stopped_by_the_mirror_image():
    upside_down = {
        name: [200 - price for price in BARS[other]]
        for name, other in {"open": "open", "high": "low", "low": "high", "close": "close"}.items()
    }
    assert stopped(upside_down, -1, stop_loss_percentage=5) == [(2, 105.0, "stop_loss")]
    assert stopped(upside_down, -1, take_profit_percentage=4) == [(1, 96.0, "take_profit")]
    assert stopped(upside_down, -1, trailing_stop_percentage=5) == [(2, 103.0, "trailing_stop")]


def test_after_a_stop_only_a_new_signal_enters_again():
    result = one(prices_of([100, 90, 100, 100, 100]), [1, 1, 1, 0, 1], stop_loss_percentage=5)
    assert [(trade.entry_bar, trade.exit_bar) for trade in result.trades] == [(0, 1), (4, None)]


def test_a_stop_can_take_a_position_out_on_the_bar_whose_open_it_was_entered_at():
    prices = named("T", [100, 100, 100], open=[100, 100, 100], high=[100] * 3, low=[100, 90, 100])
    (trade,) = one(prices, [1, 1, 1], fill="next_open", stop_loss_percentage=5).trades
    assert (trade.entry_bar, trade.exit_bar, trade.exit_price) == (1, 1, 95.0)


def test_a_stop_far_behind_the_entry_is_found():
    closes = [100.0] * 700 + [80.0]
    (trade,) = one(prices_of(closes), [1] * 701, stop_loss_percentage=10).trades
    assert (trade.exit_bar, trade.exit_price) == (700, 80.0)


# Through the specification -----------------------------------------------------------------


def test_a_pool_is_cut_to_the_bars_that_all_tickers_have():
    long, late = named("A", [9, 8, 3, 4, 6, 8, 5]), named("B", [9, 8, 3, 4, 6])
    spec = make_spec({"fast": 1, "slow": 2, "accounts": "shared"})
    done = backtest.run(spec, [long, late])
    assert [len(result.prices) for result in done.results] == [5, 5]
    with pytest.raises(backtest.BacktestError, match="5 in common"):
        backtest.run(make_spec({"fast": 1, "slow": 7, "accounts": "shared"}), [long, named("B", [1] * 8).__class__(
            "B", prices_of([1] * 12).times[2:], np.ones(10))])  # fmt: skip


def test_a_strategy_of_several_tickers_says_how_many_it_takes_and_sizes_them_itself():
    with pytest.raises(backtest.BacktestError, match="takes 2 tickers; 1 can be run"):
        backtest.run(make_spec({"strategy": "pairs_reversion", "window": 3}), [named("A", [1, 2, 3, 4])])
    with pytest.raises(ValueError, match="says itself"):
        make_spec({"strategy": "momentum_rotation", "sizing": "equal_weight"})
