"""How a request to the API signs in: bearer token, demo mode, session; and what its token allows."""

from rest_framework import authentication, exceptions, permissions

from .roles import Action, refusal_of
from .tokens import authenticate_token


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer TOKEN`."""

    def authenticate(self, request):
        scheme, _, raw = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer":
            raise exceptions.AuthenticationFailed("Sign in with Authorization: Bearer TOKEN.")
        found = authenticate_token(raw.strip())
        if found is None:
            raise exceptions.AuthenticationFailed("The token is unknown, expired or revoked.")
        return found

    def authenticate_header(self, request) -> str:
        return "Bearer"


class DemoAuthentication(authentication.BaseAuthentication):
    """The demo trader, for a request that demo_middleware found to come from this machine."""

    def authenticate(self, request):
        inner = request._request
        return (inner.user, None) if getattr(inner, "acts_as_demo", False) else None


class MayDo(permissions.BasePermission):
    """Role and token allow what a request does: it reads or, by another method, does what the view `writes`.

    A view that does not say what it writes books.
    """

    def has_permission(self, request, view) -> bool:
        action = Action.READ
        if request.method not in permissions.SAFE_METHODS:
            if not hasattr(view, request.method.lower()):
                return True  # 405 is the answer to that
            action = getattr(view, "writes", Action.BOOK)
        self.message = refusal_of(request.user, action)
        return request.user.may(action)
