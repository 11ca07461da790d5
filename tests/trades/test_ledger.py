"""The book's arithmetic: hand-worked vectors, and its laws against a model that counts single units."""

import decimal
from collections import deque
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trades.ledger import EXACT, Fill, Holding, Lot, Method, apply_fill, average, fee_part, fold, part_of, total

pytestmark = pytest.mark.pure

START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)
METHODS = list(Method)


def fills_of(*rows) -> list[Fill]:
    """(side, quantity, price, fee) rows, a minute apart."""
    return [
        Fill(
            trade_id=number,
            at=START + timedelta(minutes=number),
            quantity=Decimal(quantity) * (1 if side == "BUY" else -1),
            price=Decimal(price),
            fee=Decimal(fee),
        )
        for number, (side, quantity, price, fee) in enumerate(rows, start=1)
    ]


CASE_1 = [("BUY", "100", "10", "1"), ("BUY", "100", "12", "1"), ("SELL", "50", "15", "1")]
CASE_2 = [*CASE_1, ("SELL", "100", "9", "1")]
THROUGH_ZERO = [("BUY", "100", "50", "0"), ("SELL", "150", "55", "3"), ("BUY", "50", "52", "0")]
SHORT = [("SELL", "100", "5", "0"), ("SELL", "100", "10", "0"), ("BUY", "50", "6", "0")]
UNENDING = [("BUY", "1", "408", "0"), ("BUY", "2", "400", "0"), ("SELL", "3", "410", "0")]
FEES_ONLY = [("BUY", "10", "100", "5"), ("SELL", "10", "100", "1")]
CORRECTED = [("BUY", "100", "10.5", "1"), *CASE_1[1:]]

# rows, then realized P&L by method, fees, quantity left
VECTORS = [
    (CASE_1, {"average_cost": "200", "fifo": "250", "lifo": "150", "hifo": "150"}, "3", "150"),
    (CASE_2, {"average_cost": "0", "fifo": "50", "lifo": "-50", "hifo": "-50"}, "4", "50"),
    (THROUGH_ZERO, {"average_cost": "650", "fifo": "650", "lifo": "650", "hifo": "650"}, "3", "0"),
    (SHORT, {"average_cost": "75", "fifo": "-50", "lifo": "200", "hifo": "-50"}, "0", "-150"),
    (UNENDING, {"average_cost": "22", "fifo": "22", "lifo": "22", "hifo": "22"}, "0", "0"),
    (FEES_ONLY, {"average_cost": "0", "fifo": "0", "lifo": "0", "hifo": "0"}, "6", "0"),
    (CORRECTED, {"average_cost": "187.5", "fifo": "225", "lifo": "150", "hifo": "150"}, "3", "150"),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("rows", "realized", "fees", "quantity"), VECTORS)
def test_the_worked_vectors_come_out_to_the_last_digit(rows, realized, fees, quantity, method):
    holding = fold(fills_of(*rows), method).holding
    assert holding.realized_pnl == Decimal(realized[method.value])
    assert holding.fees == Decimal(fees)
    assert holding.quantity == Decimal(quantity)


@pytest.mark.parametrize(
    ("method", "cost", "lots"),
    [
        (Method.FIFO, "1700", [("50", "500"), ("100", "1200")]),
        (Method.AVERAGE_COST, "1650", [("150", "1650")]),
        (Method.LIFO, "1600", [("100", "1000"), ("50", "600")]),
        (Method.HIFO, "1600", [("100", "1000"), ("50", "600")]),
    ],
)
def test_what_is_left_keeps_its_cost_by_the_method(method, cost, lots):
    holding = fold(fills_of(*CASE_1), method).holding
    assert holding.cost == Decimal(cost)
    assert [(lot.quantity, lot.cost) for lot in holding.lots] == [(Decimal(q), Decimal(c)) for q, c in lots]


def test_a_fill_through_zero_opens_the_other_side():
    folded = fold(fills_of(*THROUGH_ZERO[:2]))
    assert folded.holding.realized_pnl == 500
    assert folded.holding.lots == [Lot(2, START + timedelta(minutes=2), Decimal(-50), Decimal(-2750))]


