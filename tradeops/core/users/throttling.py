"""The API's rate limit: by token, else by user; without credentials, by address."""

from rest_framework.throttling import BaseThrottle

from . import limits


class ApiThrottle(BaseThrottle):
    """429 with Retry-After over the limit; the middleware tells in headers what is left."""

    def allow_request(self, request, view) -> bool:
        inner = request._request
        if not hasattr(inner, "allowance"):  # else a short way to the same view has counted it
            inner.allowance = limits.spend(self.who(request), limits.REQUESTS_A_WINDOW)
        self.allowance = inner.allowance
        return self.allowance is None or not self.allowance.is_spent

    def who(self, request) -> str:
        if request.auth is not None:
            return name_of_token(request.auth)
        return f"user:{request.user.pk}" if request.user.is_authenticated else f"address:{self.get_ident(request)}"

    def wait(self) -> int:
        return self.allowance.reset_seconds


def name_of_token(token) -> str:
    """Under what name a token's requests are counted."""
    return f"token:{token.pk}"
