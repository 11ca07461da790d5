"""What instruments cost at moments of the past, against a reader that looks at every price there is."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from market.history import Cut, Span, bars_of_spans, closes_at, daily_closes, prices_at
from market.models import Bar, Instrument, Mark, Quote, Timeframe

pytestmark = pytest.mark.django_db

MONDAY = datetime(2025, 1, 13, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def instruments(db):
    Instrument.objects.ensure(["AAPL", "MSFT", "KO"])


def make_bar(start: datetime, close, timeframe="1d", *, ticker="AAPL", source="upload", **extra) -> Bar:
    close = Decimal(close)
    values = {"open": close, "high": close, "low": close, "close": close, "is_final": True} | extra
    ends_at = start + Timeframe(timeframe).length
    return Bar.objects.create(
        instrument_id=ticker, timeframe=timeframe, start=start, ends_at=ends_at, source=source, **values
    )


def make_quote(at: datetime, price, ticker="AAPL") -> Quote:
    price = Decimal(price)
    return Quote.objects.create(
        instrument_id=ticker, price=price, previous_close=price, change_percentage=0, average_5m=price,
        samples_5m=1, volume=1, at=at, source="simulated", seq=1,
    )  # fmt: skip


def make_mark(at: datetime, price, by, ticker="AAPL", **extra) -> Mark:
    return Mark.objects.create(
        instrument_id=ticker, at=at, price=None if price is None else Decimal(price), made_by=by, **extra
    )


def known(points) -> dict:
    return {ticker: (point.price, point.at, point.source) for ticker, point in points.items()}


def price_at(at: datetime, with_simulated=True) -> Decimal | None:
    point = prices_at(["AAPL"], at, with_simulated=with_simulated).get("AAPL")
    return point and point.price


def bars_between(start: datetime, end: datetime, with_simulated=True) -> list:
    (found,) = bars_of_spans([Span("AAPL", start, end)], with_simulated=with_simulated)
    return found


# One moment -----------------------------------------------------------------------------


def test_a_close_is_known_from_the_end_of_its_bar():
    make_bar(MONDAY, 100)
    make_bar(MONDAY + 34 * HOUR, 101, "1h")
    assert price_at(MONDAY + DAY - timedelta(microseconds=1)) is None
    assert price_at(MONDAY + DAY) == 100
    assert price_at(MONDAY + 35 * HOUR - timedelta(microseconds=1)) == 100
    assert price_at(MONDAY + 35 * HOUR) == 101


def test_a_price_says_since_when_it_is_known_and_where_it_is_from(alice):
    make_bar(MONDAY, "100.25")
    make_mark(MONDAY, 60, alice, "KO")
    assert known(prices_at(["AAPL", "KO", "MSFT", "NOPE"], MONDAY + 2 * DAY, with_simulated=True)) == {
        "AAPL": (Decimal("100.25"), MONDAY + DAY, "upload"),
        "KO": (Decimal(60), MONDAY, "manual"),
    }


def test_the_live_quote_counts_from_its_own_time():
    make_bar(MONDAY, 100, source="simulated")
    make_quote(MONDAY + 30 * HOUR, 107)
    assert price_at(MONDAY + 30 * HOUR - timedelta(microseconds=1)) == 100
    assert known(prices_at(["AAPL"], MONDAY + 30 * HOUR, with_simulated=True))["AAPL"][2] == "simulated"
    assert price_at(MONDAY + 300 * DAY) == 107


def test_of_prices_of_one_moment_a_stated_one_comes_before_an_upload_and_that_before_the_feed(alice):
    make_bar(MONDAY, 1, source="simulated")
    assert price_at(MONDAY + DAY) == 1
    make_bar(MONDAY, 2)
    assert price_at(MONDAY + DAY) == 2
    make_mark(MONDAY + DAY, 3, alice)
    make_mark(MONDAY + DAY, 4, alice)
    assert price_at(MONDAY + DAY) == 4


def test_of_uploads_that_end_together_the_longest_is_the_close():
    make_bar(MONDAY, 100)
    make_bar(MONDAY + 23 * HOUR, 99, "1h")
    assert price_at(MONDAY + DAY) == 100
    assert (
        daily_closes(["AAPL"], MONDAY.date(), MONDAY.date(), with_simulated=False)["AAPL"][MONDAY.date()].price == 100
    )


def test_simulated_prices_never_count_where_they_may_not():
    make_bar(MONDAY, 90)
    make_bar(MONDAY + DAY, 100, source="simulated")
    make_quote(MONDAY + 3 * DAY, 107)
    for days in range(2, 5):
        assert price_at(MONDAY + days * DAY, with_simulated=False) == 90
    closes = daily_closes(["AAPL"], date(2025, 1, 1), date(2025, 1, 31), with_simulated=False)
    assert {point.source for point in closes["AAPL"].values()} == {"upload"}
    assert [found.source for found in bars_between(MONDAY, MONDAY + 9 * DAY, with_simulated=False)] == ["upload"]


def test_a_corrected_mark_counts_no_longer_and_a_withdrawn_one_leaves_none(alice):
    first = make_mark(MONDAY, 100, alice)
    second = make_mark(MONDAY, 101, alice, corrects=first)
    assert price_at(MONDAY) == 101
    make_mark(MONDAY, None, alice, corrects=second)
    assert price_at(MONDAY) is None


def test_a_bar_that_is_not_final_is_no_close():
    make_bar(MONDAY, 100, source="simulated", is_final=False)
    assert price_at(MONDAY + DAY) is None
    assert daily_closes(["AAPL"], MONDAY.date(), MONDAY.date(), with_simulated=True) == {}
    assert bars_between(MONDAY, MONDAY + DAY) == []


def test_a_quote_that_sql_put_in_breaks_no_reading(alice):
    make_bar(MONDAY, 100)
    make_quote(MONDAY + 2 * DAY, 107)
    Quote.objects.update(source="rumor")
    assert price_at(MONDAY + 3 * DAY, with_simulated=False) == 107
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("update market_quote set price = 'NaN'")
        assert price_at(MONDAY + 3 * DAY) == 100
        closes = daily_closes(["AAPL"], MONDAY.date(), MONDAY.date() + 3 * DAY, with_simulated=True)
        assert {point.price for point in closes["AAPL"].values()} == {100}


# Against brute force ------------------------------------------------------------------------


class Everything:
    """Prices strewn over five tickers and forty days, and a reader that looks at all of them."""

    TICKERS = ("AAPL", "MSFT", "KO", "JNJ", "XOM")

    def __init__(self, user, seed: int):
        self.user, self.random = user, random.Random(seed)
        Instrument.objects.ensure(self.TICKERS)
        self.points = []  # (ticker, at, rank, length, id, price, source)
        for _ in range(250):
            self.add_bar()
        for _ in range(40):
            self.add_mark()
        for ticker in self.TICKERS[:3]:
            at, price = self.moment(), self.price()
            make_quote(at, price, ticker)
            self.points.append((ticker, at, 0, timedelta(0), 0, price, "simulated"))

    def moment(self) -> datetime:
        return MONDAY + timedelta(minutes=self.random.randrange(40 * 1440))

    def price(self) -> Decimal:
        return Decimal(self.random.randrange(1, 10**6)).scaleb(-3)

    def add_bar(self) -> None:
        # The feed has a bar of the day for whatever shorter one it has; so it is given only days here.
        source = self.random.choice(["simulated", "upload"])
        timeframe = "1d" if source == "simulated" else self.random.choice(Timeframe.values)
        length = Timeframe(timeframe).length
        start = MONDAY + length * self.random.randrange(40 * DAY // length)
        ticker, price = self.random.choice(self.TICKERS), self.price()
        if Bar.objects.filter(instrument=ticker, timeframe=timeframe, start=start, source=source).exists():
            return
        bar = make_bar(start, price, timeframe, ticker=ticker, source=source)
        self.points.append((ticker, bar.ends_at, ["simulated", "upload"].index(source), length, 0, price, source))

    def add_mark(self) -> None:
        ticker, at, price = self.random.choice(self.TICKERS), self.moment(), self.price()
        mark = make_mark(at, price, self.user, ticker)
        self.points.append((ticker, at, 2, timedelta(0), mark.pk, price, "manual"))

    def known(self, at: datetime, with_simulated: bool) -> dict:
        best = {}
        for point in self.points:
            ticker, since, *_, source = point
            if since <= at and (with_simulated or source != "simulated"):
                best[ticker] = max(best.get(ticker, point), point)
        return {ticker: (point[5], point[1], point[6]) for ticker, point in best.items()}


@pytest.mark.parametrize("with_simulated", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_prices_at_any_moment_are_the_last_known_ones(alice, seed, with_simulated):
    everything = Everything(alice, seed)
    moments = [everything.moment() for _ in range(40)] + [MONDAY + days * DAY for days in range(-1, 42)]
    for at in moments:
        found = prices_at(everything.TICKERS, at, with_simulated=with_simulated)
        assert known(found) == everything.known(at, with_simulated), at


@pytest.mark.parametrize("with_simulated", [True, False])
@pytest.mark.parametrize("seed", [3, 4])
def test_daily_closes_are_the_prices_at_the_ends_of_the_days(alice, seed, with_simulated):
    everything = Everything(alice, seed)
    first, last = date(2025, 1, 11), date(2025, 2, 25)
    closes = daily_closes(everything.TICKERS, first, last, with_simulated=with_simulated)
    for count in range((last - first).days + 1):
        day = first + timedelta(days=count)
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY
        found = {ticker: days[day] for ticker, days in closes.items() if day in days}
        assert known(found) == everything.known(end, with_simulated), day


def test_they_take_a_fixed_number_of_queries(alice, django_assert_num_queries):
    Everything(alice, 5)
    with django_assert_num_queries(1):
        prices_at(Everything.TICKERS, MONDAY + 20 * DAY, with_simulated=True)
    with django_assert_num_queries(2):
        daily_closes(Everything.TICKERS, date(2025, 1, 1), date(2025, 12, 31), with_simulated=True)
    with django_assert_num_queries(1):
        bars_of_spans([Span(ticker, MONDAY, MONDAY + 9 * DAY) for ticker in Everything.TICKERS], with_simulated=True)


def test_no_tickers_no_days_and_no_spans_are_no_prices():
    make_bar(MONDAY, 100)
    assert prices_at([], MONDAY + DAY, with_simulated=True) == {}
    assert daily_closes([], MONDAY.date(), MONDAY.date(), with_simulated=True) == {}
    assert daily_closes(["AAPL"], MONDAY.date(), MONDAY.date() - DAY, with_simulated=True) == {}
    assert bars_of_spans([], with_simulated=True) == []


# From one moment to another -------------------------------------------------------------------


def spanned(start: datetime, end: datetime) -> list[tuple]:
    return [(found.start, found.high, found.low) for found in bars_between(start, end)]


def test_the_finest_bars_count_where_there_are_some_and_coarser_ones_elsewhere():
    make_bar(MONDAY, 10, high=Decimal(12), low=Decimal(9))
    make_bar(MONDAY + DAY, 20, high=Decimal(25), low=Decimal(18))
    make_bar(MONDAY + 30 * HOUR, 20, "1h", high=Decimal(21), low=Decimal(19))
    make_bar(MONDAY + 30 * HOUR, 20, "1m", high=Decimal("20.5"))
    assert spanned(MONDAY, MONDAY + 3 * DAY) == [(MONDAY, 12, 9), (MONDAY + 30 * HOUR, Decimal("20.5"), 20)]


def test_a_bar_that_reaches_beyond_the_span_is_left_out():
    for hour in range(4):
        make_bar(MONDAY + hour * HOUR, 10 + hour, "1h")
    assert [row[0] for row in spanned(MONDAY + timedelta(minutes=30), MONDAY + 3 * HOUR)] == [
        MONDAY + HOUR,
        MONDAY + 2 * HOUR,
    ]


def test_an_upload_hides_what_the_feed_made_of_the_same_time():
    for hour in range(3):
        make_bar(MONDAY + hour * HOUR, 50, "1h", source="simulated")
    make_bar(MONDAY + HOUR, 10, "1h")
    assert spanned(MONDAY, MONDAY + DAY) == [(MONDAY, 50, 50), (MONDAY + HOUR, 10, 10), (MONDAY + 2 * HOUR, 50, 50)]


def test_many_spans_are_answered_each_for_itself(monkeypatch):
    monkeypatch.setattr("market.history.SPANS_AT_ONCE", 2)
    for days in range(4):
        make_bar(MONDAY + days * DAY, 10 + days)
        make_bar(MONDAY + days * DAY, 20 + days, ticker="KO")
    spans = [
        Span("AAPL", MONDAY, MONDAY + 2 * DAY), Span("KO", MONDAY + DAY, MONDAY + 2 * DAY),
        Span("MSFT", MONDAY, MONDAY + 4 * DAY), Span("AAPL", MONDAY + 2 * DAY, MONDAY + 4 * DAY),
        Span("AAPL", MONDAY, MONDAY),
    ]  # fmt: skip
    found = bars_of_spans(spans, with_simulated=True)
    assert [[int(one.high) for one in some] for some in found] == [[10, 11], [21], [], [12, 13], []]


# Days that are not those of UTC ------------------------------------------------------------------


def cut_closes(hours: float, count: int = 3, *, with_simulated=True) -> list:
    """The closes of Monday and the days after it, each ending so many hours after UTC's day does."""
    cuts = [Cut((MONDAY + n * DAY).date(), MONDAY + (n + 1) * DAY + hours * HOUR) for n in range(count)]
    found = closes_at(["AAPL"], cuts, with_simulated=with_simulated).get("AAPL", {})
    return [found[cut.day].price if cut.day in found else None for cut in cuts]


