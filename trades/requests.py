"""What requests to the book bring, whatever they are about: a key, an account, the id of a trade or activity."""

import re

from django.http import Http404, HttpRequest
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from tradeops.core.users.roles import Action

from . import services
from .models import Account, Version

KEY = re.compile(r"[\x21-\x7e]{1,128}")
IDEMPOTENCY_KEY = OpenApiParameter("Idempotency-Key", OpenApiTypes.STR, OpenApiParameter.HEADER)


class BookView(GenericAPIView):
    """An address of the book."""

    writes = Action.BOOK


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not KEY.fullmatch(key):
        message = "A key is 1 to 128 printable ASCII characters without a space."
        raise ValidationError({"Idempotency-Key": [ErrorDetail(message, "invalid")]})
    return key


def account_of(request: Request, account_id: int | None) -> Account:
    """The account something is meant for; an unknown one and a stranger's are refused alike."""
    if account_id is None:
        return services.default_account(request.user)
    account = Account.objects.visible_to(request.user).filter(pk=account_id).first()
    if account is None:
        raise ValidationError({"account": [ErrorDetail("There is no such account.", "does_not_exist")]})
    return account


def latest_version(request: HttpRequest | Request, model: type[Version], identity: int) -> Version:
    """The last version of what the user may see, voided or not. Raises Http404."""
    rows = model.objects.latest_versions().visible_to(request.user).select_related("entry", "account__owner")
    row = rows.filter(**{model.IDENTITY: identity}).first()
    if row is None:
        raise Http404
    return row
