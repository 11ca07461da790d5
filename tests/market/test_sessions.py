"""Sessions and halts: known from rows, told on the socket, and what they make of a price."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from market.models import Halt, Instrument, TradingSession
from market.session_calendar import sessions_of
from market.sessions import (
    CLOSED,
    HALTED,
    OPEN,
    ROUND_THE_CLOCK,
    UNKNOWN,
    Hours,
    Standing,
    due_since,
    end_halt,
    halt,
    hours_in,
    hours_of,
    news_since,
    owe_sessions,
    sessions_around,
    sessions_in_use,
    standing_at,
    standing_by,
    store_sessions,
)
from market.stored_market import read_flush
from tests.market.reader import Reader
from tests.market.test_views import quote
from tradeops.core.jobs.models import Job, State
from tradeops.core.jobs.services import handlers

OPENS, CLOSES = datetime(2025, 1, 15, 14, 30, tzinfo=UTC), datetime(2025, 1, 15, 21, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def session(days: int = 0, calendar: str = "XNYS") -> TradingSession:
    opens, closes = OPENS + days * DAY, CLOSES + days * DAY
    return TradingSession(calendar=calendar, day=opens.date(), opens_at=opens, closes_at=closes)


# Hours --------------------------------------------------------------------------------------------


@pytest.mark.pure
@pytest.mark.parametrize(
    ("at", "status", "since", "until"),
    [
        (OPENS - SECOND, CLOSED, CLOSES - DAY, OPENS),
        (OPENS, OPEN, OPENS, CLOSES),
        (CLOSES - SECOND, OPEN, OPENS, CLOSES),
        (CLOSES, CLOSED, CLOSES, OPENS + 2 * DAY),
        (OPENS + 2 * DAY, OPEN, OPENS + 2 * DAY, CLOSES + 2 * DAY),
    ],
)
def test_a_session_holds_its_opening_and_not_its_close(at, status, since, until):
    hours = hours_in([session(-1), session(), session(2)], at)
    assert (hours.status, hours.since, hours.until) == (status, since, until)


@pytest.mark.pure
def test_each_calendar_says_by_itself_whether_a_price_is_due():
    hours = {"XNYS": Hours(CLOSED), "XTKS": Hours(OPEN), "XLON": Hours(UNKNOWN)}
    standing = Standing(hours, {"SONY": Halt(instrument_id="SONY")})
    calendars = {"AAPL": "XNYS", "SONY": "XTKS", "TM": "XTKS", "HSBC": "XLON", "BTC": ""}
    assert standing.quiet(calendars, "alpaca") == ["AAPL", "SONY"]
    assert standing.quiet(calendars, "simulated") == ["SONY"]
    assert standing.quiet(calendars, "replay") == []


@pytest.mark.django_db
def test_stored_quotes_are_read_with_those_that_are_not_due():
    quote("AAPL", 1)
    quote("KO", 2)
    halt(Instrument.objects.get(pk="KO"), "news", actor=None)
    assert read_flush("", 0).quiet == {"KO"}


@pytest.mark.pure
def test_the_sessions_of_new_york_are_those_it_had():
    # Independence Day of 2025 was a Friday without a session; the day before ended at 13:00 in New York.
    told = sessions_of("XNYS", date(2025, 7, 2), date(2025, 7, 7))
    assert told == [
        ["2025-07-02", "2025-07-02T13:30:00+00:00", "2025-07-02T20:00:00+00:00"],
        ["2025-07-03", "2025-07-03T13:30:00+00:00", "2025-07-03T17:00:00+00:00"],
        ["2025-07-07", "2025-07-07T13:30:00+00:00", "2025-07-07T20:00:00+00:00"],
    ]
    with pytest.raises(ValueError, match="NONE is no calendar"):
        sessions_of("NONE", date(2025, 7, 2), date(2025, 7, 7))


@pytest.mark.django_db
def test_sessions_are_owed_where_they_are_missing_stored_by_their_job_and_then_not_owed_again():
    Instrument.objects.update(calendar="")
    Instrument.objects.filter(pk="AAPL").update(calendar="XNYS")
    now = timezone.now()
    owe_sessions(now)
    job = Job.objects.get(kind="sessions")
    assert (job.key, handlers["sessions"](job)["sessions"] > 60) == ("XNYS", True)
    stored = TradingSession.objects.count()
    handlers["sessions"](job)  # safe to run twice
    assert TradingSession.objects.count() == stored
    assert standing_at(now, [Instrument.objects.get(pk="AAPL")]).hours["XNYS"].status in (OPEN, CLOSED)
    job.delete()
    owe_sessions(now)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_calendar_that_is_none_fails_once_and_is_not_asked_again_at_once():
    Instrument.objects.update(calendar="")
    Instrument.objects.filter(pk="AAPL").update(calendar="NONE")
    with pytest.raises(ValueError, match="NONE is no calendar"):
        store_sessions("NONE", date(2025, 1, 15))
    Job.objects.create(kind="sessions", key="NONE", state=State.FAILED, finished_at=timezone.now())
    owe_sessions(timezone.now())
    assert Job.objects.count() == 1


# Halts ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_instrument_is_halted_and_traded_again(carol, alice):
    aapl, other = Instrument.objects.get(pk="AAPL"), Instrument.objects.ensure(["ZZZ"])["ZZZ"]
    TradingSession.objects.bulk_create([session(-1), session()])
    statuses = [standing_at(at, [aapl, other]).status_of(aapl) for at in (OPENS, CLOSES, OPENS + 100 * DAY)]
    assert statuses == [OPEN, CLOSED, UNKNOWN]
    first = halt(aapl, "news pending", actor=carol)
    assert halt(aapl, "again", actor=carol) == first
    Halt.objects.update(began_at=OPENS)
    standing = standing_at(OPENS, [aapl, other])
    assert (standing.status_of(aapl), standing.status_of(other)) == (HALTED, ROUND_THE_CLOCK)
    end_halt(aapl, actor=None, source="alpaca")
    assert Halt.objects.in_force().count() == 1  # staff's are staff's to end
    end_halt(aapl, actor=carol)
    Halt.objects.update(ended_at=OPENS + SECOND)
    moments = (OPENS - DAY, OPENS, OPENS + SECOND)
    assert [standing_at(at, [aapl]).status_of(aapl) for at in moments] == [OPEN, HALTED, OPEN]
    with pytest.raises(PermissionDenied):
        halt(aapl, "", actor=alice)
    halt(aapl, "", actor=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Halt.objects.create(instrument=aapl)


@pytest.mark.django_db
def test_prices_are_due_since_the_opening_or_the_end_of_the_last_halt_where_that_is_later():
    now, calendars = OPENS + 60 * SECOND, {"AAPL": "XNYS", "KO": "XNYS", "TM": "XTKS", "SONY": ""}
    TradingSession.objects.bulk_create([session(), session(-1, "XTKS")])
    ends = {"AAPL": (-DAY, 20 * SECOND, 90 * SECOND), "KO": (-DAY,), "SONY": (10 * SECOND,)}
    Instrument.objects.ensure(calendars)
    for ticker, moments in ends.items():
        for moment in moments:
            Halt.objects.create(instrument_id=ticker, began_at=OPENS + moment - SECOND, ended_at=OPENS + moment)
    standing = Standing(hours_of(sessions_around(["XNYS", "XTKS"], now), now))
    due = due_since(standing, calendars, "alpaca", now)
    assert due == {"AAPL": OPENS + 20 * SECOND, "KO": OPENS, "SONY": OPENS + 10 * SECOND}
    due = due_since(standing, calendars, "simulated", now)
    assert due == {"AAPL": OPENS + 20 * SECOND, "KO": OPENS - DAY, "SONY": OPENS + 10 * SECOND}
    assert due_since(standing, calendars, "replay", now) == {}


@pytest.mark.django_db
def test_what_changes_is_told_and_what_stays_is_not():
    aapl = Instrument.objects.get(pk="AAPL")
    TradingSession.objects.bulk_create([session(), session(1)])
    before, opened = standing_at(OPENS - SECOND), standing_at(OPENS)
    sessions = sessions_in_use(OPENS - SECOND)
    assert [standing_by(sessions, at) for at in (OPENS - SECOND, OPENS)] == [before, opened]
    assert news_since(before, before, OPENS) == []
    (frame,) = news_since(before, opened, OPENS)
    assert frame == {
        "type": "status", "calendar": "XNYS", "status": "open", "ts": 1_736_951_400_000,
        "until": "2025-01-15T21:00:00Z",
    }  # fmt: skip
    halt(aapl, "news pending", actor=None)
    Halt.objects.update(began_at=OPENS)
    halted = standing_at(OPENS)
    assert standing_by(sessions, OPENS) == halted
    (frame,) = news_since(opened, halted, OPENS)
    assert (frame["ticker"], frame["status"], frame["reason"]) == ("AAPL", "halted", "news pending")
    (frame,) = news_since(halted, opened, OPENS)
    assert (frame["ticker"], frame["status"]) == ("AAPL", "trading")
    assert news_since(Standing(), opened, OPENS) == []  # a feed that has just begun knows of no change


# On pages, in the API and on the socket ---------------------------------------------------------------


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.django_db
def test_staff_halts_on_the_page_and_everybody_sees_it(alice, carol, api):
    address = "/desk/market/AAPL/"
    assert signed_in(alice).post(f"{address}halt/", {"action": "halt"}).status_code == 403
    assert signed_in(carol).post(f"{address}halt/", {"action": "x"}).status_code == 400
    assert signed_in(carol).post(f"{address}halt/", {"action": "halt"})["Location"] == address
    for page in (address, "/desk/market/"):
        assert ">halted</span>" in signed_in(alice).get(page).content.decode()
    assert api(alice).get("/tickers/AAPL").json()["status"] == "halted"
    signed_in(carol).post(f"{address}halt/", {"action": "resume"})
    assert ">halted</span>" not in signed_in(alice).get(address).content.decode()
    assert Halt.objects.get().made_by == carol


@pytest.mark.django_db
def test_sessions_decide_what_is_stale(alice):
    now = timezone.now()
    price = quote("AAPL", "150", age_seconds=60)
    price.source = "alpaca"
    price.save()

    def is_stale() -> bool:
        return (
            'class="number is-stale" data-live-ticker="AAPL"' in signed_in(alice).get("/desk/market/").content.decode()
        )

    day = {"calendar": "XNYS", "day": now.date()}
    running = TradingSession.objects.create(**day, opens_at=now - DAY / 24, closes_at=now + DAY / 24)
    assert is_stale()
    running.delete()
    TradingSession.objects.create(**day, opens_at=now - DAY / 12, closes_at=now - DAY / 24)
    assert not is_stale()
    # It is not stale, and not said to be live either.
    page = signed_in(alice).get("/desk/market/AAPL/").content.decode()
    assert '"alpaca, live">since ' in page


async def test_a_halt_reaches_who_gets_the_ticker_and_a_session_everybody(server):
    async with server.connect("alice") as all_of_it, server.connect("bob") as other:
        readers = Reader(all_of_it), Reader(other)
        await readers[1].ask({"action": "subscribe", "tickers": ["MSFT"]}, "subscribed")
        await readers[0].frame("welcome")
        server.run(
            "from market.models import Instrument\nfrom market.sessions import halt, end_halt\n"
            "halt(Instrument.objects.get(pk='AAPL'), 'a test', actor=None)"
        )
        frame = await readers[0].frame("status")
        assert (frame["ticker"], frame["status"], frame["reason"]) == ("AAPL", "halted", "a test")
        server.run("end_halt(Instrument.objects.get(pk='AAPL'), actor=None)")
        assert (await readers[0].frame("status"))["status"] == "trading"
        # A subscription of another ticker has heard of none of it.
        await other.send(json.dumps({"action": "ping"}))
        await readers[1].frame("pong")
        assert all(frame["type"] != "status" for frame in readers[1].seen)