def test_the_fee_of_a_fill_through_zero_is_split_in_proportion():
    folded = fold(fills_of(*THROUGH_ZERO))
    assert [trip.net_pnl for trip in folded.round_trips] == [Decimal(498), Decimal(149)]
    assert [trip.trip.is_long for trip in folded.round_trips] == [True, False]
    assert [(trip.trip.opened_by, trip.closed_by) for trip in folded.round_trips] == [(1, 2), (2, 3)]


def test_the_last_unit_realizes_exactly_the_remaining_cost_even_where_the_average_does_not_end():
    rows = [*UNENDING[:2], ("SELL", "1", "410", "0"), ("SELL", "1", "410", "0"), ("SELL", "1", "410", "0")]
    folded = fold(fills_of(*rows), Method.AVERAGE_COST)
    # 1208 / 3 does not end and is rounded once; 805.333333333333 / 2 ends and is not rounded at all.
    costs = ["402.666666666667", "402.6666666666665", "402.6666666666665"]
    assert [one.cost for one in folded.realizations] == [Decimal(cost) for cost in costs]
    assert folded.holding.realized_pnl == 22
    assert folded.holding.cost == 0


def test_a_realization_names_the_fills_that_made_it():
    (one,) = fold(fills_of(*CASE_1)).realizations
    assert (one.opened_by, one.closed_by, one.quantity, one.cost, one.proceeds, one.pnl) == (1, 3, 50, 500, 750, 250)


def test_hifo_takes_the_cheapest_of_a_short_and_the_oldest_of_equals():
    rows = [("SELL", "1", "7", "0"), ("SELL", "1", "5", "0"), ("SELL", "1", "5", "0"), ("BUY", "1", "4", "0")]
    assert [one.opened_by for one in fold(fills_of(*rows), Method.HIFO).realizations] == [2]


@pytest.mark.parametrize(
    ("amount", "part", "whole", "result"),
    [
        ("1208", "1", "3", "402.666666666667"),
        ("1", "1", "8", "0.125"),
        ("1", "1", "1048576", "0.00000095367431640625"),  # ends at 20 decimals: kept whole
        ("1", "1", "2", "0.5"),
        ("-1", "2", "3", "-0.666666666667"),
        # Ends, but beyond the 24 decimals there is room for: half-even at 12.
        ("0.000000000001", "1", "1048576", "0.000000000000"),
        ("0.000000000003", "1", "2", "0.0000000000015"),
    ],
)
def test_a_division_is_exact_where_it_ends_and_half_even_at_twelve_places_where_not(amount, part, whole, result):
    assert part_of(Decimal(amount), Decimal(part), Decimal(whole)) == Decimal(result)


def test_the_parts_of_a_fee_always_add_up_to_it():
    fee = Decimal("1")
    first = fee_part(fee, Decimal(1), Decimal(3))
    assert first == Decimal("0.333333333333")
    assert fee_part(fee, Decimal(3), Decimal(3)) == fee


@pytest.mark.parametrize(
    "fill",
    [
        Fill(1, START, Decimal(0), Decimal(1)),
        Fill(1, START, Decimal(1), Decimal(-1)),
        Fill(1, START, Decimal(1), Decimal(1), Decimal(-1)),
    ],
)
def test_a_fill_that_is_none_is_refused(fill):
    with pytest.raises(ValueError, match="Fill 1"):
        apply_fill(Holding(), fill)


def test_the_precision_of_the_callers_thread_changes_nothing():
    fills = fills_of(("BUY", "1234567.891", "98765.4321", "0.01"), ("SELL", "1234567.89", "98765.4321", "0.01"))
    with decimal.localcontext(decimal.Context(prec=3)):
        holding = fold(fills).holding
    assert holding.quantity == Decimal("0.001")
    assert holding.cost == Decimal("98.7654321")
    assert average(Decimal(2), Decimal(3)) == Decimal("0.666666666667")


def test_shorts_are_found_where_they_begin_and_while_they_last():
    rows = [("BUY", "1", "5", "0"), ("SELL", "2", "5", "0"), ("SELL", "1", "5", "0"), ("BUY", "2", "5", "0")]
    assert fold(fills_of(*rows)).shorts == [2, 3]


# Laws -----------------------------------------------------------------------------------------


