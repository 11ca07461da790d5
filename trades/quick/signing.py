"""What the short ways share: plain JSON asked for with a bearer token, as programs do by the thousand.

A short way asks all that its view asks, by the same checks and the same limits, and gives the same answer to
the byte; it only makes none of what a browser or a form would need. It never refuses: what is not sound, or
out of the ordinary, is left to the view, which says why.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException

from tradeops.core.users import limits
from tradeops.core.users.models import ApiToken, User
from tradeops.core.users.roles import Action
from tradeops.core.users.throttling import name_of_token
from tradeops.core.users.tokens import authenticate_token

REFUSALS = (APIException, DjangoValidationError, PermissionDenied)
JSON = "application/json"
VARY = "Accept"


@dataclass(slots=True)
class ShortAnswer:
    """An answer, and no more of it than is sent: Django's own look at each header costs as much as a page."""

    status: int
    headers: dict[str, str]
    body: bytes

    def as_response(self) -> HttpResponse:
        return HttpResponse(self.body, status=self.status, headers=self.headers)


# What was asked of the database, answered when it is called; None for what is left to the view after all.
Answer = Callable[[], ShortAnswer | None]


@dataclass
class SignedRequest:
    """A request with who sent it, under the names that DRF's has."""

    request: HttpRequest
    user: User
    auth: ApiToken

    @property
    def query_params(self):
        return self.request.GET

    @property
    def path(self) -> str:
        """The address with its slash, as middleware settles that of a list."""
        return self.request.path.removesuffix("/") + "/"

    def is_within_limit(self) -> bool:
        """Counts it against the limit of its token, as the view does: after what it refuses uncounted."""
        allowance = limits.spend(name_of_token(self.auth), limits.REQUESTS_A_WINDOW)
        self.request.allowance = allowance
        return allowance is None or not allowance.is_spent

    def build_absolute_uri(self, address: str) -> str:
        return self.request.build_absolute_uri(address)

    def remembered(self, name: Any, make):
        """`make()`, kept for as long as the sign-in is the same, and a minute at most (users/signed_in.py).

        So it must be a thing that the book itself looks at again, such as which account is meant.
        """
        memory = self.auth.__dict__.setdefault("remembered", {})
        if name not in memory:
            memory[name] = make()
        return memory[name]


def leave_to_view(request: HttpRequest, failure: Exception | None = None) -> None:
    """Notes that a short way was tried, and what befell it: the view does not try it again."""
    request.short_way_left = True
    request.short_way_failure = failure


def was_left(request: HttpRequest) -> bool:
    """Whether a short way was tried before. Raises what befell it."""
    if failure := getattr(request, "short_way_failure", None):
        raise failure
    return hasattr(request, "short_way_left")


def sign_in_to_read(request: HttpRequest) -> SignedRequest | None:
    """Who asks for what PostgreSQL alone writes by itself; None where the view must look at it."""
    if request.method != "GET" or connection.vendor != "postgresql":
        return None
    return sign_in(request, Action.READ)


def sign_in(request: HttpRequest, action: Action) -> SignedRequest | None:
    """Who asks, with the right to; None where the view must look at it."""
    meta = request.META
    header = meta.get("HTTP_AUTHORIZATION", "")
    if not header.startswith("Bearer ") or meta.get("HTTP_ACCEPT", JSON) not in (JSON, "*/*"):
        return None
    found = authenticate_token(header.removeprefix("Bearer ").strip())
    if found is None:
        return None
    user, token = found
    return SignedRequest(request, user, token) if user.may(action) else None


def answer(body: bytes, allow: str, status: int = 200, **headers: str) -> ShortAnswer:
    """The answer with the headers that DRF gives one. `allow` names the view's methods."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return ShortAnswer(status, {"Content-Type": JSON, "Vary": VARY, "Allow": allow, **given}, body)


def answered(asked: Answer | None) -> ShortAnswer | None:
    return asked and asked()
