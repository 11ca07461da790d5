"""Figures opened into their parts, hand-worked and under hypothesis: the parts always sum to the figure, exactly."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trades.test_ledger import CASE_1, METHODS, SHORT, START, fills_of
from trades.folding.account_book import fold_account
from trades.folding.events import Dividend, Split, TransferIn, TransferOut
from trades.insight.explain import MethodRow, agree, explain
from trades.insight.what_if import what_if
from trades.ledger import Fill, Holding, Method, fold, total

pytestmark = pytest.mark.pure


def test_case_1_is_opened_into_its_lots_and_fills():
    fills = fills_of(*CASE_1)
    explanation = explain(fold(fills), fills, Decimal(13))
    (realized,) = explanation.realized.parts
    assert (realized.closed_by, realized.opened_by, realized.quantity, realized.cost, realized.proceeds) == (
        3, 1, 50, 500, 750,
    )  # fmt: skip
    assert [(one.lot.opened_by, one.market_value, one.unrealized_pnl) for one in explanation.unrealized.parts] == [
        (1, 650, 150), (2, 1300, 100),
    ]  # fmt: skip
    assert [(one.trade_id, one.fee) for one in explanation.fees.parts] == [(3, 1), (2, 1), (1, 1)]
    totals = (explanation.realized.total, explanation.unrealized.total, explanation.fees.total, explanation.total)
    assert totals == (250, 250, 3, 497)


def test_what_a_window_leaves_out_is_counted_and_summed():
    fills = fills_of(*CASE_1)
    fees = explain(fold(fills), fills, None, slice(1, 2)).fees
    assert ([one.trade_id for one in fees.parts], fees.count, fees.left_out_count, fees.left_out) == ([2], 3, 2, 2)


def test_without_a_mark_the_lots_are_named_and_not_valued():
    fills = fills_of(*CASE_1)
    explanation = explain(fold(fills), fills, None)
    assert [one.lot.quantity for one in explanation.unrealized.parts] == [50, 100]
    assert (explanation.unrealized.total, explanation.unrealized.left_out, explanation.total) == (None, None, None)


def test_a_flat_position_needs_no_mark():
    fills = fills_of(("BUY", "1", "10", "2"), ("SELL", "1", "13", "0"))
    assert explain(fold(fills), fills, None).total == 1


tenths = st.integers(1, 10**7).map(lambda number: Decimal(number) / 1000)
moves = st.tuples(st.sampled_from(["fill", "fill", "fill", "dividend", "split"]), st.booleans(), tenths, tenths, tenths)


def events_of(said) -> list:
    events = []
    for number, (kind, is_up, quantity, price, fee) in enumerate(said, start=1):
        at = START + timedelta(minutes=number)
        if kind == "fill":
            events.append(Fill(number, at, quantity if is_up else -quantity, price, fee, "AAPL"))
        elif kind == "dividend":
            events.append(Dividend(number, at, "AAPL", price, at))
        else:
            events.append(Split(number, at, "AAPL", 3 if is_up else 2, 2 if is_up else 3))
    return events


@given(st.lists(moves, max_size=25), tenths, st.sampled_from(METHODS), st.integers(0, 5), st.integers(1, 5))
def test_parts_and_what_is_left_out_sum_to_the_figures(said, mark, method, skip, limit):
    events = events_of(said)
    fills = [event for event in events if isinstance(event, Fill)]
    folded = fold_account(events, method).of("AAPL")
    shown = explain(folded, fills, mark, slice(skip, skip + limit))
    holding = folded.holding
    for figure, kept, amounts in (
        (shown.realized, holding.realized_pnl, [one.pnl for one in shown.realized.parts]),
        (shown.fees, holding.fees, [one.fee for one in shown.fees.parts]),
        (shown.income, holding.income, [one.amount for one in shown.income.parts]),
        (
            shown.unrealized,
            total([holding.quantity * mark, -holding.cost]),
            [one.unrealized_pnl for one in shown.unrealized.parts],
        ),
    ):
        assert figure.total == kept == total([*amounts, figure.left_out])
        assert figure.left_out_count + len(figure.parts) == figure.count


@given(st.lists(moves, max_size=25), tenths)
def test_all_methods_come_to_the_same(said, mark):
    events = events_of(said)
    rows = [MethodRow(method, fold_account(events, method).of("AAPL").holding, mark) for method in METHODS]
    assert agree(rows)
    assert len({row.cash_and_value for row in rows}) == 1


def test_units_that_leave_at_cost_are_in_the_law_and_not_in_the_profit():
    """10 at 100 and 10 at 200 less 10: 1000 leave by FIFO and 2000 by LIFO; at 300 the rest is worth 3000."""
    at = [START + timedelta(minutes=minute) for minute in range(3)]
    events = [
        TransferIn(1, at[0], "KO", Decimal(10), Decimal(1000), at[0]),
        Fill(2, at[1], Decimal(10), Decimal(200), ticker="KO"),
        TransferOut(3, at[2], "KO", Decimal(10)),
    ]
    rows = [MethodRow(method, fold_account(events, method).of("KO").holding, Decimal(300)) for method in METHODS]
    by_method = {row.method: (row.total_pnl, row.holding.transferred_cost, row.cash_and_value) for row in rows}
    assert by_method[Method.FIFO] == (1000, 0, 1000)
    assert by_method[Method.LIFO] == (2000, -1000, 1000)
    assert agree(rows)


def test_methods_that_do_not_agree_are_said_not_to():
    assert not agree([MethodRow(Method.FIFO, Holding(), None), MethodRow(Method.LIFO, Holding(cost=Decimal(1)), None)])


# What if -----------------------------------------------------------------------------------


def ahead(rows, quantity, price, method):
    price = None if price is None else Decimal(price)
    return what_if(fold(fills_of(*rows), method).holding, Decimal(quantity), price, START, method)


@pytest.mark.parametrize(
    ("method", "realized", "lots", "cost_after", "average_after"),
    [
        # Left of case 1: 50 at 10 and 100 at 12 by FIFO, 100 at 10 and 50 at 12 by LIFO and HIFO, else 150 at 11.
        (Method.FIFO, "220", [(1, "50"), (2, "10")], "1080", "12"),
        (Method.AVERAGE_COST, "180", [(1, "60")], "990", "11"),
        (Method.LIFO, "140", [(2, "50"), (1, "10")], "900", "10"),
        (Method.HIFO, "140", [(2, "50"), (1, "10")], "900", "10"),
    ],
)
def test_a_sale_that_is_thought_of_takes_each_methods_lots(method, realized, lots, cost_after, average_after):
    outcome = ahead(CASE_1, "-60", "14", method)
    assert outcome.realized_pnl == Decimal(realized)
    assert [(one.opened_by, one.quantity) for one in outcome.taken] == [(key, Decimal(q)) for key, q in lots]
    assert (outcome.after.quantity, outcome.cost_after, outcome.average_after) == (
        90, Decimal(cost_after), Decimal(average_after),
    )  # fmt: skip


def test_a_sale_through_zero_opens_a_short_at_its_price():
    outcome = ahead(CASE_1, "-200", "14", Method.FIFO)
    assert (outcome.realized_pnl, outcome.after.quantity, outcome.average_after) == (400, -50, 14)


def test_a_purchase_closes_a_short():
    outcome = ahead(SHORT, "150", "6", Method.FIFO)
    assert (outcome.realized_pnl, outcome.after.quantity, outcome.average_after) == (350, 0, None)


def test_without_a_price_the_lots_are_named_and_no_money():
    outcome = ahead(CASE_1, "-60", None, Method.FIFO)
    assert [one.opened_by for one in outcome.taken] == [1, 2]
    assert (outcome.realized_pnl, outcome.cost_after, outcome.average_after) == (None, 1080, 12)
    # What is opened at no price has no cost that is known.
    assert ahead(CASE_1, "-200", None, Method.FIFO).average_after is None
