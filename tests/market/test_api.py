"""The tickers' addresses."""

from datetime import timedelta

import pytest
from django.utils import timezone

from market.models import FeedState, Instrument, Quote
from tests.market.test_models import make_block

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def instruments():
    Instrument.objects.all().delete()
    Instrument.objects.bulk_create(
        [Instrument(ticker="AAPL", name="Apple Inc.", exchange="NASDAQ"), Instrument(ticker="ZZZ")]
    )


@pytest.fixture
def quote(instruments):
    return Quote.objects.create(
        instrument_id="AAPL", price="155.23", previous_close="152", change_percentage=2.12501,
        change_1m_percentage=None,
        average_5m="154.9", samples_5m=3, volume=1200, at=timezone.now(), source="simulated", seq=1,
    )  # fmt: skip


def test_the_list_has_each_instrument_with_its_latest_quote(api, alice, quote):
    answer = api(alice).get("/tickers/")
    assert answer.status_code == 200
    first, second = answer.json()["results"]
    assert (first["ticker"], first["name"], first["exchange"], first["currency"]) == (
        "AAPL", "Apple Inc.", "NASDAQ", "USD",
    )  # fmt: skip
    assert first["quote"] | {"at": None} == {
        "price": 155.23, "previous_close": 152, "change_percentage": 2.125, "change_1m_percentage": None,
        "average_5m": 154.9, "samples_5m": 3, "volume": 1200, "at": None, "source": "simulated",
    }  # fmt: skip
    assert second == {
        "ticker": "ZZZ", "name": "", "exchange": "", "currency": "USD", "calendar": "", "status": "round_the_clock",
        "quote": None,
    }  # fmt: skip


def test_the_list_is_searched_and_paged(api, alice):
    client = api(alice)
    assert [row["ticker"] for row in client.get("/tickers/?search=apple").json()["results"]] == ["AAPL"]
    first = client.get("/tickers/?page_size=1").json()
    assert [row["ticker"] for row in first["results"]] == ["AAPL"]
    assert [row["ticker"] for row in client.get(first["next"]).json()["results"]] == ["ZZZ"]


def test_the_list_asks_the_database_the_same_few_times_however_long_it_is(api, alice, django_assert_num_queries):
    client = api(alice)
    client.get("/tickers/")
    Instrument.objects.bulk_create([Instrument(ticker=f"T{number}") for number in range(50)])
    with django_assert_num_queries(4):  # the token, the calendars in use, the halts, the page
        assert len(client.get("/tickers/").json()["results"]) == 52


