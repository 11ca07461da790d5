"""Trades by the month they were executed in, on PostgreSQL (`manage.py partition_trades`): see tradeops/core/partitions.py.

What is once in the whole book is looked after by chain/uniqueness.py, and that nothing changes by chain/triggers.py,
on the parted table and on each month.
"""

from django.db import connection

from tradeops.core.partitions import Monthly

from .chain import triggers
from .models import Account, Trade

TRADES = Monthly(
    Trade._meta.db_table,
    moment="executed_at",
    locked_first=Account._meta.db_table,
    guard=lambda: triggers.install(connection),
    lift=lambda: triggers.remove(connection),
)
