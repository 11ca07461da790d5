"""What a position is worth at its mark: the last price known at a moment, where the account may be valued by it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from market.history import PricePoint, prices_at, stale_among
from market.models import Source

from .. import ledger
from ..folding.events import Split
from ..models import SPLIT_KINDS, Activity, Position
from ..performance.equity import rescaled

NO_PRICE = "no_price"
SIMULATED_PRICE = "simulated_price"  # there is one, but it never marks real money
Place = tuple[int, str]  # an account and a ticker in it


@dataclass(frozen=True)
class Valuation:
    """A position at its mark. Without one, `reason` says why and the values are None.

    `is_live` says whether the feed's next price will be its next mark.
    """

    mark: Decimal | None = None
    mark_at: datetime | None = None
    mark_source: str | None = None
    mark_stale: bool | None = None
    reason: str | None = None
    market_value: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    is_live: bool = False


def value_all(
    positions: Iterable[Position], at: datetime, splits: Mapping[Place, Sequence[Split]] | None = None
) -> list[Position]:
    """The positions (their accounts loaded), each with its `valuation` at the moment `at`.

    Three queries at most, and three more where a mark is old, to know whether a newer one was due.

    `splits` are those of their books up to `at`; left out, they are read as the books stand.
    """
    positions = list(positions)
    points = prices_at({position.ticker for position in positions}, at, with_simulated=True)
    real = {position.ticker for position in positions if not may_mark(points.get(position.ticker), position)}
    stated = prices_at(real, at, with_simulated=False)
    if splits is None:
        splits = splits_of({position.account_id for position in positions}, points.values())
    marks = [(points if may_mark(points.get(one.ticker), one) else stated).get(one.ticker) for one in positions]
    stale = stale_among([(one.ticker, mark) for one, mark in zip(positions, marks, strict=True) if mark], at)
    for position, mark in zip(positions, marks, strict=True):
        if mark is None:
            reason = SIMULATED_PRICE if position.ticker in points else NO_PRICE
            position.valuation = unmarked(position, reason)
            continue
        carried = splits.get((position.account_id, position.ticker), ())
        position.valuation = worth(position, mark, carried, at, is_stale=(position.ticker, mark) in stale)
    return positions


def may_mark(point: PricePoint | None, position: Position) -> bool:
    return point is None or point.source != Source.SIMULATED or position.account.takes_simulated_marks


def splits_of(accounts: Iterable[int] | QuerySet, points: Iterable[PricePoint]) -> dict[Place, list[Split]]:
    """The splits in the books of `accounts` that one of these prices may have to be carried over."""
    oldest = min((point.at for point in points), default=None)
    if oldest is None:
        return {}
    rows = Activity.objects.current().filter(account__in=accounts, kind__in=SPLIT_KINDS, effective_at__gte=oldest)
    found: dict[Place, list[Split]] = {}
    for row in rows.in_order():
        found.setdefault((row.account_id, row.ticker), []).append(row.as_event())
    return found


def worth(position: Position, point: PricePoint, splits: Iterable[Split], at: datetime, *, is_stale: bool) -> Valuation:
    """`position` at a price, which splits since it was made are applied to."""
    mark = point.price
    for split in splits:
        if point.at <= split.at <= at:
            mark = rescaled(mark, split.old, split.new)
    market_value = ledger.multiply(position.quantity, mark)
    return Valuation(
        mark=mark,
        mark_at=point.at,
        mark_source=point.source,
        mark_stale=is_stale,
        market_value=market_value,
        unrealized_pnl=ledger.EXACT.subtract(market_value, position.cost_basis),
        is_live=position.account.takes_simulated_marks or point.source not in (Source.UPLOAD, Source.MANUAL),
    )


def unmarked(position: Position, reason: str) -> Valuation:
    """Without a mark: one that is flat is worth 0 all the same."""
    flat = ledger.ZERO if not position.quantity else None
    return Valuation(reason=reason, market_value=flat, unrealized_pnl=flat)
