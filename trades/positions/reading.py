"""Reading positions and accounts: the rows with their marks, open lots and cash, for API and pages."""

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.http import Http404
from django.utils import timezone
from rest_framework.exceptions import ErrorDetail, ValidationError

from market.tickers import is_ticker
from tradeops.core.api import Conflict

from ..models import Account, Lot, Position
from ..versions.references import refer
from .past import Asked, happened, read_past
from .valuation import value_all


def positions_seen(user, account_id: int | None):
    positions = Position.objects.visible_to(user).select_related("account")
    return positions if account_id is None else positions.filter(account_id=account_id)


def positions_in(user, account_id: int | None, asked: Asked):
    """Those of the user's positions in which something had happened, as far as the view goes."""
    positions = positions_seen(user, account_id)
    return positions.filter(event_count__gt=0) if asked.is_plain else happened(positions, asked)


def account_of_entry(user, account_id: int | None) -> int:
    """The one account whose entries are numbered. Raises ValidationError where it is not named, or not there."""
    accounts = Account.objects.visible_to(user)
    found = list((accounts if account_id is None else accounts.filter(pk=account_id)).values_list("pk", flat=True)[:2])
    if len(found) == 1:
        return found[0]
    if account_id is None:
        error = ErrorDetail("Entries are numbered by account: name one.", "required")
    else:
        error = ErrorDetail("There is no such account.", "does_not_exist")
    raise ValidationError({"account": [error]})


def read_positions(positions: list[Position], asked: Asked, most_lots: int) -> list[Position]:
    """The positions as they are asked for, each with its mark and its oldest open lots, and what opened them."""
    shown = with_lots(positions, most_lots) if asked.is_plain else read_past(positions, asked, most_lots)
    refer([lot for position in shown for lot in position.lots], opener="opened_by")
    return shown


def with_lots(positions: list[Position], most: int) -> list[Position]:
    """The positions as they stand, each with its mark and its oldest open lots."""
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
        position.method, position.as_of = position.account.method, None
        position.known_entry = position.account.last_number
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
