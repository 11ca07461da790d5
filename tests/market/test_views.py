"""The market's pages: the board, and a ticker with its candles."""

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.timezone import localtime

from market.feed_store import write_bars
from market.models import FeedState, Instrument, Quote
from market.services import record_split
from tests.market.test_feed_store import START, Feed
from tests.market.test_history import make_bar
from tradeops.templatetags.desk import since

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(alice) -> Client:
    Instrument.objects.all().delete()
    Instrument.objects.create(ticker="AAPL", name="Apple Inc.", exchange="NASDAQ")
    Instrument.objects.ensure(["ZZZ", "B"])
    client = Client()
    client.force_login(alice)
    return client


def quote(ticker: str, price, change=1.0, *, age_seconds=0) -> Quote:
    return Quote.objects.create(
        instrument_id=ticker, price=Decimal(price), previous_close=Decimal(price), change_percentage=change,
        change_1m_percentage=None, average_5m=Decimal(price), samples_5m=1, volume=10,
        at=timezone.now() - timedelta(seconds=age_seconds), source="simulated", seq=1,
    )  # fmt: skip


def tickers_of(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/desk/market/([^/]+)/">', page)


def chart_of(page: str) -> dict:
    return json.loads(re.search(r'<script id="chart-data" type="application/json">(.*?)</script>', page)[1])


# The board ----------------------------------------------------------------------------------------


def test_the_board_has_every_instrument_with_its_price_or_a_dash(desk):
    quote("AAPL", "155.23")
    page = desk.get("/desk/market/").content.decode()
    assert tickers_of(page) == ["AAPL", "B", "ZZZ"]
    assert ">155.23<" in page
    assert 'data-live-ticker="ZZZ" data-live-field="price" data-label="Price">–<' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=apple", ["AAPL"]), ("q=z", ["ZZZ"]), ("q=nothing", []),
        ("ordering=-ticker", ["ZZZ", "B", "AAPL"]),
        ("ordering=-change_percentage", ["B", "AAPL", "ZZZ"]),
        ("ordering=change_percentage", ["AAPL", "B", "ZZZ"]),
    ],
)  # fmt: skip
def test_the_board_is_searched_and_sorted_with_what_has_no_price_last(desk, query, found):
    quote("AAPL", "155", -2.0)
    quote("B", "10", 3.0)
    assert tickers_of(desk.get(f"/desk/market/?{query}").content.decode()) == found


@pytest.mark.parametrize("query", ["ordering=name", "page=0", "page=abc", "q=%00", f"q={'a' * 81}"])
def test_an_address_that_asks_for_nonsense_is_told_so(desk, query):
    answer = desk.get(f"/desk/market/?{query}")
    assert (answer.status_code, tickers_of(answer.content.decode())) == (400, [])
    assert query.partition("=")[0] + ":" in answer.content.decode()


def test_the_board_is_paged_and_its_queries_do_not_grow(desk, django_assert_max_num_queries):
    Instrument.objects.bulk_create(Instrument(ticker=f"T{number:03}") for number in range(120))
    with django_assert_max_num_queries(8):
        first = desk.get("/desk/market/?q=T").content.decode()
    assert len(tickers_of(first)) == 100
    assert "q=T&amp;page=2" in first
    assert len(tickers_of(desk.get("/desk/market/?q=T&page=2").content.decode())) == 20


def test_a_price_that_is_old_is_said_to_be(desk):
    old = quote("AAPL", "155", age_seconds=11)
    quote("B", "155")
    page = desk.get("/desk/market/").content.decode()
    assert re.findall(r'class="number is-stale" data-live-ticker="(\w+)"', page) == ["AAPL"]
    # In words, for whoever has no pointer to hover with.
    assert page.count("no price since") == page.count(f"no price since {since(old.at)}") == 1
    assert "no price since <time" in desk.get("/desk/market/AAPL/").content.decode()


def test_since_when_says_the_day_where_it_is_another():
    now = timezone.now()
    assert f">{localtime(now):%H:%M:%S}<" in since(now)
    assert f">{localtime(now) - timedelta(days=2):%Y-%m-%d %H:%M}<" in since(now - timedelta(days=2))


# A ticker -----------------------------------------------------------------------------------------


