"""The demo's lake: the latest days of the demo book are owed at the start, so that Reports has something to show."""

import datetime as dt

from analytics.models import LakeFile
from analytics.services import request_export
from trades.models import Trade

DAYS = 5


def load_demo(trader) -> None:
    """Owe the export of the demo trader's latest days that are not in the lake."""
    mine = Trade.objects.current().filter(account__owner=trader)
    moments = mine.order_by("-executed_at").values_list("executed_at", flat=True)[:500]
    days = sorted({moment.astimezone(dt.UTC).date() for moment in moments}, reverse=True)[:DAYS]
    there = set(LakeFile.objects.filter(day__in=days).values_list("day", flat=True))
    for day in reversed(days):
        if day not in there:
            request_export(day, trader)
