"""Trades by the month of their execution, on PostgreSQL (`manage.py partition_trades`).

See tradeops/core/partitions.py. What is to be once in the whole book is looked after by chain/months.py, and that
nothing is changed or removed by chain/triggers.py, in each month as in the parted table.
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
)
