"""Reading positions and accounts: the rows with their marks, open lots and cash, for API and pages."""

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.http import Http404
from django.utils import timezone

from market.tickers import is_ticker
from tradeops.core.api import Conflict

from .cash import Cash, cash_by_account
from .models import Account, Lot, Position
from .valuation import value_all


def positions_seen(user, account_id: int | None):
    positions = Position.objects.visible_to(user).select_related("account")
    return positions if account_id is None else positions.filter(account_id=account_id)


def with_lots(positions: list[Position], most: int) -> list[Position]:
    """The positions, each with its mark and its oldest open lots; two queries."""
    value_all(positions, timezone.now())
    place = {"partition_by": [F("account_id"), F("instrument_id")]}
    rows = Lot.objects.filter(
        account__in={position.account_id for position in positions},
        instrument__in={position.ticker for position in positions},
    ).annotate(
        place=Window(RowNumber(), order_by=["opened_at", "opened_by"], **place),
        lot_count=Window(Count("id"), **place),
    )
    kept: dict[tuple, list[Lot]] = {}
    for lot in rows.filter(place__lte=most):
        kept.setdefault((lot.account_id, lot.instrument_id), []).append(lot)
    for position in positions:
        position.lots = kept.get((position.account_id, position.ticker), [])
        position.lot_count = position.lots[0].lot_count if position.lots else 0
    return positions


def one_position(user, ticker: str, account_id: int | None) -> Position:
    """The position meant by a ticker alone: the only one, or the one in the user's first account that has it."""
    if not is_ticker(ticker):
        raise Http404
    found = list(positions_seen(user, account_id).filter(instrument_id=ticker).order_by("account_id")[:100])
    if not found:
        raise Http404
    own = [position for position in found if position.account.owner_id == user.pk]
    if len(found) > 1 and not own:
        accounts = [position.account_id for position in found]
        detail = f"{len(found)} accounts hold {ticker}: name one with ?account=."
        raise Conflict(detail, "account_needed", accounts=accounts)
    return (own or found)[0]


def with_cash(accounts: list[Account]) -> list[Account]:
    """The accounts, each with its `cash`, and the `receivable` that is not yet part of it."""
    found = cash_by_account(accounts, timezone.now())
    for account in accounts:
        kept = found.get(account.pk, Cash())
        account.cash, account.receivable = kept.cash, kept.receivable
    return accounts
