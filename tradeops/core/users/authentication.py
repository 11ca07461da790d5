"""How a request to the API signs in: bearer token, demo mode, session; and what its token allows."""

from rest_framework import authentication, exceptions, permissions

from .models import Scope
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


class HasScope(permissions.BasePermission):
    """A token of scope `read` only reads; sessions and the demo have no such bound."""

    message = "This token's scope does not allow that."

    def has_permission(self, request, view) -> bool:
        if request.auth is None:
            return True
        needed = Scope.READ if request.method in permissions.SAFE_METHODS else Scope.TRADE
        return request.auth.allows(needed)
