"""The trades by month, before they are too many for one table."""

from tradeops.core.partitions import MonthlyCommand
from trades.partitions import TRADES


class Command(MonthlyCommand):
    help = (
        "Parts the table of trades by month, on PostgreSQL, as the owner of the tables; run again it adds months. "
        "Nothing is booked meanwhile: bookings are answered with 503 and Retry-After, and corrections and imports "
        "wait. Pages read on, and wait a moment at the end; where months are added, as long as their trades take to "
        "move out of the rest."
    )
    monthly = TRADES