@st.composite
def books(draw):
    """Fills in half units at prices of two decimals, so that a model can count them one by one."""
    row = st.tuples(
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 30).map(lambda halves: str(Decimal(halves) / 2)),
        st.integers(1, 5000).map(lambda cents: str(Decimal(cents) / 100)),
        st.integers(0, 300).map(lambda cents: str(Decimal(cents) / 100)),
    )
    return fills_of(*draw(st.lists(row, min_size=1, max_size=25)))


def count_units(fills: list[Fill], method: Method):
    """The same book by brute force: each half unit is a coin with a price. Fractions, no rounding."""
    coins: deque[tuple[int, Fraction]] = deque()  # (sign, price of a half unit)
    realized = Fraction(0)
    for fill in fills:
        sign = 1 if fill.quantity > 0 else -1
        price = Fraction(fill.price) / 2
        for _ in range(int(abs(fill.quantity) * 2)):
            if not coins or coins[0][0] == sign:
                coins.append((sign, price))
                continue
            held = coins[0][0]
            if method == Method.AVERAGE_COST:
                basis = sum(cost for _, cost in coins) / len(coins)
                coins = deque([(held, basis)] * (len(coins) - 1))
            elif method == Method.HIFO:
                chosen = max(range(len(coins)), key=lambda place: (held * coins[place][1], -place))
                basis = coins[chosen][1]
                del coins[chosen]
            else:
                basis = (coins.pop() if method == Method.LIFO else coins.popleft())[1]
            realized += held * (price - basis)
    quantity = Fraction(sum(sign for sign, _ in coins), 2)
    return quantity, sum((sign * cost for sign, cost in coins), Fraction(0)), realized


@pytest.mark.parametrize("method", METHODS)
@given(fills=books())
def test_every_method_agrees_with_a_model_that_counts_single_units(fills, method):
    holding = fold(fills, method).holding
    quantity, cost, realized = count_units(fills, method)
    assert Fraction(holding.quantity) == quantity
    if method != Method.AVERAGE_COST:
        assert (Fraction(holding.cost), Fraction(holding.realized_pnl)) == (cost, realized)
    # Each closing fill rounds the cost that leaves once, at 12 decimals; adding never does.
    assert abs(Fraction(holding.realized_pnl) - realized) <= Fraction(len(fills), 10**12)


@pytest.mark.parametrize("method", METHODS)
@given(fills=books(), mark=st.decimals("0.01", "99999", places=4))
def test_the_law_holds_exactly_after_every_fill(fills, mark, method):
    holding, cash = Holding(), Decimal(0)
    for fill in fills:
        apply_fill(holding, fill, method)
        with decimal.localcontext(EXACT):
            cash -= fill.quantity * fill.price + fill.fee
            unrealized = holding.quantity * mark - holding.cost
            assert holding.realized_pnl + unrealized - holding.fees == cash + holding.quantity * mark


@pytest.mark.parametrize("method", METHODS)
@given(fills=books())
def test_lots_realizations_and_round_trips_add_up_to_the_holding(fills, method):
    folded = fold(fills, method)
    holding, trips = folded.holding, [done.trip for done in folded.round_trips]
    open_trips = [holding.trip] if holding.trip else []
    assert total(lot.quantity for lot in holding.lots) == holding.quantity
    assert total(lot.cost for lot in holding.lots) == holding.cost
    assert total(one.pnl for one in folded.realizations) == holding.realized_pnl
    assert total(trip.realized_pnl for trip in trips + open_trips) == holding.realized_pnl
    assert total(trip.fees for trip in trips + open_trips) == holding.fees == total(fill.fee for fill in fills)
    assert bool(holding.trip) == bool(holding.quantity)


@given(fills=books())
def test_round_trips_are_the_same_for_every_method(fills):
    seen = {tuple((done.closed_by, done.net_pnl) for done in fold(fills, method).round_trips) for method in METHODS}
    assert len(seen) == 1


@given(fills=books(), cut=st.integers(0, 25))
def test_going_on_from_where_a_fold_stood_is_the_same_as_folding_from_the_first(fills, cut):
    holding = fold(fills[:cut]).holding
    for fill in fills[cut:]:
        apply_fill(holding, fill)
    assert holding == fold(fills).holding
