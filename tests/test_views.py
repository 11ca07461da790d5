"""The front door, Today, the finder and the style page."""

import json

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, transaction
from django.test import AsyncClient, Client
from django.urls import resolve
from django.utils import timezone

from market.models import Instrument
from tests.test_documents import is_there
from tests.test_today import YESTERDAY, book, open_demo_account, quote
from tradeops import health
from tradeops.core.events.services import ALERTS, record_event
from tradeops.core.jobs.models import Job, State
from tradeops.errors import what_is_away
from tradeops.finder import PAGES
from tradeops.views import ENDPOINTS, OF_THE_OFFICE

pytestmark = pytest.mark.django_db
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


# The front door -------------------------------------------------------------------------


def test_a_program_at_the_front_door_gets_the_list_of_addresses():
    answer = Client().get("/", headers={"Accept": "*/*"})
    assert answer.status_code == 200
    told = json.loads(answer.content)
    assert told["name"] == "TradeOps"
    assert told["version"]
    assert told["endpoints"]["trades"] == "/trades/"


def test_a_browser_at_the_front_door_is_led_to_the_desk():
    answer = Client().get("/", headers={"Accept": BROWSER})
    assert (answer.status_code, answer["Location"]) == (302, "/desk/")


@pytest.mark.parametrize("path", [path for path in ENDPOINTS.values() if path != "/ws"])
def test_every_address_at_the_front_door_is_there(path):
    assert resolve(path)


def test_the_front_door_is_for_reading():
    refused = Client().post("/")
    assert (refused.status_code, refused["Allow"], refused.json()["request_id"]) == (
        405,
        "GET, HEAD",
        refused["X-Request-ID"],
    )
    assert "not POST" in Client().post("/", headers={"accept": "text/html"}).content.decode()


# Today --------------------------------------------------------------------------------------


def test_today_shows_prices_positions_trades_and_alerts_without_a_script(alice):
    account = open_demo_account(alice)
    quote("AAPL", "155.5", "150")
    book(account, "BUY", "100", "140.25", YESTERDAY)
    with transaction.atomic():
        record_event(ALERTS, "alert", {"message": "AAPL increased by 2.15% in the last minute"})
    page = signed_in(alice).get("/desk/").content.decode()
    for text in ("155.50", "140.25", "15,550.00", "+1,525.00", "simulated prices", "AAPL increased by 2.15%"):
        assert text in page


def test_today_of_a_new_trader_says_what_to_do(alice):
    page = signed_in(alice).get("/desk/").content.decode()
    assert "No open positions" in page
    assert "No trades yet" in page


def test_a_stranger_is_asked_to_sign_in():
    for path in ("/desk/", "/desk/find/?q=x"):
        assert Client().get(path)["Location"].startswith("/desk/sign-in/")


def test_a_trader_does_not_see_anothers_book(alice, bob):
    quote("AAPL", "155.5", "150")
    book(open_demo_account(bob), "BUY", "77", "140.25", YESTERDAY)
    assert "140.25" not in signed_in(alice).get("/desk/").content.decode()


def test_an_auditor_is_offered_no_new_trade(dave):
    assert "data-new-trade" not in signed_in(dave).get("/desk/").content.decode()


def test_a_part_comes_without_the_page_around_it(alice):
    client = signed_in(alice)
    parts = {part: client.get(f"/desk/?part={part}").content.decode() for part in ("book", "state")}
    assert 'id="figures"' in parts["book"]
    assert 'hx-swap-oob="true"' in parts["book"]
    assert 'id="state"' in parts["state"]
    assert not any("<html" in text for text in parts.values())


def test_the_office_sees_the_queue_and_the_lake_and_a_trader_does_not(alice, carol):
    health.ask_outside(*OF_THE_OFFICE)
    office, trader = (signed_in(user).get("/desk/?part=state").content.decode() for user in (carol, alice))
    assert [name in office for name in OF_THE_OFFICE.values()] == [True] * 3
    assert not any(name in trader for name in OF_THE_OFFICE.values())


def test_a_failed_job_of_the_day_is_named(alice):
    Job.objects.create(kind="export", key="2025-01-15", owner=alice, state=State.FAILED, finished_at=timezone.now())
    assert "1 failed" in signed_in(alice).get("/desk/?part=state").content.decode()


def test_today_costs_a_fixed_number_of_queries(alice, django_assert_max_num_queries):
    client = signed_in(alice)
    account = open_demo_account(alice)
    for number in range(8):
        ticker = f"T{number}"
        quote(ticker, "155", "150")
        book(account, "BUY", "1", "150", YESTERDAY, ticker=ticker)
    with django_assert_max_num_queries(32):
        client.get("/desk/")


# The finder ------------------------------------------------------------------------------------


def test_a_ticker_is_found_by_its_exact_name_at_once(alice):
    Instrument.objects.get_or_create(ticker="AAPL")
    Instrument.objects.get_or_create(ticker="AAPLW")
    answer = signed_in(alice).get("/desk/find/", {"q": "aapl"})
    assert answer["Location"] == "/desk/market/AAPL/"


def test_what_may_be_meant_is_listed(alice):
    page = signed_in(alice).get("/desk/find/", {"q": "s"}).content.decode()
    assert "/desk/strategies/" in page
    assert "/desk/settings/" in page


def test_every_page_that_the_finder_knows_is_there():
    assert [page for page in PAGES.values() if not is_there(page)] == []


@pytest.mark.parametrize(
    "words", ["", " ", "\x00", "%", "_", "'\"<b>", "9" * 60, "run 99999999999999999999", "é\U0001f4a5"]
)
def test_nothing_typed_into_the_finder_breaks_it(alice, words):
    answer = signed_in(alice).get("/desk/find/", {"q": words})
    assert answer.status_code == 200
    assert b"<b>" not in answer.content


# Style -----------------------------------------------------------------------------------------------


def test_the_style_page_shows_both_themes(alice):
    page = signed_in(alice).get("/desk/style/").content.decode()
    assert 'data-theme="light" aria-label' in page
    assert 'data-theme="dark" aria-label' in page


# Outages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_an_outage_that_a_middleware_meets_is_503_without_a_stack(kind, monkeypatch, caplog):
    def away(*_):
        raise OperationalError("couldn't get a connection")

    monkeypatch.setattr("tradeops.core.users.demo.sign_in_demo", away)
    monkeypatch.setattr("django.conf.settings.TRADEOPS_DEMO", True)
    client = kind(raise_request_exception=False)
    ask = client.get if kind is AsyncClient else sync_to_async(client.get)
    for accepted, words in (("*/*", "application/problem+json"), (BROWSER, "text/html; charset=utf-8")):
        answer = await ask("/desk/", headers={"Accept": accepted})
        assert (answer.status_code, answer["Retry-After"], answer["Content-Type"]) == (503, "5", words)
        assert answer.headers.get("Refresh") == ("5" if accepted == BROWSER else None)
        assert b"The database is not answering" in answer.content
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("words", ["database or disk is full", "could not extend file: No space left on device"])
def test_a_database_without_room_is_told_as_a_full_disk(words):
    assert what_is_away(OperationalError(words)) == "The disk is full"
    assert what_is_away(OperationalError("gone away")) == "The database is not answering"
