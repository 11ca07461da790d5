"""Whether an instrument is traded now: its exchange's session, and its halt. Read from rows; written by staff and feed.

An instrument without a calendar is traded round the clock.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from tradeops.core.jobs.models import Job, State
from tradeops.core.jobs.services import owe
from tradeops.core.refusals import refused
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from .models import Halt, Instrument, Source, TradingSession

SESSIONS_JOB = "sessions"
LOOKED_AROUND = timedelta(days=10)  # longer than any holidays
KNOWN_BEFORE, KNOWN_AHEAD, LEAST_AHEAD = timedelta(days=30), timedelta(days=90), timedelta(days=30)
TRY_AGAIN_AFTER = timedelta(hours=1)
CALENDAR_SECONDS = 120
LONG_AGO = datetime.min.replace(tzinfo=UTC)
OPEN, CLOSED, HALTED, UNKNOWN, ROUND_THE_CLOCK = "open", "closed", "halted", "unknown", "round_the_clock"


@dataclass(frozen=True, slots=True)
class Hours:
    """A calendar now: open or closed, since when and until when; unknown where no session is stored."""

    status: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Standing:
    """How things stand at a moment, of calendars and of halted instruments."""

    hours: dict[str, Hours] = field(default_factory=dict)
    halts: dict[str, Halt] = field(default_factory=dict)

    def status_of(self, instrument: Instrument) -> str:
        if instrument.ticker in self.halts:
            return HALTED
        return self.hours_of(instrument).status if instrument.calendar else ROUND_THE_CLOCK

    def hours_of(self, instrument: Instrument) -> Hours:
        return self.hours.get(instrument.calendar, Hours(UNKNOWN))

    def due_until(self, instrument: Instrument, source: str, at: datetime) -> datetime:
        """Until when prices of `source` were due: before `at`, how things stand here, where it is shut or halted."""
        hours, halt = self.hours_of(instrument), self.halts.get(instrument.ticker)
        ends = [at] if halt is None else [at, halt.began_at]
        if hours.status == CLOSED and source != Source.SIMULATED:
            ends.append(hours.since or LONG_AGO)
        return min(ends)

    def quiet(self, calendars: Mapping[str, str], source: str) -> list[str]:
        """Of the tickers in `calendars`, those of which no price of `source` is due: halted, or out of their session.

        The simulated market knows no sessions, and a tape nothing of today.
        """
        if source == Source.REPLAY:
            return []
        shut = {name for name, hours in self.hours.items() if hours.status == CLOSED and source != Source.SIMULATED}
        return [ticker for ticker, calendar in calendars.items() if ticker in self.halts or calendar in shut]


def standing_at(now: datetime, instruments: Iterable[Instrument] | None = None) -> Standing:
    """Of `instruments`, or of all calendars in use. Two queries, three without `instruments`."""
    calendars = calendars_in_use() if instruments is None else {one.calendar for one in instruments if one.calendar}
    halts = Halt.objects.in_force_at(now)
    if instruments is not None:
        halts = halts.filter(instrument__in=[one.ticker for one in instruments])
    return Standing(hours_of(sessions_around(calendars, now), now), {halt.instrument_id: halt for halt in halts})


def standing_by(sessions: Mapping[str, list[TradingSession]], now: datetime) -> Standing:
    """As `standing_at`, of all, by the `sessions_in_use` of a while ago. One query."""
    return Standing(hours_of(sessions, now), {halt.instrument_id: halt for halt in Halt.objects.in_force_at(now)})


def due_since(standing: Standing, calendars: Mapping[str, str], source: str, now: datetime) -> dict[str, datetime]:
    """Since when prices of `source` are due of those in `calendars`, where a session or a halt tells it. One query.

    Of what is not `quiet`: from the opening on, or the end of its last halt where that was later.
    """
    if source == Source.REPLAY:
        return {}
    opened = {
        name: hours.since or LONG_AGO
        for name, hours in standing.hours.items()
        if hours.status == OPEN and source != Source.SIMULATED
    }
    ended = dict(Halt.objects.filter(ended_at__lte=now).order_by().values_list("instrument").annotate(Max("ended_at")))
    since = {
        ticker: max(opened.get(calendar, LONG_AGO), ended.get(ticker, LONG_AGO))
        for ticker, calendar in calendars.items()
    }
    return {ticker: moment for ticker, moment in since.items() if moment > LONG_AGO}


def calendars_of(tickers: Iterable[str]) -> dict[str, str]:
    """By ticker, in one query; nothing where it is traded round the clock."""
    wanted, rows = set(tickers), Instrument.objects.order_by().values_list("ticker", "calendar")
    return {ticker: calendar for ticker, calendar in rows if ticker in wanted}


def calendars_in_use() -> set[str]:
    return set(Instrument.objects.exclude(calendar="").order_by().values_list("calendar", flat=True).distinct())


def sessions_in_use(now: datetime) -> dict[str, list[TradingSession]]:
    """The sessions around `now` of all calendars in use. Two queries."""
    return sessions_around(calendars_in_use(), now)


def sessions_around(calendars: Iterable[str], now: datetime) -> dict[str, list[TradingSession]]:
    by_calendar: dict[str, list[TradingSession]] = {calendar: [] for calendar in calendars}
    for session in TradingSession.objects.around(by_calendar, now, LOOKED_AROUND):
        by_calendar[session.calendar].append(session)
    return by_calendar


def hours_of(sessions: Mapping[str, list[TradingSession]], now: datetime) -> dict[str, Hours]:
    return {calendar: hours_in(some, now) for calendar, some in sessions.items()}


def hours_in(sessions: list[TradingSession], now: datetime) -> Hours:
    """A session holds its opening and not its close."""
    for session in sessions:
        if session.opens_at <= now < session.closes_at:
            return Hours(OPEN, session.opens_at, session.closes_at)
    before = max((session.closes_at for session in sessions if session.closes_at <= now), default=None)
    after = min((session.opens_at for session in sessions if session.opens_at > now), default=None)
    return Hours(UNKNOWN) if before is None and after is None else Hours(CLOSED, before, after)


# Sessions, as exchange-calendars has them ---------------------------------------------------------


def owe_sessions(now: datetime) -> None:
    """Owes the sessions of calendars that are not known far ahead; one that failed is not asked again at once."""
    ahead = TradingSession.objects.filter(opens_at__gt=now + LEAST_AHEAD)
    missing = calendars_in_use() - set(ahead.order_by().values_list("calendar", flat=True).distinct())
    failed = Job.objects.filter(kind=SESSIONS_JOB, state=State.FAILED, finished_at__gt=now - TRY_AGAIN_AFTER)
    for calendar in missing - set(failed.values_list("key", flat=True)):
        owe(SESSIONS_JOB, calendar)


def store_sessions(calendar: str, today: date) -> int:
    """Brings the stored sessions of `calendar` up to date around `today`; returns how many there are.

    Raises ValueError for a calendar that is not known.
    """
    rows = ask_calendar(calendar, today - KNOWN_BEFORE, today + KNOWN_AHEAD)
    sessions = [
        TradingSession(
            calendar=calendar, day=date.fromisoformat(day), opens_at=datetime.fromisoformat(opens),
            closes_at=datetime.fromisoformat(closes),
        )
        for day, opens, closes in rows
    ]  # fmt: skip
    with transaction.atomic():
        TradingSession.objects.filter(calendar=calendar).delete()
        TradingSession.objects.bulk_create(sessions)
    return len(sessions)


def ask_calendar(calendar: str, first: date, last: date) -> list[list[str]]:
    command = [sys.executable, "-m", "market.session_calendar", calendar, first.isoformat(), last.isoformat()]
    asked = subprocess.run(
        command, capture_output=True, text=True, timeout=CALENDAR_SECONDS, check=False, cwd=settings.BASE_DIR
    )
    if asked.returncode:
        raise ValueError(asked.stderr.strip().splitlines()[-1][:200] if asked.stderr else "no answer")
    return json.loads(asked.stdout)


# Halts ------------------------------------------------------------------------------------------------


@transaction.atomic
def halt(instrument: Instrument, reason: str, *, actor: User | None, source: str = Source.MANUAL) -> Halt:
    """Notes that it is not traded from now on; a halt that is in force stays. `actor` None is the feed."""
    if actor is not None:
        require(actor, Action.KEEP_OFFICE)
    if len(reason) > 80:
        raise refused("reason", "80 characters at most.", "max_length")
    Instrument.objects.select_for_update(no_key=True).get(pk=instrument.pk)
    standing = Halt.objects.in_force().filter(instrument=instrument).first()
    return standing or Halt.objects.create(instrument=instrument, reason=reason, source=source, made_by=actor)


def end_halt(instrument: Instrument, *, actor: User | None, source: str | None = None) -> None:
    """Notes that it is traded again. A `source` ends only what it told of itself: staff's halts are staff's to end."""
    if actor is not None:
        require(actor, Action.KEEP_OFFICE)
    halts = Halt.objects.in_force().filter(instrument=instrument)
    halts = halts if source is None else halts.filter(source=source)
    halts.update(ended_at=timezone.now())


# What open pages are told ---------------------------------------------------------------------------------


def news_since(before: Standing, now: Standing, at: datetime) -> list[dict]:
    """The `status` frames of what is otherwise than before: sessions that opened or closed, halts and their ends."""
    frames = []
    for calendar, hours in now.hours.items():
        known = before.hours.get(calendar)
        if known is not None and known.status != hours.status and hours.status != UNKNOWN:
            frames.append(status_frame(hours.status, at, calendar=calendar, until=hours.until))
    for ticker in now.halts.keys() - before.halts.keys():
        frames.append(status_frame(HALTED, at, ticker=ticker, reason=now.halts[ticker].reason))
    for ticker in before.halts.keys() - now.halts.keys():
        frames.append(status_frame("trading", at, ticker=ticker))
    return frames


def status_frame(status: str, at: datetime, *, until: datetime | None = None, **what) -> dict:
    end = {} if until is None else {"until": until.astimezone(UTC).isoformat().replace("+00:00", "Z")}
    return {"type": "status", **what, "status": status, "ts": int(at.timestamp() * 1000)} | end
