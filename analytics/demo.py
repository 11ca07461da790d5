"""The demo's lake: the latest days of the demo book are owed at the start, so that Reports has something to show.

Those before them follow one after the other while somebody looks around, which slows neither the start nor a page.
"""

import datetime as dt

from analytics.models import EXPORT, LakeFile
from analytics.services import request_export
from tradeops.core.jobs.clock import clock
from tradeops.core.jobs.services import owe
from trades.models import Trade

DAYS = 5
OLDER_AFTER, EVERY = dt.timedelta(seconds=30), dt.timedelta(seconds=3)


def load_demo(trader) -> None:
    """Owe the export of the demo trader's days that are not in the lake, the latest at once."""
    mine = Trade.objects.current().filter(account__owner=trader)
    moments = mine.order_by("-executed_at").values_list("executed_at", flat=True)[:500]
    days = sorted({moment.astimezone(dt.UTC).date() for moment in moments}, reverse=True)
    there = set(LakeFile.objects.filter(day__in=days).values_list("day", flat=True))
    for day in reversed(days[:DAYS]):
        if day not in there:
            request_export(day, trader)
    begin = clock.now() + OLDER_AFTER
    for place, day in enumerate(day for day in days[DAYS:] if day not in there):
        owe(EXPORT, day.isoformat(), due_at=begin + place * EVERY)
