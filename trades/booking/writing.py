"""Writes versions of trades and activities, and what follows from them: what is derived, and the news of it."""

from collections.abc import Iterable
from decimal import Decimal

from market.models import Instrument
from tradeops.core.events.services import record_event, user_stream

from .. import ledger
from ..folding import refolding
from ..frames import position_frame, trade_frame
from ..models import CASH_KINDS, Account, Activity, ActivityKind, Position, Realization, Trade, Version
from . import acts
from .acts import Act
from .split_notes import note_splits, places_of

Step = tuple[Version | None, Version]  # the version that stands, if there is one, and the one that follows


def write(account: Account, steps: list[Step], is_moved: bool = True) -> list[Position]:
    """Inserts what follows, marks what stood superseded, refolds what that moves."""
    tickers = sorted({ticker for step in steps for ticker in moved_tickers(account, *step)}) if is_moved else []
    shorts = None if account.allows_short or not tickers else refolding.shorts_in(account, tickers)
    Instrument.objects.ensure(sorted({ticker for _, after in steps for ticker in after.tickers}))
    for before, after in steps:
        if before is not None:
            type(before).objects.filter(pk=before.pk).update(superseded_by=after.entry)
        after.save(force_insert=True)
    if any(isinstance(after, Activity) and after.kind == ActivityKind.METHOD_CHANGE for _, after in steps):
        keep_method(account)
    note_splits({place for step in steps for place in places_of(*step)})
    positions = refolding.refold(account, tickers, shorts) if tickers else []
    for _, after in steps:
        with_realized(after)
    return positions


def moved_tickers(account: Account, before: Version | None, after: Version) -> Iterable[str]:
    if isinstance(after, Activity):
        if after.kind in CASH_KINDS:
            return ()
        if after.kind == ActivityKind.METHOD_CHANGE:
            return Position.objects.filter(account=account).values_list("instrument_id", flat=True)
    return after.tickers | (before.tickers if before else set())


def keep_method(account: Account) -> None:
    """The account's method as its dated changes leave it."""
    changes = Activity.objects.current().filter(account=account, kind=ActivityKind.METHOD_CHANGE)
    last = changes.in_order().last()
    account.pnl_method = last.pnl_method if last else account.opening_method
    account.method_since = last.effective_at if last else None
    account.save(update_fields=["pnl_method", "method_since"])


def finish(row: Version, act: Act, positions: list[Position]) -> None:
    """Keeps the answer of a keyed request and tells the owner's open pages."""
    acts.keep_answer(row.entry, act, row)
    tell(row.account, [row], act, positions)


def tell(account: Account, rows: list[Version], act: Act, positions: list[Position]) -> None:
    """Owes the owner's open pages the news."""
    stream = user_stream(account.owner_id)
    for row in rows:
        if isinstance(row, Trade):
            record_event(stream, "trade", trade_frame(row, act.kind))
    for position in positions:
        record_event(stream, "position", position_frame(position))


def with_realized(row: Version) -> Version:
    """A trade with what it realized; an activity as it is."""
    if isinstance(row, Trade):
        row.realized_pnl = realized_by(row)
    return row


def realized_by(trade: Trade) -> Decimal:
    return Realization.objects.by_closing_trade([trade.trade_id]).get(trade.trade_id, ledger.ZERO)
