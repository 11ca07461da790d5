"""How a file writes its times, numbers and costs, told from its first rows; only where there is one way to read them.

01/02/2025 may be two days and 1,234 two numbers: of those nothing is said, and the user has to.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

from .moments import Clock, MomentError
from .numerals import NumberFormat, plain_number
from .reading import NEGATIVE

# The forms offered and tried, each with what it looks like. "" is RFC 3339.
DATE_FORMS = {
    "": "2025-01-31 14:30:00",
    "%m/%d/%Y": "01/31/2025 14:30:00",
    "%m/%d/%Y %I:%M:%S %p": "01/31/2025 02:30:00 PM",
    "%m/%d/%Y %I:%M %p": "01/31/2025 02:30 PM",
    "%m/%d/%y": "01/31/25 14:30:00",
    "%d/%m/%Y": "31/01/2025 14:30:00",
    "%d.%m.%Y": "31.01.2025 14:30:00",
    "%d.%m.%y": "31.01.25 14:30:00",
    "%d-%m-%Y": "31-01-2025 14:30:00",
    "%Y/%m/%d": "2025/01/31 14:30:00",
    "%Y%m%d": "20250131 14:30:00",
    "%Y%m%d;%H%M%S": "20250131;143000",
    "%d %b %Y": "31 Jan 2025 14:30:00",
    "%b %d, %Y": "Jan 31, 2025 14:30:00",
}
NUMBERS = ("quantity", "price", "fees", "amount")
PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", re.ASCII)
ANY_ZONE = ZoneInfo("UTC")


def recognized(cells: Mapping[str, Iterable[str]], options: Mapping[str, object]) -> dict[str, str]:
    """What `cells`, by field, say of date_format, number_format and fees_sign where `options` say nothing."""
    filled = {field: [text.strip() for text in texts if text.strip()] for field, texts in cells.items()}
    found = {}
    times = filled.get("executed_at") or filled.get("date") or []
    if not options.get("date_format") and (form := only_one(DATE_FORMS, times, is_time)):
        found["date_format"] = form
    numbers = [text for field in NUMBERS for text in filled.get(field, [])]
    if not options.get("number_format") and (form := only_one(NumberFormat, numbers, is_number)):
        found["number_format"] = form
    if not options.get("fees_sign") and are_below_zero(filled.get("fees", [])):
        found["fees_sign"] = NEGATIVE
    return found


def only_one(forms: Iterable[str], texts: list[str], reads: Callable[[str, str], bool]) -> str | None:
    """The form that reads all of `texts`, where it is the only one, and not the first, which needs no saying."""
    first, *others = forms
    if not texts or all(reads(text, first) for text in texts):
        return None
    fitting = [form for form in others if all(reads(text, form) for text in texts)]
    return fitting[0] if len(fitting) == 1 else None


def is_time(text: str, form: str) -> bool:
    try:
        Clock(form or None, ANY_ZONE).read(text)
    except MomentError:
        return False
    return True


def is_number(text: str, form: str) -> bool:
    return PLAIN.fullmatch(plain_number(text, NumberFormat(form))) is not None


def are_below_zero(fees: list[str]) -> bool:
    """Whether every cost is written below zero, and there is one."""
    costs = [text for text in fees if text.strip("-+$€£0., ")]
    return bool(costs) and all("-" in text or text.startswith("(") for text in costs)
