"""The demo's past: generated, sound, and without a cliff to the feed's first price."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from market.demo import load_demo
from market.models import Bar
from market.simulation import TICKERS, start_levels
from market.ticks import from_micros
from tests.market.test_history import make_quote
from trades.demo import ROWS, prices_paid, splits

pytestmark = pytest.mark.django_db

TODAY = date(2025, 3, 14)
DAY = timedelta(days=1)


def values() -> list[tuple]:
    return list(
        Bar.objects.order_by("instrument", "start").values_list("instrument", "start", "open", "close", "volume")
    )


@pytest.mark.embedded
def test_two_years_of_days_of_every_ticker_end_where_the_feed_begins():
    load_demo(TODAY, {})
    levels = start_levels(TICKERS)
    for ticker in TICKERS:
        bars = list(Bar.objects.filter(instrument=ticker).order_by("start"))
        assert len(bars) > 500 and bars[0].start.date() <= date(2023, 3, 15)
        assert bars[-1].start.date() == TODAY - DAY
        assert bars[-1].close == from_micros(levels[ticker])
        assert {bar.timeframe for bar in bars} == {"1d"} and {bar.source for bar in bars} == {"simulated"}
    assert not Bar.objects.filter(is_final=False).exists()


@pytest.mark.embedded
def test_no_day_is_a_cliff_but_that_of_a_split():
    load_demo(TODAY, prices_paid(TODAY), splits(TODAY))
    for ticker in TICKERS:
        bars = list(Bar.objects.filter(instrument=ticker).order_by("start"))
        day, units = splits(TODAY).get(ticker, (None, 1))
        closes = [float(bar.close / units if day and bar.start.date() < day else bar.close) for bar in bars]
        assert max(abs(after / before - 1) for before, after in zip(closes, closes[1:], strict=False)) < 0.25


@pytest.mark.embedded
def test_before_a_split_prices_are_those_of_the_old_units():
    ((ticker, (day, units)),) = splits(TODAY).items()
    load_demo(TODAY, prices_paid(TODAY), splits(TODAY))
    bars = Bar.objects.filter(instrument=ticker)
    last, first = bars.filter(start__date__lt=day).latest("start"), bars.filter(start__date__gte=day).earliest("start")
    assert 0.75 < last.close / first.close / units < 1.25
    assert last.volume < first.volume


@pytest.mark.embedded
def test_the_past_goes_through_what_the_demos_book_has_dealt_at():
    load_demo(TODAY, prices_paid(TODAY), splits(TODAY))
    checked = 0
    for days_ago, _, _, ticker, _, price, *_ in ROWS:
        day = TODAY - days_ago * DAY
        bar = Bar.objects.filter(instrument=ticker, start__date=day).first()
        # On the last day the feed's first price counts; and of a weekend there is no bar.
        if bar is not None and days_ago > 1:
            assert bar.low <= Decimal(price) <= bar.high
            checked += 1
    assert checked > len(ROWS) / 2


def test_the_same_day_gives_the_same_past_and_it_is_loaded_once():
    load_demo(TODAY, prices_paid(TODAY))
    first = values()
    load_demo(TODAY + DAY, {})
    assert values() == first
    Bar.objects.all().delete()
    load_demo(TODAY, prices_paid(TODAY))
    assert values() == first


def test_where_a_feed_has_run_the_past_ends_at_its_last_price():
    load_demo(TODAY, {})
    Bar.objects.all().delete()
    make_quote(datetime.combine(TODAY, time(), timezone.get_default_timezone()), "201.25")
    load_demo(TODAY, {})
    assert Bar.objects.filter(instrument="AAPL").order_by("-start").first().close == Decimal("201.25")


def test_it_is_written_in_few_statements(django_assert_max_num_queries):
    with django_assert_max_num_queries(120):  # SQLite takes a few hundred rows at a time
        load_demo(TODAY, prices_paid(TODAY))
