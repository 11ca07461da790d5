"""What a user says of a file: the names of its columns, its times, its numbers. As plain values it travels in an
address, a form and the batch's row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from .moments import Clock
from .numerals import NumberFormat

POSITIVE, NEGATIVE = "positive", "negative"  # how costs are written
SKIP, IMPORT = "skip", "import"  # what becomes of a row whose equal the book holds
ALL, TRADES = "all", "trades"  # which rows are read


@dataclass(frozen=True)
class Reading:
    """How the cells of a file are to be read.

    has_negative_fees   costs are written below zero
    only_trades         rows that are neither a purchase nor a sale are left out
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)
    numbers: NumberFormat = NumberFormat.PLAIN
    has_negative_fees: bool = False
    only_trades: bool = False


def reading_of(options: Mapping) -> Reading:
    """The reading that checked options ask for."""
    zone = options.get("timezone")
    return Reading(
        columns=options.get("columns") or {},
        clock=Clock(options.get("date_format") or None, ZoneInfo(zone) if zone else None),
        numbers=NumberFormat(options.get("number_format") or NumberFormat.PLAIN),
        has_negative_fees=options.get("fees_sign") == NEGATIVE,
        only_trades=options.get("rows") == TRADES,
    )


def takes_equal(options: Mapping) -> bool:
    """Whether a row is booked even where the book holds its equal."""
    return options.get("duplicates") == IMPORT
