"""Demo mode: who a request without credentials from this machine acts as.

Only `manage.py up --demo` turns it on, on a loopback address. The browser's own headers
tell whether another site sent the request; then it stays nobody's.
"""

import ipaddress

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.utils.decorators import sync_and_async_middleware

from .models import Role, User

DEMO_TRADER = ("trader", "demo-trader", Role.TRADER)
DEMO_BACK_OFFICE = ("backoffice", "demo-backoffice", Role.BACK_OFFICE)
DEMO_LOGINS = (DEMO_TRADER, DEMO_BACK_OFFICE)
NOBODYS = "/health"  # must be answered while the database, which knows who asks, is away
PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip")


def load_demo() -> User:
    """Makes the demo users, once, and returns the demo trader."""
    for username, password, role in DEMO_LOGINS:
        user, made = User.objects.get_or_create(username=username, defaults={"role": role, "is_demo": True})
        if made:
            user.set_password(password)
            user.save()
    return demo_trader()


def demo_trader() -> User | None:
    return User.objects.filter(username=DEMO_TRADER[0], is_demo=True, is_active=True).first()


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_sent_from_here(address: str, headers) -> bool:
    """Whether this machine sent a request, and no proxy or tunnel on it says that it only passes it on."""
    return is_loopback(address) and not any(name in headers for name in PASSED_ON)


def is_own_site(headers, own_origins: set[str]) -> bool:
    """Whether a request was sent by this site or by no site at all (a program, an address typed in)."""
    if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("Origin")
    return origin is None or origin in own_origins


def may_act_as_demo(request) -> bool:
    headers = request.headers
    if request.path_info.startswith(NOBODYS):
        return False
    if not is_sent_from_here(request.META.get("REMOTE_ADDR", ""), headers) or "Authorization" in headers:
        return False
    return is_own_site(headers, {f"{request.scheme}://{request.get_host()}"})


def sign_in_demo(request) -> None:
    if may_act_as_demo(request) and not request.user.is_authenticated:
        trader = demo_trader()
        if trader is not None:
            request.user = trader
            request.acts_as_demo = True


@sync_and_async_middleware
def demo_middleware(get_response):
    def middleware(request):
        if settings.TRADEOPS_DEMO:
            sign_in_demo(request)
        return get_response(request)

    async def async_middleware(request):
        if settings.TRADEOPS_DEMO:
            await sync_to_async(sign_in_demo)(request)
        return await get_response(request)

    return async_middleware if iscoroutinefunction(get_response) else middleware
