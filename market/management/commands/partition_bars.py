"""The bars by month, before they are too many for one table."""

from market.partitions import BARS
from tradeops.core.partitions import MonthlyCommand


class Command(MonthlyCommand):
    help = (
        "Parts the table of bars by month, on PostgreSQL, as the owner of the tables; run again it adds months. Stop "
        "the feed first: no bar is written meanwhile, 5 seconds for a million (measured). Pages read them on, and wait "
        "a moment at the end; where months are added, as long as their bars take to move out of the rest."
    )
    monthly = BARS
