"""The addresses of bars and stated prices."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from market.models import Bar, Instrument, Mark, Split
from market.services import record_split
from tests.factories import make_user
from tests.market.test_history import DAY, HOUR, MONDAY, make_bar, make_mark, make_quote
from tradeops.core.users.models import Role

pytestmark = pytest.mark.django_db

BARS, MARKS = "/tickers/AAPL/bars", "/tickers/AAPL/marks"
HEAD = "timestamp,open,high,low,close,volume\n"
TWO_DAYS = HEAD + "2025-01-13,10,12,9.5,11,1000\n2025-01-14,11,11,10.123456789012,10.5,\n"
STATED = {"price": "101.5", "at": "2025-01-15T16:00:00Z", "note": "Broker's screen"}


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


# Uploading -------------------------------------------------------------------------------------


def test_a_file_is_uploaded_as_a_body_or_in_a_form(api, alice):
    assert send_csv(api(alice)).json() == {"imported": 2, "duplicates": 0}
    file = SimpleUploadedFile("AAPL.csv", TWO_DAYS.encode(), content_type="text/csv")
    answer = api(alice).post(BARS, {"file": file, "timeframe": "1d"}, format="multipart")
    assert (answer.status_code, answer.json()) == (200, {"imported": 0, "duplicates": 2})
    bar = Bar.objects.get(start=MONDAY + DAY)
    assert (bar.low, bar.volume, bar.ends_at, bar.source) == (
        Decimal("10.123456789012"),
        None,
        MONDAY + 2 * DAY,
        "upload",
    )
    assert (bar.is_final, bar.made_by, bar.made_at is not None) == (True, alice, True)


def test_bars_are_uploaded_as_json_of_any_timeframe(api, alice):
    prices = {"open": "1", "high": 2, "low": "1", "close": 1.5}
    bars = [{"start": "2025-01-13T14:05:00Z"} | prices, {"start": "2025-01-13T16:10:00+02:00", "volume": "7"} | prices]
    answer = api(alice).post(BARS, {"timeframe": "5m", "bars": bars}, format="json")
    assert (answer.status_code, answer.json()) == (200, {"imported": 2, "duplicates": 0})
    assert starts(api(alice).get(f"{BARS}?timeframe=5m")) == ["2025-01-13T14:05:00Z", "2025-01-13T14:10:00Z"]
    assert send_csv(api(alice), f"{HEAD}2025-01-13T14:05:00Z,1,2,1,1.5,\n", "?timeframe=5m").json()["duplicates"] == 1


def test_a_file_with_a_bad_row_uploads_nothing_and_names_row_and_column(api, alice):
    answer = send_csv(api(alice), TWO_DAYS + "2025-01-15,11,11,x,10.5,\n2025-01-16,1,1,1,2,5\n")
    assert answer.status_code == 422
    problem = answer.json()
    assert [(error["field"], error["row"], error["column"], error["code"]) for error in problem["errors"]] == [
        ("file", 4, "low", "invalid"), ("file", 5, "high", "not_the_highest"),
    ]  # fmt: skip
    assert problem["bad_rows"] == 2
    assert not Bar.objects.exists()


def test_a_bad_bar_in_json_is_named_by_its_place(api, alice):
    good = {"start": "2025-01-13", "open": 1, "high": 1, "low": 1, "close": 1}
    for change, named in [
        ({"open": "0"}, "bars.1.open"), ({"high": "NaN"}, "bars.1.high"), ({"volume": -1}, "bars.1.volume"),
        ({"start": "2025-01-14T01:00:00Z"}, "bars.1.start"), ({"start": "2025-01-13"}, "bars.1.start"),
        ({"start": "2999-01-01"}, "bars.1.start"), ({"low": "1.1"}, "bars.1.high"), ({"vwap": 1}, "bars.1.vwap"),
        ({"close": "0.0000000000001"}, "bars.1.close"),
    ]:  # fmt: skip
        bars = [good, good | {"start": "2025-01-14"} | change]
        answer = api(alice).post(BARS, {"timeframe": "1d", "bars": bars}, format="json")
        assert (answer.status_code, fields(answer)) == (400, [named]), change
    assert not Bar.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [({"bars": []}, "bars"), ({"bars": None}, "bars"), ({"bars": 5}, "bars"), ({"bars": ["x"]}, "bars.0"),
     ({"timeframe": "1d"}, "bars"), ({"timeframe": "1w", "bars": []}, "timeframe"), ({}, "price"),
     ([], "non_field_errors"), ({"bars": [], "ticker": "MSFT"}, "bars"), ({"price": "0"}, "price"),
     ({"price": "NaN"}, "price"), ({"price": True}, "price"), ({"price": None}, "price"),
     ({"price": "1", "at": "2999-01-01T00:00:00Z"}, "at"), ({"price": "1", "at": "noon"}, "at"),
     ({"price": "1", "note": "x" * 501}, "note"),
     ({"price": "1", "volume": 1}, "volume"), ({"price": "1", "corrects": 5}, "corrects"),
     ({"price": "1", "corrects": 10**30}, "corrects"), ({"price": "1", "corrects": "x"}, "corrects")],
)  # fmt: skip
def test_a_bad_body_is_refused_by_field(api, alice, body, field):
    answer = api(alice).post(BARS, body, format="json")
    assert answer.status_code == 400
    assert field in fields(answer)
    assert not Mark.objects.exists() and not Bar.objects.exists()


@pytest.mark.parametrize(
    ("query", "field"),
    [("?timeframe=2d", "timeframe"), ("?source=upload", "source"), ("?timeframe=1d&timeframe=1h", "timeframe")],
)  # fmt: skip
def test_a_bad_parameter_of_an_upload_is_refused_by_name(api, alice, query, field):
    answer = send_csv(api(alice), query=query)
    assert (answer.status_code, fields(answer)) == (400, [field])
    assert fields(api(alice).post(BARS + "?timeframe=1d", STATED, format="json")) == ["timeframe"]


def test_a_form_needs_one_file(api, alice):
    def file():
        return SimpleUploadedFile("a.csv", b"x")

    for form, named in [
        ({}, "file"), ({"file": "text"}, "file"), ({"data": file()}, "data"), ({"file": [file(), file()]}, "file"),
    ]:  # fmt: skip
        answer = api(alice).post(BARS, form, format="multipart")
        assert (answer.status_code, fields(answer)) == (400, [named])


def test_an_unknown_ticker_becomes_an_instrument_and_what_is_no_ticker_is_not_found(api, alice):
    assert send_csv(api(alice), address="/tickers/NEW.X/bars").status_code == 200
    assert Instrument.objects.filter(pk="NEW.X").exists()
    for wrong in ("new", "%00", "A" * 17):
        assert send_csv(api(alice), address=f"/tickers/{wrong}/bars").status_code == 404


def test_an_upload_takes_few_queries_however_many_bars_it_brings(api, alice, django_assert_max_num_queries):
    rows = "".join(f"{(MONDAY - days * DAY).date()},1,1,1,1,1\n" for days in range(500))
    client = api(alice)
    with django_assert_max_num_queries(25):
        assert send_csv(client, HEAD + rows).json()["imported"] == 500


# Whose upload it is ------------------------------------------------------------------------------


def test_whoever_uploaded_a_bar_may_replace_it_and_another_trader_may_not(api, alice, bob):
    send_csv(api(alice))
    later = TWO_DAYS.replace(",11,1000", ",11.5,1000")
    refused = send_csv(api(bob), later)
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")
    assert "uploaded by somebody else" in refused.json()["detail"]
    assert Bar.objects.get(start=MONDAY).close == 11
    assert send_csv(api(bob)).json() == {"imported": 0, "duplicates": 2}
    assert send_csv(api(alice), later).json() == {"imported": 1, "duplicates": 1}
    assert Bar.objects.get(start=MONDAY).close == Decimal("11.5")
    corrected, standing = api(alice).get(BARS).json()["results"]
    assert (corrected["corrected_at"] is not None, standing["corrected_at"]) == (True, None)


@pytest.mark.parametrize("role", [Role.BACK_OFFICE, Role.ADMINISTRATOR])
def test_the_back_office_may_replace_anothers_bars(api, alice, role):
    send_csv(api(alice))
    somebody = make_user("erin", role)
    assert send_csv(api(somebody), TWO_DAYS.replace(",11,1000", ",11.5,1000")).json()["imported"] == 1
    assert Bar.objects.get(start=MONDAY).made_by == somebody


def test_an_upload_stands_beside_the_feeds_own_bar(api, alice):
    make_bar(MONDAY, 50, source="simulated")
    assert send_csv(api(alice)).json()["imported"] == 2
    assert dict(Bar.objects.filter(start=MONDAY).values_list("source", "close")) == {"simulated": 50, "upload": 11}


def test_an_auditor_a_reading_token_and_a_stranger_write_nothing(api, alice, dave):
    for client, status in [(api(dave), 403), (api(alice, "read"), 403), (api(), 401)]:
        assert send_csv(client).status_code == status
        assert client.post(BARS, STATED, format="json").status_code == status
    assert api(dave).get(BARS).status_code == api(dave).get(MARKS).status_code == 200
    assert api().get(BARS).status_code == api().get(MARKS).status_code == 401
    assert not Bar.objects.exists() and not Mark.objects.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_nothing_is_changed_or_deleted_here(api, carol, method):
    assert getattr(api(carol), method)(BARS, {}, format="json").status_code == 405
    assert getattr(api(carol), method)(MARKS, {}, format="json").status_code == 405


# Stated prices --------------------------------------------------------------------------------------


def test_a_stated_price_is_kept_with_who_when_and_why(api, alice):
    answer = api(alice).post(BARS, STATED, format="json")
    assert answer.status_code == 201
    mark = Mark.objects.get()
    assert answer.json() | {"made_at": None} == {
        "id": mark.pk, "ticker": "AAPL", "price": "101.5", "at": "2025-01-15T16:00:00Z", "note": "Broker's screen",
        "source": "manual", "made_by": "alice", "made_at": None, "corrects": None, "corrected_by": None,
    }  # fmt: skip
    assert (mark.made_by, mark.price) == (alice, Decimal("101.5"))
    assert api(alice).get(MARKS).json()["results"] == [answer.json()]


def test_a_price_without_a_time_is_of_now(api, alice):
    before = timezone.now()
    api(alice).post(BARS, {"price": 5}, format="json")
    assert before <= Mark.objects.get().at <= timezone.now()


def test_a_correction_names_what_it_corrects_and_leaves_it_readable(api, alice):
    first = api(alice).post(BARS, STATED, format="json").json()
    second = api(alice).post(BARS, STATED | {"price": "102", "corrects": first["id"]}, format="json").json()
    withdrawn = api(alice).post(BARS, {"price": None, "corrects": second["id"]}, format="json")
    assert withdrawn.status_code == 201
    rows = {row["id"]: row for row in api(alice).get(MARKS).json()["results"]}
    assert (rows[first["id"]]["price"], rows[first["id"]]["corrected_by"]) == ("101.5", second["id"])
    assert (rows[second["id"]]["corrects"], rows[second["id"]]["corrected_by"]) == (first["id"], withdrawn.json()["id"])
    assert list(Mark.objects.current()) == []


def test_a_price_is_corrected_once_and_for_its_own_ticker(api, alice):
    first = api(alice).post(BARS, STATED, format="json").json()
    correction = STATED | {"corrects": first["id"]}
    assert fields(api(alice).post("/tickers/MSFT/bars", correction, format="json")) == ["corrects"]
    assert api(alice).post(BARS, correction, format="json").status_code == 201
    again = api(alice).post(BARS, correction, format="json")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, "already_corrected")


def test_anothers_price_is_corrected_by_the_back_office_alone(api, alice, bob, carol):
    first = api(alice).post(BARS, STATED, format="json").json()
    correction = STATED | {"price": "99", "corrects": first["id"]}
    refused = api(bob).post(BARS, correction, format="json")
    assert (refused.status_code, Mark.objects.count()) == (403, 1)
    assert "Somebody else stated this price" in refused.json()["detail"]
    assert api(carol).post(BARS, correction, format="json").json()["made_by"] == "carol"


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
