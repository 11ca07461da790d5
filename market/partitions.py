"""Bars by month, on PostgreSQL (`manage.py partition_bars`): see tradeops/core/partitions.py.

Their keys hold the moment they start, so that a month's table keeps them as one table of all does.
"""

from tradeops.core.partitions import Monthly

BARS = Monthly("market_bar", moment="start")