@pytest.mark.parametrize("hours", [-9, -1, 5])
def test_where_only_days_are_kept_each_is_valued_on_its_own_date(hours):
    for number, price in enumerate((100, 110, 120)):
        make_bar(MONDAY + number * DAY, price)
    assert cut_closes(hours) == [100, 110, 120]


def test_a_day_that_ends_within_a_minute_is_valued_at_the_last_bar_before_it():
    """An account's day may begin at any second."""
    make_bar(MONDAY, 100, source="simulated")
    for minute, price in ((29, 103), (30, 999)):  # that of 05:29 ends at 05:30:00, the next at 05:31:00
        start = MONDAY + DAY + 5 * HOUR + timedelta(minutes=minute)
        make_bar(start, price, "1m", source="simulated")
    assert cut_closes(5 + 30.5 / 60, 1) == [103]


def test_a_day_that_ends_later_than_that_of_utc_is_valued_at_its_own_end():
    make_bar(MONDAY, 100)
    make_bar(MONDAY + DAY + 4 * HOUR, 103, "1h")  # 04:00 to 05:00 of Tuesday
    make_bar(MONDAY + DAY + 5 * HOUR, 999, "1h")
    assert cut_closes(5)[0] == 103
    assert cut_closes(0)[0] == 100


def test_a_day_that_ends_sooner_is_valued_by_what_was_known_then(alice):
    make_bar(MONDAY, 100)
    make_bar(MONDAY + 14 * HOUR, 97, "1h")  # until 15:00
    make_bar(MONDAY + 15 * HOUR, 98, "1h")  # of the day that ends at 15:00 on Tuesday
    make_mark(MONDAY + DAY + 20 * HOUR, 888, alice)  # after Tuesday's end at 15:00
    assert cut_closes(-9) == [97, 98, 888]
    assert cut_closes(0)[:2] == [100, 888]


def test_of_the_feed_the_bar_that_ends_with_the_day_counts():
    make_bar(MONDAY, 100, source="simulated")
    make_bar(MONDAY + DAY + 4 * HOUR, 103, "1h", source="simulated")
    assert cut_closes(5, 1) == [103]
    assert cut_closes(5, 1, with_simulated=False) == [None]


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("hours", [0, 3, 5])
def test_closes_at_later_cuts_are_the_prices_at_these_moments(alice, seed, hours):
    """Of the feed only bars of days are there: it has one of any day that has a finer one."""
    everything = Everything(alice, seed)
    cuts = [Cut((MONDAY + n * DAY).date(), MONDAY + (n + 1) * DAY + hours * HOUR) for n in range(40)]
    closes = closes_at(everything.TICKERS, cuts, with_simulated=True)
    for cut in cuts:
        known_there = known(prices_at(everything.TICKERS, cut.at, with_simulated=True))
        assert known({ticker: days[cut.day] for ticker, days in closes.items() if cut.day in days}) == known_there
