"""How decimals are written: one spelling, everywhere."""

from decimal import Decimal


def plain(value: Decimal) -> str:
    """A decimal as people write it: no exponent, no zeros at the end. `Decimal("150.250")` is `"150.25"`."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
