"""Numbers as files write them, in the API's plain spelling: `$1,234.50` and `1.234,50` where the user says so."""

import re
from enum import StrEnum


class NumberFormat(StrEnum):
    """How a file writes numbers. Only PLAIN, the API's own, needs no saying: 1,234 could be 1234 or 1.234."""

    PLAIN = "plain"
    US = "us"
    EUROPEAN = "european"


CURRENCY = r"(?:[$€£¥]|(?:US|CA|AU)\$|USD|EUR|GBP|CHF|JPY|CAD|AUD)?\s?"
SIGNED = rf"(?P<open>\()?(?P<sign>[+-])?{CURRENCY}(?P<later>[+-])?(?P<number>NUMBER)\s?{CURRENCY}(?P<close>\))?"


def number_pattern(group: str, point: str) -> re.Pattern:
    number = rf"(?:[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+"
    return re.compile(SIGNED.replace("NUMBER", number), re.ASCII)


# The form's pattern, what parts its thousands, and its decimal point.
FORMS = {
    NumberFormat.US: (number_pattern(",", r"\."), ",", "."),
    NumberFormat.EUROPEAN: (number_pattern(r"[. ]", ","), r"[. ]", ","),
}


def plain_number(text: str, form: NumberFormat) -> str:
    """`text` as the API spells numbers; as it stands where it is none, for the API to refuse."""
    if form == NumberFormat.PLAIN:
        return text
    pattern, group, point = FORMS[form]
    found = pattern.fullmatch(text)
    if found is None or (found["open"] is None) != (found["close"] is None):
        return text
    signs = [sign for sign in (found["sign"], found["later"], found["open"] and "-") if sign]
    if len(signs) > 1:
        return text
    return "".join(signs) + re.sub(group, "", found["number"]).replace(point, ".")
