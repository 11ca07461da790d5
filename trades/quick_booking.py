"""The short way to book a trade: what programs send by the thousand, plain JSON with a bearer token.

It asks all that the view asks, by the same serializer, the same services and the same limits, and gives
the same answer to the byte; it only makes none of what a browser or a form would need. It never refuses:
what is not sound, or out of the ordinary, is left to the view, which says why.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException

from tradeops.core.strict_json import parse_json, write_json
from tradeops.core.users import limits
from tradeops.core.users.models import ApiToken, User
from tradeops.core.users.roles import Action
from tradeops.core.users.throttling import name_of_token
from tradeops.core.users.tokens import authenticate_token

from . import services, writing
from .models import Account, Trade
from .serializers import TradeRequestSerializer, TradeSerializer, field_values
from .version_api import KEY, account_of, in_order
from .written import written_trade

REFUSALS = (APIException, DjangoValidationError, PermissionDenied)
JSON = "application/json"
HEADERS = {"Vary": "Accept", "Allow": "GET, POST, HEAD, OPTIONS"}
# One for all requests: it keeps nothing of what it reads.
READER = TradeRequestSerializer()


@dataclass
class SignedRequest:
    """What `account_of` asks of a request."""

    user: User
    auth: ApiToken


def book_quickly(request: HttpRequest) -> HttpResponse | None:
    """The answer to a plain booking; None for all else."""
    signed = signed_in(request) if is_plain(request) else None
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if signed is None or (key is not None and not KEY.fullmatch(key)):
        return None
    request.allowance = limits.spend(name_of_token(signed.auth), limits.REQUESTS_A_WINDOW)
    if request.allowance is not None and request.allowance.is_spent:
        return None
    try:
        said = READER.run_validation(parse_json(request.body))
        values = {"fees": Decimal(0), "executed_at": None} | field_values(said)
        trade = Trade(account=account_for(signed, said.get("account")), **values)
        booking = services.book_trade(trade, actor=signed.user, idempotency_key=key, describe=written_trade)
    except REFUSALS:
        return None
    return answer(booking)


def is_plain(request: HttpRequest) -> bool:
    """Whether a program asks, and for nothing but a booking."""
    meta = request.META
    return (
        request.method == "POST"
        and not meta.get("QUERY_STRING")
        and request.content_type == JSON
        and meta.get("HTTP_ACCEPT", JSON) in (JSON, "*/*")
        and meta.get("HTTP_AUTHORIZATION", "").startswith("Bearer ")
    )


def signed_in(request: HttpRequest) -> SignedRequest | None:
    """Who asks, where their token lets them book."""
    found = authenticate_token(request.META["HTTP_AUTHORIZATION"].removeprefix("Bearer ").strip())
    if found is None:
        return None
    user, token = found
    return SignedRequest(user, token) if user.may(Action.BOOK) else None


def account_for(signed: SignedRequest, account_id: int | None) -> Account:
    """The account meant, remembered with the sign-in, which is a second old at most (users/signed_in.py)."""
    remembered = signed.auth.__dict__.setdefault("accounts_booked_on", {})
    if account_id not in remembered:
        remembered[account_id] = account_of(signed, account_id)
    return remembered[account_id]


def answer(booking: services.Booking) -> HttpResponse:
    headers = HEADERS | {"ETag": f'"{booking.row.version}"'}
    if booking.is_replay:
        headers["Idempotent-Replayed"] = "true"
    body = booking.answer or written_trade(writing.with_realized(booking.row))
    if booking.is_replay:
        body = in_order(body, TradeSerializer)
    return HttpResponse(write_json(body), status=201, content_type=JSON, headers=headers)
