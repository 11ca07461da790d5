"""Times as files write them: RFC 3339 or in a given form, with an offset or as the clock of a zone shows them.

A local time that a zone's clock shows twice, or never, is refused: nobody can tell which moment it was.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
# strptime's directives, each with what it may look like.
DIRECTIVES = {
    "Y": r"(?P<Y>[0-9]{4})",
    "y": r"(?P<y>[0-9]{2})",
    "m": r"(?P<m>[0-9]{1,2})",
    "d": r"(?P<d>[0-9]{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "B": r"(?P<B>[A-Za-z]{3,9})",
    "H": r"(?P<H>[0-9]{1,2})",
    "I": r"(?P<I>[0-9]{1,2})",
    "M": r"(?P<M>[0-9]{1,2})",
    "S": r"(?P<S>[0-9]{1,2})",
    "f": r"(?P<f>[0-9]{1,6})",
    "p": r"(?P<p>[AaPp][Mm])",
    "z": r"(?P<z>[Zz]|[+-][0-9]{2}:?[0-9]{2})",
}
LONGEST_FORM = 60
CLOCK = r"(?P<H>[0-9]{1,2}):(?P<M>[0-9]{2})(?::(?P<S>[0-9]{2})(?:\.(?P<f>[0-9]{1,6}))?)?"
OFFSET = DIRECTIVES["z"]
ISO = re.compile(rf"(?P<Y>[0-9]{{4}})-(?P<m>[0-9]{{2}})-(?P<d>[0-9]{{2}})(?:(?:[Tt ]|, ?){CLOCK}(?:{OFFSET})?)?")


class MomentError(ValueError):
    """A text that is no moment: `code` is invalid, naive, ambiguous_time or nonexistent_time."""

    def __init__(self, message: str, code: str = "invalid"):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Clock:
    """How a file writes times: its form (None: RFC 3339) and the zone of times that bear no offset (None: refused)."""

    form: str | None = None
    zone: ZoneInfo | None = None

    def read(self, text: str) -> datetime:
        """The moment, in UTC. Raises MomentError."""
        found = pattern_of(self.form).fullmatch(" ".join(text.split()))
        if found is None:
            wanted = f"A time written as {self.form}" if self.form else "A time such as 2025-01-15T14:30:00Z"
            raise MomentError(f"{wanted} is required.")
        try:
            moment = moment_of(found.groupdict())
            return localized(moment, self.zone) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError as error:
            raise MomentError("There is no such time.") from error


@lru_cache(maxsize=64)
def pattern_of(form: str | None) -> re.Pattern:
    """The pattern of a form in strptime's directives; without a time of day in it, one may follow.

    Raises ValueError for a directive that is not known, or stands twice, or where the day is missing.
    """
    if form is None:
        return ISO
    if len(form) > LONGEST_FORM:
        raise ValueError(f"A form has at most {LONGEST_FORM} characters.")
    parts = re.split(r"%(.)", " ".join(form.split()), flags=re.DOTALL)
    directives = parts[1::2]
    refuse_form(directives, parts)
    pattern = "".join(
        directive_at(parts, place) if place % 2 else re.escape(parts[place]) for place in range(len(parts))
    )
    has_clock = any(one in directives for one in "HI")
    return re.compile(pattern if has_clock else rf"{pattern}(?:[T ]{CLOCK}(?:{OFFSET})?)?")


def directive_at(parts: list[str], place: int) -> str:
    """A directive's pattern; where two stand side by side their digits are all there, or 2025111 were two days."""
    stands_apart = all(parts[beside] for beside in (place - 1, place + 1) if 0 < beside < len(parts) - 1)
    pattern = DIRECTIVES[parts[place]]
    return pattern if stands_apart else pattern.replace("{1,2}", "{2}")


def refuse_form(directives: list[str], parts: list[str]) -> None:
    known = ", ".join(f"%{one}" for one in DIRECTIVES)
    if any("%" in part for part in parts[0::2]) or not set(directives) <= DIRECTIVES.keys():
        raise ValueError(f"Only {known} are known.")
    if len(set(directives)) < len(directives):
        raise ValueError("A directive stands there twice.")
    for names, what in (("Yy", "a year"), ("mbB", "a month"), ("d", "a day")):
        if sum(one in directives for one in names) != 1:
            raise ValueError(f"It needs {what}, once: {' or '.join('%' + one for one in names)}.")
    if ("I" in directives) != ("p" in directives) or {"H", "I"} <= set(directives):
        raise ValueError("Hours are %H, or %I with %p.")


def moment_of(found: dict[str, str | None]) -> datetime:
    """The moment of the parts that a pattern found; naive where there is no offset."""
    smaller = (int(found.get("M") or 0), int(found.get("S") or 0), int((found.get("f") or "").ljust(6, "0")))
    try:
        moment = datetime(year_of(found), month_of(found), int(found["d"]), hour_of(found), *smaller)  # noqa: DTZ001
        return moment.replace(tzinfo=datetime.strptime(found["z"].upper(), "%z").tzinfo) if found.get("z") else moment
    except ValueError as error:
        raise MomentError("There is no such time.") from error


def year_of(found: dict[str, str | None]) -> int:
    if found.get("y"):  # as POSIX reads two digits
        return int(found["y"]) + (2000 if int(found["y"]) < 69 else 1900)
    return int(found["Y"])


def month_of(found: dict[str, str | None]) -> int:
    name = (found.get("b") or found.get("B") or "").casefold()
    if not name:
        return int(found["m"])
    full = datetime(2000, MONTHS.index(name[:3]) + 1, 1, tzinfo=UTC).strftime("%B").casefold()
    if name not in (name[:3], full):
        raise ValueError(name)
    return MONTHS.index(name[:3]) + 1


def hour_of(found: dict[str, str | None]) -> int:
    if not found.get("I"):
        return int(found.get("H") or 0)
    hour = int(found["I"])
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if found["p"].casefold() == "pm" else 0)


def localized(moment: datetime, zone: ZoneInfo | None) -> datetime:
    """The moment in UTC when the clock of `zone` shows `moment`. Raises MomentError."""
    if zone is None:
        raise MomentError("The time needs an offset, such as Z or +02:00, or the import a timezone.", "naive")
    first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    shown = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
    if shown == moment:
        gap: timedelta = first.utcoffset() - second.utcoffset()
        message = f"The clock of {zone.key} showed this time twice, {gap} apart."
        raise MomentError(message, "ambiguous_time")
    raise MomentError(f"The clock of {zone.key} never showed this time.", "nonexistent_time")
