"""Bars and stated prices as the API reads them out, and their pages."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from market.models import Bar, Instrument, Mark, Split
from market.services import record_split
from tests.market.test_history import DAY, HOUR, MONDAY, make_bar, make_mark, make_quote

pytestmark = pytest.mark.django_db

BARS, MARKS = "/tickers/AAPL/bars", "/tickers/AAPL/marks"
HEAD = "timestamp,open,high,low,close,volume\n"
TWO_DAYS = HEAD + "2025-01-13,10,12,9.5,11,1000\n2025-01-14,11,11,10.123456789012,10.5,\n"


@pytest.fixture(autouse=True)
def instruments(db):
    Instrument.objects.ensure(["AAPL", "MSFT"])


def send_csv(client, text: str = TWO_DAYS, query="", address=BARS):
    return client.generic("POST", address + query, text.encode(), content_type="text/csv")


def starts(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["start"] for row in answer.json()["results"]]


def fields(answer) -> list[str]:
    assert answer["Content-Type"] == "application/problem+json"
    return [error["field"] for error in answer.json()["errors"]]


# Reading -----------------------------------------------------------------------------------


def test_bars_come_oldest_first_with_exact_prices_and_their_source(api, alice):
    make_bar(MONDAY, "100.123456789012", volume=Decimal("12.5"))
    make_bar(MONDAY + DAY, 101, source="simulated", is_final=False)
    assert api(alice).get(BARS).json() == {
        "next": None,
        "previous": None,
        "results": [
            {"start": "2025-01-13T00:00:00Z", "open": "100.123456789012", "high": "100.123456789012",
             "low": "100.123456789012", "close": "100.123456789012", "volume": "12.5",
             "source": "upload", "final": True, "corrected_at": None},
            {"start": "2025-01-14T00:00:00Z", "open": "101", "high": "101", "low": "101", "close": "101",
             "volume": None, "source": "simulated", "final": False, "corrected_at": None},
        ],
    }  # fmt: skip


def test_bars_are_of_one_timeframe_between_two_moments_and_final_or_not(api, alice):
    for hour in range(4):
        make_bar(MONDAY + hour * HOUR, 10, "1h", is_final=hour < 3)
    make_bar(MONDAY, 10)
    client, hours = api(alice), [f"2025-01-13T0{hour}:00:00Z" for hour in range(4)]
    assert starts(client.get(BARS)) == hours[:1]
    assert starts(client.get(f"{BARS}?timeframe=1h")) == hours
    assert starts(client.get(f"{BARS}?timeframe=1h&start=2025-01-13T01:00:00Z&end=2025-01-13T03:00:00Z")) == hours[1:3]
    assert starts(client.get(f"{BARS}?timeframe=1h&start=2025-01-13T03:00:00+02:00")) == hours[1:]
    assert starts(client.get(f"{BARS}?timeframe=1h&end=2025-01-13")) == []
    assert starts(client.get(f"{BARS}?timeframe=1h&final=false")) == hours[3:]
    assert starts(client.get(f"{BARS}?timeframe=1h&final=true&ordering=-start")) == hours[2::-1]
    assert starts(client.get(f"{BARS}?timeframe=5m")) == []


@pytest.mark.parametrize("ordering", ["start", "-start"])
def test_pages_follow_each_other_there_and_back(api, alice, ordering):
    for days in range(7):
        make_bar(MONDAY + days * DAY, 10 + days)
    client, pages, address = api(alice), [], f"{BARS}?page_size=3&ordering={ordering}"
    while address:
        pages.append(client.get(address).json())
        address = pages[-1]["next"]
    found = [row["start"] for page in pages for row in page["results"]]
    assert len(pages) == 3 and found == sorted(set(found), reverse=ordering == "-start") and len(found) == 7
    assert client.get(pages[2]["previous"]).json()["results"] == pages[1]["results"]


def test_an_upload_hides_the_feeds_bar_of_the_same_start_and_no_other(api, alice):
    for days in range(3):
        make_bar(MONDAY + days * DAY, 50, source="simulated")
    make_bar(MONDAY + DAY, 60)
    make_bar(MONDAY + 2 * DAY, 70, "1h")
    make_bar(MONDAY, 80, ticker="MSFT")
    rows = api(alice).get(BARS).json()["results"]
    assert [(row["close"], row["source"]) for row in rows] == [
        ("50", "simulated"),
        ("60", "upload"),
        ("50", "simulated"),
    ]


def test_split_adjusted_bars_are_in_units_of_after_the_split(api, alice):
    make_bar(MONDAY, 400, volume=Decimal(10))
    make_bar(MONDAY + DAY, 101, volume=Decimal(40))
    record_split("AAPL", MONDAY + DAY + timedelta(hours=14.5), Decimal(4), Decimal(1))
    record_split("MSFT", MONDAY + DAY, Decimal(7), Decimal(1))
    client = api(alice)
    raw, adjusted = (client.get(f"{BARS}?adjustment={kind}").json()["results"] for kind in ("raw", "split"))
    assert [(row["open"], row["close"], row["volume"]) for row in raw] == [("400", "400", "10"), ("101", "101", "40")]
    assert [(row["high"], row["low"], row["volume"]) for row in adjusted] == [
        ("100", "100", "40"),
        ("101", "101", "40"),
    ]


def test_csv_goes_on_over_the_edge_of_a_page_and_can_be_uploaded_again(api, alice, monkeypatch):
    monkeypatch.setattr("tradeops.core.download.ROWS_AT_ONCE", 2)
    chance = random.Random(7)
    for days in range(5):
        close = Decimal(chance.randrange(1, 10**15)).scaleb(-12)
        make_bar(MONDAY + days * DAY, close, high=close * 2, volume=Decimal(days) if days % 2 else None)
    answer = api(alice).get(f"{BARS}?format=csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="AAPL-1d.csv"'
    text = answer.getvalue().decode()
    assert text.startswith(f"{HEAD}2025-01-13,") and text.count("\n") == 6
    before = api(alice).get(BARS).json()
    assert send_csv(api(alice), text).json() == {"imported": 0, "duplicates": 5}
    Bar.objects.all().delete()
    assert send_csv(api(alice), text).json() == {"imported": 5, "duplicates": 0}
    assert api(alice).get(BARS).json() == before
    hours = api(alice).get(f"{BARS}?format=csv&timeframe=1h").getvalue().decode()
    assert hours == HEAD


@pytest.mark.parametrize(
    ("query", "field"),
    [("timeframe=2h", "timeframe"), ("timeframe=", "timeframe"), ("start=yesterday", "start"),
     ("end=2025-13-01", "end"), ("start=2025-01-13T00:00:00", "start"), ("end=9999-12-31T23:59:59-23:59", "end"),
     ("adjustment=dividend", "adjustment"),
     ("final=maybe", "final"), ("ordering=close", "ordering"), ("page_size=0", "page_size"), ("cursor=x", "cursor"),
     ("limit=5", "limit"), ("start=%00", "start")],
)  # fmt: skip
def test_a_bad_parameter_is_refused_by_name(api, alice, query, field):
    answer = api(alice).get(f"{BARS}?{query}")
    assert (answer.status_code, fields(answer)) == (400, [field])


@pytest.mark.parametrize("address", ["/tickers/{}/bars", "/tickers/{}/marks"])
@pytest.mark.parametrize("ticker", ["NOPE", "aapl", "A" * 400, "%00", "%F0%9F%92%A9", "AAPL%0A"])
def test_bars_of_an_unknown_ticker_are_not_found(api, alice, address, ticker):
    assert api(alice).get(address.format(ticker)).status_code == 404


def test_a_page_takes_a_fixed_number_of_queries(api, alice, django_assert_num_queries):
    client = api(alice)
    client.get(BARS)
    for days in range(30):
        make_bar(MONDAY + days * DAY, 10)
        make_mark(MONDAY, 10, alice)
    with django_assert_num_queries(3):  # the token, the instrument, the page
        assert len(client.get(BARS).json()["results"]) == 30
    with django_assert_num_queries(3):
        assert len(client.get(MARKS).json()["results"]) == 30


def test_a_bar_that_sql_put_in_breaks_no_answer(api, alice):
    make_bar(datetime(1, 1, 1, tzinfo=UTC), "9999999999999999.999999999999", volume=Decimal("0.000000000001"))
    record_split("AAPL", timezone.now(), Decimal(1), Decimal(10**9))
    assert api(alice).get(f"{BARS}?adjustment=split").json()["results"][0]["high"] == "9999999999999999999999999.999"
    assert api(alice).get(f"{BARS}?format=csv").getvalue().count(b"\n") == 2


# In a browser ------------------------------------------------------------------------------------------


def test_the_browsable_page_shows_bars_and_what_may_be_sent(client, alice):
    make_bar(MONDAY, 100)
    client.force_login(alice)
    page = client.get(BARS, headers={"Accept": "text/html"}).content.decode()
    assert "2025-01-13T00:00:00Z" in page and f'data-api-form action="{BARS}"' in page


@pytest.mark.parametrize("model", ["bar", "mark", "split"])
def test_the_back_office_looks_at_prices_and_changes_none(client, alice, carol, model):
    make_bar(MONDAY, "100.5")
    make_quote(MONDAY, 1, "MSFT")
    mark = make_mark(MONDAY, 100, alice)
    make_mark(MONDAY, None, alice, corrects=mark)
    record_split("AAPL", MONDAY, Decimal(4), Decimal(1))
    row = {"bar": Bar, "mark": Mark, "split": Split}[model]
    client.force_login(carol)
    for address in ["", "?q=AAPL", f"{row.objects.first().pk}/change/"]:
        assert client.get(f"/admin/market/{model}/{address}").status_code == 200
    assert client.get(f"/admin/market/{model}/add/").status_code == 403
    assert client.post(f"/admin/market/{model}/{row.objects.first().pk}/delete/").status_code == 403
    client.force_login(alice)
    assert client.get(f"/admin/market/{model}/").status_code in (302, 403)
