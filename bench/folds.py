"""A million fills of one account folded exactly: the desk's columns against a plain loop of decimals."""

import statistics
import time
from collections import deque
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from trades.folding.bulk_fold import FillColumns, decimal_of, fold_columns

from .ground import Ground
from .sizes import Size
from .tables import Table, Verdict

ROUNDS = 3
QUANTITY_PLACES, PRICE_PLACES, FEE_PLACES = 0, 2, 2


def measure(ground: Ground, size: Size) -> Iterator[Table]:
    columns = make_fills(np.random.default_rng(7), size.fills)
    decimals = as_decimals(columns)
    expected, loop_seconds = timed(lambda: plain_fold(decimals))
    found, fold_seconds = timed(lambda: sums_of(columns))
    if found != expected:
        raise AssertionError(f"The folds differ: {found} and {expected}.")
    table = Table(f"{size.fills:,} fills of one account, first in first out", ["who", "seconds", "fills/s"])
    for who, seconds in (("a plain loop of decimals", loop_seconds), ("trades.folding.bulk_fold", fold_seconds)):
        table.rows.append([who, f"{seconds:.2f}", f"{size.fills / seconds:,.0f}"])
    quantity, cost, realized, fees = expected
    table.notes.append(
        f"Both end at the same digits: quantity {quantity}, cost {cost}, realized {realized}, fees {fees}. "
        f"Median of {ROUNDS}. The columns are as they are read from the database; the loop is handed its decimals."
    )
    table.verdicts.append(Verdict("fold against the plain loop", loop_seconds / fold_seconds, 5))
    yield table


def make_fills(chance: np.random.Generator, count: int) -> FillColumns:
    sides = np.where(chance.random(count) < 0.5, 1, -1)
    return FillColumns(
        np.arange(1, count + 1),
        np.arange(count) * 1_000_000,
        chance.integers(1, 500, count) * sides,
        chance.integers(1_000, 20_000, count),
        chance.integers(0, 100, count),
        QUANTITY_PLACES,
        PRICE_PLACES,
        FEE_PLACES,
    )


def as_decimals(columns: FillColumns) -> list[tuple[Decimal, Decimal, Decimal]]:
    return [
        (Decimal(quantity), decimal_of(price, PRICE_PLACES), decimal_of(fee, FEE_PLACES))
        for quantity, price, fee in zip(
            columns.quantity.tolist(), columns.price.tolist(), columns.fee.tolist(), strict=True
        )
    ]


def plain_fold(fills: list[tuple[Decimal, Decimal, Decimal]]) -> tuple[Decimal, ...]:
    """Quantity, cost, realized and fees as one would write it first: a queue of lots."""
    lots: deque[list[Decimal]] = deque()
    realized = fees = Decimal(0)
    for quantity, price, fee in fills:
        fees += fee
        while quantity and lots and (lots[0][0] > 0) != (quantity > 0):
            lot = lots[0]
            taken = lot[0] if abs(lot[0]) <= abs(quantity) else -quantity
            realized += taken * (price - lot[1])
            lot[0] -= taken
            quantity += taken
            if not lot[0]:
                lots.popleft()
        if quantity:
            lots.append([quantity, price])
    held, cost = sum(lot[0] for lot in lots), sum(lot[0] * lot[1] for lot in lots)
    return Decimal(held), Decimal(cost), realized, fees


def sums_of(columns: FillColumns) -> tuple[Decimal, ...]:
    folded = fold_columns(columns)
    return (
        decimal_of(int(folded.lot_quantity.sum()), QUANTITY_PLACES),
        decimal_of(int(folded.lot_cost.sum()), columns.money_places),
        decimal_of(int(folded.pnl.sum()), columns.money_places),
        decimal_of(int(columns.fee.sum()), FEE_PLACES),
    )


def timed(work) -> tuple[object, float]:
    """What `work` gives, and the median of its seconds."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return result, statistics.median(seconds)
