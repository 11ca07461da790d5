"""The fold of columns is the ledger's fold, to the digit."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trades.folding.bulk_fold import FillColumns, TooLarge, decimal_of, fold_columns
from trades.ledger import Fill, fold

pytestmark = pytest.mark.pure
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUANTITY_PLACES, PRICE_PLACES, FEE_PLACES = 3, 2, 2

rows = st.lists(
    st.tuples(
        st.integers(-9_000, 9_000).filter(bool) | st.sampled_from([-1000, 1000]),
        st.integers(1, 50_000),
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=40,
)


def columns(given) -> FillColumns:
    quantity, price, fee = (np.array(column, dtype=np.int64) for column in zip(*given, strict=True))
    count = len(given)
    ids, times = np.arange(1, count + 1), np.arange(count) * 1_000_000
    return FillColumns(ids, times, quantity, price, fee, QUANTITY_PLACES, PRICE_PLACES, FEE_PLACES)


def fills(given) -> list[Fill]:
    return [
        Fill(
            place + 1,
            EPOCH + timedelta(seconds=place),
            decimal_of(quantity, QUANTITY_PLACES),
            decimal_of(price, PRICE_PLACES),
            decimal_of(fee, FEE_PLACES),
        )
        for place, (quantity, price, fee) in enumerate(given)
    ]


@settings(max_examples=400, deadline=None)
@given(rows)
def test_it_is_the_ledgers_fold_to_the_digit(given):
    columns_in, expected = columns(given), fold(fills(given))
    found = fold_columns(columns_in)
    places = columns_in.money_places
    realizations = [
        (
            int(columns_in.ids[closed]), int(columns_in.ids[opened]), decimal_of(int(taken), QUANTITY_PLACES),
            decimal_of(int(cost), places), decimal_of(int(proceeds), places),
        )
        for closed, opened, taken, cost, proceeds in zip(
            found.closed, found.opened, found.taken, found.cost, found.proceeds, strict=True
        )
    ]  # fmt: skip
    assert realizations == [
        (one.closed_by, one.opened_by, one.quantity, one.cost, one.proceeds) for one in expected.realizations
    ]
    lots = [
        (int(columns_in.ids[lot]), decimal_of(int(quantity), QUANTITY_PLACES), decimal_of(int(cost), places))
        for lot, quantity, cost in zip(found.lot, found.lot_quantity, found.lot_cost, strict=True)
    ]
    assert lots == [(lot.opened_by, lot.quantity, lot.cost) for lot in expected.holding.lots]


@settings(max_examples=400, deadline=None)
@given(rows)
def test_its_round_trips_are_the_ledgers(given):
    columns_in, expected = columns(given), fold(fills(given))
    found = fold_columns(columns_in)
    places = columns_in.money_places
    ways = [
        (int(columns_in.ids[start]), decimal_of(int(pnl), places), decimal_of(int(fees), 12))
        for start, pnl, fees in zip(found.trip_start, found.trip_pnl, found.trip_fees, strict=True)
    ]
    over = [(one.trip.opened_by, one.trip.realized_pnl, one.trip.fees) for one in expected.round_trips]
    open_way = expected.holding.trip
    assert ways == over + ([(open_way.opened_by, open_way.realized_pnl, open_way.fees)] if open_way else [])
    assert columns_in.ids[found.trip_end].tolist() == [one.closed_by for one in expected.round_trips]


def test_what_does_not_fit_64_bits_is_refused():
    with pytest.raises(TooLarge):
        fold_columns(columns([(2**40, 2**30, 0)]))


def test_a_fill_without_a_quantity_is_refused():
    with pytest.raises(ValueError, match="needs a quantity"):
        fold_columns(columns([(5, 100, 0), (0, 100, 0)]))
