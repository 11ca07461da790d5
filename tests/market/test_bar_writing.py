"""Bars and stated prices by the API: who may write which, all or nothing, and what is refused."""

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from market.models import Bar, Instrument, Mark
from tests.factories import make_user
from tests.market.test_bar_api import BARS, HEAD, MARKS, TWO_DAYS, fields, send_csv, starts
from tests.market.test_history import DAY, MONDAY, make_bar
from tradeops.core.users.models import Role

pytestmark = pytest.mark.django_db

STATED = {"price": "101.5", "at": "2025-01-15T16:00:00Z", "note": "Broker's screen"}


@pytest.fixture(autouse=True)
def instruments(db):
    Instrument.objects.ensure(["AAPL", "MSFT"])


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
