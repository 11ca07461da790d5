"""What a ticker is: the key of an instrument, in a trade, a price file and an address alike."""

import re

TICKER_CHARACTERS = 16
# \A and \Z mean the same to Python and to PostgreSQL; `$` would let a line end through.
TICKER_PATTERN = r"\A[A-Z0-9][A-Z0-9.-]{0,15}\Z"
TICKER = re.compile(TICKER_PATTERN)


def is_ticker(text: str) -> bool:
    """Whether `text` is 1 to 16 of A-Z, digits, "." and "-", the first a letter or digit."""
    return TICKER.match(text) is not None
