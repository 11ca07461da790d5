"""What templates need to write numbers and times the same way everywhere.

The browser writes the same forms from static/js/format.js; change both together.
A value that is missing is an en dash, never an empty cell or a zero.
"""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from django import template
from django.db import DatabaseError
from django.utils import timezone
from django.utils.html import format_html

from tradeops.core.jobs.models import Heartbeat
from tradeops.core.users.roles import Action
from trades.models import Proposal

register = template.Library()

MISSING = "–"
SIZES = ((9, "G"), (6, "M"), (3, "k"), (0, ""))  # powers of ten and what they are called
THEMES = ("system", "light", "dark")


def _number(value) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _with_true_minus(text: str) -> str:
    """`text` with U+2212, which is as wide as a digit and lines up with the plus sign."""
    return text.replace("-", "−")


def _grouped(number: Decimal, places: int) -> str:
    text = f"{number:,.{places}f}"
    return text.lstrip("-") if not any(digit in text for digit in "123456789") else text


@register.filter
def figure(value, places: int = 2) -> str:
    """1234.5 → "1,234.50"; rounded for reading, never for booking."""
    number = _number(value)
    return MISSING if number is None else _with_true_minus(_grouped(number, places))


@register.filter
def signed(value, places: int = 2) -> str:
    """A gain or a loss: "+1,234.50", "−3.10", "0.00"."""
    number = _number(value)
    if number is None:
        return MISSING
    text = _grouped(number, places)
    is_gain = number > 0 and any(digit in text for digit in "123456789")
    return f"+{text}" if is_gain else _with_true_minus(text)


@register.filter
def exact(value, places: int = 0) -> str:
    """Every booked digit, and at least `places` decimals: prices `|exact:2`, quantities `|exact`."""
    number = _number(value)
    if number is None:
        return MISSING
    booked = len(f"{number:f}".partition(".")[2].rstrip("0"))
    return _with_true_minus(_grouped(number, max(places, booked)))


@register.filter
def percentage(fraction) -> Decimal | None:
    """0.045 → 4.5, for a column whose head says percent."""
    number = _number(fraction)
    return None if number is None else number * 100


@register.filter
def compact(value) -> str:
    """A gain or a loss where there is little room, to three digits: "+1.23k", "−45.6", "+12.3M"."""
    number = _number(value)
    if number is None:
        return MISSING
    power, unit = next((size for size in SIZES if abs(number) >= Decimal("0.9995").scaleb(size[0])), SIZES[-1])
    scaled = number.scaleb(-power)
    places = 2 if abs(scaled) < Decimal("9.995") else 1 if abs(scaled) < Decimal("99.95") else 0
    return f"{signed(scaled, places)}{unit}"


@register.filter
def signed_exact(value, places: int = 2) -> str:
    """A gain or a loss with every digit, as `exact` writes it: "+0.125"."""
    number = _number(value)
    return f"+{exact(value, places)}" if number is not None and number > 0 else exact(value, places)


@register.filter
def plain(value) -> str:
    """A number for a data attribute: "1234.5", no grouping, no exponent; empty when missing."""
    number = _number(value)
    return "" if number is None else f"{number:f}"


@register.filter
def sparkline(prices: str) -> str:
    """The points of a polyline in a box of 100 by 20 from "150.1 150.2 …", oldest first."""
    values = [float(price) for price in str(prices or "").split()]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    height = (high - low) or 1.0
    step = 100 / (len(values) - 1)
    return " ".join(f"{place * step:.1f},{19 - 18 * (value - low) / height:.1f}" for place, value in enumerate(values))


@register.filter
def tone(value, places: int = 2) -> str:
    """The class for a signed number as it is written with so many `places`: "gain", "loss" or none. The sign itself is
    always written too: what reads as 0.00 has neither.
    """
    return {"+": "gain", "−": "loss"}.get(signed(value, places)[0], "")


def _written(value: datetime, pattern: str) -> str:
    try:
        local = timezone.localtime(value)
    except OverflowError:  # the first and the last day of the calendar have no local time in every zone
        local = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        value.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime(pattern),
    )


@register.filter
def moment(value) -> str:
    """A time in the user's zone with the zone named; UTC on hover."""
    return _written(value, "%Y-%m-%d %H:%M:%S %Z") if isinstance(value, datetime) else MISSING


@register.filter
def day_time(value) -> str:
    """Day and minute, for columns whose head names the zone."""
    return _written(value, "%Y-%m-%d %H:%M") if isinstance(value, datetime) else MISSING


@register.filter
def clock(value) -> str:
    """The time of day alone, for columns whose head names the zone."""
    return _written(value, "%H:%M:%S") if isinstance(value, datetime) else MISSING


@register.filter
def since(value) -> str:
    """The time of day, and the day too where that is not today: for what happened a moment ago, or long before."""
    if not isinstance(value, datetime):
        return MISSING
    is_today = timezone.localtime(value).date() == timezone.localdate()
    return clock(value) if is_today else day_time(value)


UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


@register.filter
def duration(seconds) -> str:
    """How long something took, by its two largest units: "3 d 4 h", "12 min"."""
    left, parts = int(seconds), []
    for name, length in UNITS:
        count, left = divmod(left, length)
        if count or parts:
            parts.append(f"{count} {name}" if count else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"


@register.filter
def day(value) -> str:
    """A calendar day, as 2025-01-15."""
    return value.strftime("%Y-%m-%d") if isinstance(value, date) else MISSING


@register.simple_tag
def zone_name() -> str:
    """The name of the zone the page's times are written in."""
    return timezone.get_current_timezone_name()


@register.simple_tag(takes_context=True)
def current_theme(context) -> str:
    """The theme chosen by the user, or by this browser when nobody is signed in."""
    request, user = context.get("request"), context.get("user")
    if user is not None and user.is_authenticated:
        chosen = user.theme
    else:
        chosen = request.COOKIES.get("theme", "") if request else ""
    return chosen if chosen in THEMES else "system"


@register.simple_tag(takes_context=True)
def waiting_approvals(context) -> int:
    """How many proposals wait for the user to decide; 0 where the database is away: error pages have a shell too."""
    user = context.get("user")
    if user is None or not user.is_authenticated or not user.may(Action.APPROVE):
        return 0
    try:
        return Proposal.objects.decidable_by(user).count()
    except DatabaseError:
        return 0


@register.simple_tag
def worker_is_silent() -> bool:
    """Whether nobody has looked for owed jobs of late: a page that waits for one says so."""
    return not Heartbeat.objects.alive("worker").exists()


@register.simple_tag(takes_context=True)
def nav_link(context, path: str, name: str, *also: str) -> str:
    """A link of the shell's navigation, marked when the page shown is it or lies under it, or under one of `also`."""
    request = context.get("request")
    here = request.path if request else ""
    is_current = here == path or (path != "/desk/" and here.startswith((path, *also)))
    if is_current:
        return format_html('<a href="{}" aria-current="page">{}</a>', path, name)
    return format_html('<a href="{}">{}</a>', path, name)