def test_a_ticker_that_is_none_or_unknown_is_not_found(desk):
    assert [desk.get(f"/desk/market/{ticker}/").status_code for ticker in ("NONE", "a%20b", "%00")] == [404] * 3


def test_a_ticker_without_a_bar_says_what_brings_them(desk):
    answer = desk.get("/desk/market/ZZZ/")
    assert answer.status_code == 200
    assert "No bars yet" in answer.content.decode()
    assert "chart-data" not in answer.content.decode()


def test_the_last_bar_stands_where_the_last_stored_tick_left_it(desk):
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    write_bars("one")
    feed.tick(10, 107, 200)
    feed.tick(20, 99, 200)
    feed.save()
    chart = chart_of(desk.get("/desk/market/AAPL/").content.decode())
    assert [bar[1:5] for bar in chart["bars"]] == [[100, 107, 99, 99]]
    before = chart["bars"]
    write_bars("one")  # what was added unsaved is what the feed itself writes
    assert chart_of(desk.get("/desk/market/AAPL/").content.decode())["bars"] == before


def test_what_a_window_comes_to_is_said_with_its_moment(desk):
    feed = Feed()
    for seconds, price in ((0, 100), (10, 107), (310, 99), (320, 101)):
        feed.tick(seconds, price, 200)
    feed.save()
    page = desk.get("/desk/market/AAPL/").content.decode()
    figures = dict(re.findall(r'data-window-field="(\w+)">([^<]+)<', page))
    assert [figures[name] for name in ("vwap", "high", "low", "samples")] == ["–", "–", "–", "0"]  # it runs no more
    FeedState.objects.update(source="replay")  # whose present is where it has come to
    page = desk.get("/desk/market/AAPL/").content.decode()
    figures = dict(re.findall(r'data-window-field="(\w+)">([^<]+)<', page))
    assert [figures[name] for name in ("vwap", "high", "low", "samples")] == ["100.00", "101.00", "99.00", "2"]


def test_a_chart_of_a_replay_ends_where_the_replay_has_come_to(desk):
    for minute in range(3):
        make_bar(START + timedelta(minutes=minute), str(50 + minute), "1m")
    feed = Feed()
    feed.tick(70, 107, 200)
    feed.tick(110, 103, 200)
    feed.save()
    FeedState.objects.update(source="replay")
    page = desk.get("/desk/market/AAPL/").content.decode()
    assert [bar[4] for bar in chart_of(page)["bars"]] == [50, 103]  # what was stored before, and what it has played


def test_an_uploaded_bar_is_shown_before_the_feeds_growing_one(desk):
    feed = Feed()
    feed.tick(0, 100, 200)
    feed.save()
    make_bar(START, "55", "1m")
    feed.tick(10, 107, 200)
    feed.save()
    chart = chart_of(desk.get("/desk/market/AAPL/").content.decode())
    assert [bar[4] for bar in chart["bars"]] == [55]


def test_a_chart_shows_as_many_bars_as_were_asked_for_newest_last(desk):
    now = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(1, 105):
        make_bar(now - timedelta(days=day), str(day))
    chart = chart_of(desk.get("/desk/market/AAPL/?timeframe=1d&bars=100").content.decode())
    assert [bar[4] for bar in chart["bars"]] == list(range(100, 0, -1))


def test_a_split_adjusts_what_was_before_it(desk):
    now = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    make_bar(now - timedelta(days=3), "400")
    make_bar(now - timedelta(days=1), "100")
    record_split("AAPL", now - timedelta(days=2), Decimal(4), Decimal(1))
    closes = [
        [bar[4] for bar in chart_of(desk.get(f"/desk/market/AAPL/?timeframe=1d&{query}").content.decode())["bars"]]
        for query in ("adjustment=raw", "adjustment=split")
    ]
    assert closes == [[400, 100], [100, 100]]


@pytest.mark.parametrize("query", ["timeframe=2m", "bars=7", "adjustment=both"])
def test_a_chart_of_nonsense_is_refused_by_name(desk, query):
    answer = desk.get(f"/desk/market/AAPL/?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] + ":" in answer.content.decode()


def test_strangers_are_asked_to_sign_in(desk):
    for path in ("/desk/market/", "/desk/market/AAPL/"):
        assert Client().get(path).status_code == 302
