"""The sessions of an exchange, by exchange-calendars: `python -m market.session_calendar XNYS 2025-01-01 2025-03-01`.

A program of its own: the package brings pandas along, which no process that serves pages or prices is to carry. The
answer is JSON: [day, opens, closes] of each session, times in UTC. A pause at noon counts as part of its session.
"""

import json
import sys
from datetime import date

import exchange_calendars


def sessions_of(calendar: str, first: date, last: date) -> list[list[str]]:
    """Raises ValueError for a calendar that is not known."""
    try:
        known = exchange_calendars.get_calendar(calendar, start=first.isoformat(), end=last.isoformat())
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise ValueError(f"{calendar} is no calendar that is known") from error
    return [[str(row.Index.date()), row.open.isoformat(), row.close.isoformat()] for row in known.schedule.itertuples()]


if __name__ == "__main__":
    try:
        print(json.dumps(sessions_of(sys.argv[1], *map(date.fromisoformat, sys.argv[2:]))))
    except ValueError as error:
        sys.exit(str(error))
