"""What is held, in as few rows as there are prices for it: the open positions of any number of accounts, summed by the
database. All accounts that are marked alike hold a ticker at one price; only where a split stands in a book, which a
price may have to be carried over, is a position left by itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from django.db.models import BooleanField, Count, ExpressionWrapper, F, Max, Min, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from tradeops.core.fields import ExactSum

from ..ledger import EXACT, ZERO, multiply
from ..models import SPLIT_KINDS, Account, Activity, Position
from .valuation import Valuation, value_all

ALIKE = ("account__kind", "instrument_id")
IS_LONG = ExpressionWrapper(Q(quantity__gt=ZERO), BooleanField())


def held_together(positions: QuerySet, at: datetime) -> list[Position]:
    """The open ones of `positions`, long and short apart, each with its `valuation` at `at`.

    A row is a sum over `count` positions, of which `most` is the largest quantity, below 0 where it is short.
    """
    still_open = positions.exclude(quantity=ZERO).order_by()
    by_itself = Q(instrument__in=split_tickers(still_open))
    alone = [counted(one, 1, one.quantity) for one in still_open.filter(by_itself).select_related("account")]
    return value_all(alone, at) + value_all(map(summed, sums_of(still_open.exclude(by_itself))), at, splits={})


def split_tickers(positions: QuerySet) -> list[str]:
    splits = Activity.objects.current().filter(kind__in=SPLIT_KINDS, account__in=positions.values("account"))
    return list(splits.order_by().values_list("instrument_id", flat=True).distinct())


def sums_of(positions: QuerySet) -> QuerySet:
    sums = {"units": ExactSum("quantity"), "cost": ExactSum("cost_basis"), "count": Count("pk")}
    return (
        positions.annotate(is_long=IS_LONG)
        .values(*ALIKE, "is_long")
        .annotate(highest=Max("quantity"), lowest=Min("quantity"), **sums)
    )


def summed(row: dict) -> Position:
    kind, ticker = (row[name] for name in ALIKE)
    held = Position(account=Account(kind=kind), instrument_id=ticker, quantity=row["units"], cost_basis=row["cost"])
    return counted(held, row["count"], row["highest"] if row["is_long"] else row["lowest"])


def counted(position: Position, count: int, most: Decimal) -> Position:
    position.count, position.most = count, most
    return position


def size(position: Position, quantity: Decimal) -> tuple:
    """Sorts by the value of so much of it, the largest first; what has no price comes last, by cost."""
    mark = position.valuation.mark
    return mark is None, -abs(position.cost_basis if mark is None else multiply(quantity, mark))


def largest_of(positions: QuerySet, held: list[Position], count: int) -> list[Position]:
    """The `count` largest of the open `positions`, which `held` sums, each with its valuation.

    They lie in those sums whose own largest are the largest: no other needs to be looked into.
    """
    chosen = sorted(held, key=lambda one: size(one, one.most))[:count]
    ranks = {"partition_by": [F(name) for name in ALIKE]}
    rows = positions.filter(instrument__in={one.ticker for one in chosen}).exclude(quantity=ZERO).order_by()
    rows = rows.annotate(
        from_long=Window(RowNumber(), order_by=F("quantity").desc(), **ranks),
        from_short=Window(RowNumber(), order_by=F("quantity").asc(), **ranks),
    ).filter(Q(from_long__lte=count) | Q(from_short__lte=count))
    valued = valued_as_held(rows.select_related("account"), held)
    return sorted(valued, key=lambda one: (*size(one, one.quantity), one.ticker, one.account_id))[:count]


def valued_as_held(positions: Iterable[Position], held: list[Position]) -> Iterator[Position]:
    """The positions at the marks of `held`; one that was opened since is left out."""
    valuations = {place_of(one): one.valuation for one in held}
    for position in positions:
        by_itself, *alike = place_of(position)
        found = valuations.get((by_itself, *alike)) or valuations.get((None, *alike))
        if found is not None:
            position.valuation = found if found.mark is None else at_mark(position, found)
            yield position


def place_of(position: Position) -> tuple:
    return position.pk, position.account.kind, position.ticker


def at_mark(position: Position, found: Valuation) -> Valuation:
    value = multiply(position.quantity, found.mark)
    return replace(found, market_value=value, unrealized_pnl=EXACT.subtract(value, position.cost_basis))
