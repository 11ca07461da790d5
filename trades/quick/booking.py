"""The short way to book a trade (see signing.py)."""

from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from tradeops.core.strict_json import parse_json, write_json
from tradeops.core.users.roles import Action

from .. import services
from ..booking import writing
from ..booking.checks import check_read_trade
from ..booking.orders import Order
from ..models import Account, Trade
from ..requests import KEY, account_of
from ..serializers import TradeRequestSerializer, TradeSerializer, field_values
from ..versions.api import in_order
from .signing import JSON, REFUSALS, ShortAnswer, SignedRequest, answer, sign_in
from .written import written_trade

METHODS = "GET, POST, HEAD, OPTIONS"
# One for all requests: they keep nothing of what they read.
FIELDS = TradeRequestSerializer().fields
UNSAID = {field.attname: field.get_default() for field in Trade._meta.concrete_fields}
REQUIRED = {name for name, field in FIELDS.items() if field.required}


def book_quickly(request: HttpRequest) -> ShortAnswer | None:
    """The answer to a plain booking; None for all else."""
    asked = read_booking(request)
    if asked is None:
        return None
    try:
        return booked(services.book_trade(**asked))
    except REFUSALS:
        return None


def order_of(request: HttpRequest) -> Order | None:
    """What a plain booking orders, to be booked with others (booking/orders.py); None for all else."""
    asked = read_booking(request)
    if asked is None:
        return None
    try:
        return services.order_for(**asked, rules=check_read_trade)
    except REFUSALS:
        return None


def read_booking(request: HttpRequest) -> dict | None:
    """What a plain booking says to the service."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    is_plain = request.method == "POST" and request.content_type == JSON and not request.META.get("QUERY_STRING")
    if not is_plain or (key is not None and not KEY.fullmatch(key)):
        return None
    signed = sign_in(request, Action.BOOK)
    if signed is None or not signed.is_within_limit():
        return None
    try:
        said = said_in(parse_json(request.body))
        trade = trade_of(account_for(signed, said.get("account")), field_values(said))
    except REFUSALS:
        return None
    return {"trade": trade, "actor": signed.user, "idempotency_key": key, "describe": written_trade}


def said_in(body) -> dict:
    """What TradeRequestSerializer reads in a body, by its own fields; it looks only at those that are there.

    Raises ValidationError for what the serializer would refuse.
    """
    if not isinstance(body, dict) or not REQUIRED <= body.keys() <= FIELDS.keys():
        raise ValidationError("This is no plain booking.")
    return {name: FIELDS[name].run_validation(value) for name, value in body.items()}


def trade_of(account: Account, values: dict) -> Trade:
    """An unsaved trade, made by position as rows that are read are: by name it costs three times as much."""
    trade = Trade(*[values.get(name, default) for name, default in UNSAID.items()])
    trade.account = account
    return trade


def account_for(signed: SignedRequest, account_id: int | None) -> Account:
    return signed.remembered(("account", account_id), lambda: account_of(signed, account_id))


def with_realized(trade: Trade) -> Trade:
    """The trade with what it realized, which is known of one that was booked in its turn."""
    return trade if trade.realized_pnl is not None else writing.with_realized(trade)


def booked(booking: services.Booking) -> ShortAnswer:
    headers = {"ETag": f'"{booking.row.version}"'}
    body = booking.answer or written_trade(with_realized(booking.row))
    if booking.is_replay:
        headers["Idempotent_Replayed"] = "true"
        body = in_order(body, TradeSerializer)
    return answer(write_json(body), METHODS, 201, **headers)