@pytest.mark.parametrize(
    ("query", "field"),
    [("search=" + "x" * 81, "search"), ("search=%00", "search"), ("page_size=0", "page_size"),
     ("page_size=1001", "page_size"),
     ("cursor=nonsense", "cursor"), ("sort=name", "sort")],
)  # fmt: skip
def test_the_list_refuses_bad_parameters_by_name(api, alice, query, field):
    answer = api(alice).get(f"/tickers/?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_one_ticker_is_answered_with_its_quote(api, alice, quote):
    answer = api(alice).get("/tickers/AAPL")
    assert (answer.status_code, answer.json()["quote"]["price"]) == (200, 155.23)
    assert api(alice).get("/tickers/AAPL/").json() == answer.json()


@pytest.mark.parametrize("address", ["/tickers/{}", "/tickers/{}/average", "/tickers/{}/window"])
@pytest.mark.parametrize(
    "ticker", ["NOPE", "aapl", "A" * 400, "%00", "%F0%9F%92%A9", "..%5c..", "AAPL%0A", "%ED%A0%80"]
)
def test_an_unknown_ticker_is_not_found(api, alice, address, ticker):
    answer = api(alice).get(address.format(ticker))
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_the_average_is_of_all_prices_of_the_last_five_minutes(api, alice, quote):
    make_block([100_000_000, 101_000_000, 103_000_000], timezone.now() - timedelta(seconds=200))
    make_block([999_000_000], timezone.now() - timedelta(seconds=301))
    set_epoch("e")
    answer = api(alice).get("/tickers/AAPL/average").json()
    assert answer | {"as_of": None} == {
        "ticker": "AAPL", "window_seconds": 300, "average": 101.333333, "samples": 3,
        "last_price": 155.23, "change_1m_percentage": None, "as_of": None,
    }  # fmt: skip
    assert answer["as_of"].endswith("Z")
    assert api(alice).get("/tickers/AAPL/average?window=60").json()["samples"] == 0
    assert api(alice).get("/tickers/AAPL/average?window=86400").json()["samples"] == 4


def test_a_window_has_its_high_low_vwap_and_change(api, alice):
    now = timezone.now()
    make_block([200_000_000], now - timedelta(seconds=500))
    make_block([80_000_000], now - timedelta(seconds=310))
    make_block([100_000_000, 104_000_000, 101_000_000], now - timedelta(seconds=200), volumes=[10, 30, 10])
    set_epoch("e")
    answer = api(alice).get("/tickers/AAPL/window").json()
    assert answer | {"as_of": None} == {
        "ticker": "AAPL", "window_seconds": 300, "samples": 3, "first": 100, "high": 104, "low": 100, "last": 101,
        "average": 101.666667, "vwap": 102.6, "volume": 50, "change_percentage": 26.25, "as_of": None,
    }  # fmt: skip
    longer = api(alice).get("/tickers/AAPL/window?window=600").json()
    assert (longer["high"], longer["low"], longer["change_percentage"]) == (200, 80, None)
    empty = api(alice).get("/tickers/ZZZ/window?window=60").json()
    assert {name for name, value in empty.items() if value is None} == {
        "first", "high", "low", "last", "average", "vwap", "change_percentage",
    }  # fmt: skip
    assert (empty["samples"], empty["volume"]) == (0, 0)


def test_a_window_of_too_many_prices_is_refused_and_not_read(api, client, alice, monkeypatch):
    make_block([100_000_000, 104_000_000], timezone.now() - timedelta(seconds=100))
    make_block([200_000_000], timezone.now() - timedelta(seconds=1000))
    set_epoch("e")
    FeedState.objects.update(flushed_at=timezone.now())
    monkeypatch.setattr("market.window_reading.MOST_TICKS", 2)
    client.force_login(alice)
    page = "/desk/market/AAPL/?window=3600"
    for address in ("average", "window"):
        assert api(alice).get(f"/tickers/AAPL/{address}").json()["samples"] == 2
        answer = api(alice).get(f"/tickers/AAPL/{address}?window=1100")
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, ["window"])
    monkeypatch.setattr("market.views.QUICK_TICKS", 2)
    assert "being worked out" in client.get(page).content.decode()  # whose script asks, and shows why not


def test_a_ticker_without_a_price_has_no_average(api, alice):
    answer = api(alice).get("/tickers/ZZZ/average").json()
    assert (answer["average"], answer["samples"], answer["last_price"]) == (None, 0, None)


@pytest.mark.parametrize("window", ["59", "86401", "0", "-1", "abc", "", "1e3", "300.5", "9" * 5000])
def test_a_window_out_of_bounds_is_refused_by_name(api, alice, window):
    for address in ("average", "window"):
        answer = api(alice).get(f"/tickers/AAPL/{address}?window={window}")
        assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, ["window"])


@pytest.mark.parametrize("address", ["/tickers/", "/tickers/AAPL", "/tickers/AAPL/average", "/tickers/AAPL/window"])
def test_a_stranger_is_asked_to_sign_in(api, address):
    assert api().get(address).status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(api, alice, method):
    assert getattr(api(alice), method)("/tickers/AAPL", {}, format="json").status_code == 405


@pytest.mark.parametrize("change", [1e300, float("inf"), float("-inf")])
def test_a_value_that_sql_put_in_breaks_no_answer(api, alice, quote, change):
    Quote.objects.update(change_percentage=change, volume=2**62, at="1970-01-01T00:00:00Z")
    assert api(alice).get("/tickers/").status_code == 200
    assert api(alice).get("/tickers/AAPL/average").status_code == 200


def set_epoch(epoch: str) -> None:
    FeedState.objects.update_or_create(pk=1, defaults={"epoch": epoch})


@pytest.mark.parametrize("model", ["instrument", "quote", "alert", "tickblock", "feedstate"])
def test_the_back_office_sees_every_row_and_a_trader_none(client, alice, carol, quote, model):
    client.force_login(carol)
    assert client.get(f"/admin/market/{model}/").status_code == 200
    client.force_login(alice)
    assert client.get(f"/admin/market/{model}/").status_code in (302, 403)


def test_the_back_office_opens_a_quote_and_a_block(client, carol, quote):
    block = make_block([1_000_000], timezone.now())
    client.force_login(carol)
    assert client.get("/admin/market/quote/AAPL/change/").status_code == 200
    assert client.get(f"/admin/market/tickblock/{block.pk}/change/").status_code == 200
    assert client.get("/admin/market/instrument/AAPL/change/").status_code == 200
