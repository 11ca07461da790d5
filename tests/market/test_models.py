"""Instruments, quotes, tick blocks: what the database holds true of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from market.models import FeedState, Instrument, Quote, TickBlock
from market.ticks import StoredTicks, pack, to_ms

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)


def make_block(
    prices: list[int], first: datetime, ticker: str = "AAPL", seconds: float = 1.0, volumes: list[int] | None = None
) -> TickBlock:
    """A stored block of one price a second from `first` on."""
    times = np.array([to_ms(first + timedelta(seconds=seconds * place)) for place in range(len(prices))])
    seqs, traded = np.arange(len(prices)) + to_ms(first), times * 0 if volumes is None else np.array(volumes)
    ticks = StoredTicks((ticker,), seqs, times * 0, times, np.array(prices), traded)
    return TickBlock.objects.create(
        epoch="e",
        first_seq=int(ticks.seqs[0]),
        last_seq=int(ticks.seqs[-1]),
        started_at=first,
        ended_at=first + timedelta(seconds=seconds * (len(prices) - 1)),
        source="simulated",
        tick_count=len(prices),
        data=pack(ticks),
    )


def test_an_unknown_ticker_becomes_an_instrument_without_a_price():
    found = Instrument.objects.ensure(["AAPL", "BRK.B", "BRK.B"])
    assert set(found) == {"AAPL", "BRK.B"}
    assert not Quote.objects.filter(instrument="BRK.B").exists()
    assert Instrument.objects.ensure(["BRK.B"])["BRK.B"].pk == "BRK.B"


def test_a_known_instrument_keeps_its_name():
    Instrument.objects.update_or_create(ticker="AAPL", defaults={"name": "Apple Inc."})
    assert Instrument.objects.ensure(["AAPL"])["AAPL"].name == "Apple Inc."


@pytest.mark.parametrize("ticker", ["", "aapl", "-A", ".A", "A" * 17, "A B", "AAPL\n", "\uff21", "A/B", "A\0"])
def test_what_is_no_ticker_makes_no_instrument(ticker):
    with pytest.raises(ValidationError):
        Instrument.objects.ensure([ticker])
    assert not Instrument.objects.filter(ticker=ticker).exists() if "\0" not in ticker else True


@pytest.mark.parametrize("ticker", ["aapl", "AAPL\n", "-A"])
def test_the_database_itself_refuses_what_is_no_ticker(ticker):
    with pytest.raises(IntegrityError), transaction.atomic():
        Instrument.objects.bulk_create([Instrument(ticker=ticker)])


def test_search_finds_the_beginning_of_a_ticker_and_any_part_of_a_name():
    Instrument.objects.all().delete()
    Instrument.objects.bulk_create([Instrument(ticker="AAPL", name="Apple Inc."), Instrument(ticker="APA", name="APA")])
    assert [found.ticker for found in Instrument.objects.search("aa")] == ["AAPL"]
    assert [found.ticker for found in Instrument.objects.search("PLE")] == ["AAPL"]
    assert [found.ticker for found in Instrument.objects.search("")] == ["AAPL", "APA"]
    assert list(Instrument.objects.search("100%")) == []


def test_the_average_is_of_all_prices_of_the_window_exactly():
    make_block([1_000_000, 2_000_000, 4_000_001], NOW)
    make_block([8_000_000], NOW + timedelta(seconds=3))
    average = TickBlock.objects.average
    assert average("AAPL", NOW, NOW + timedelta(seconds=3)) == (Decimal("4.666667"), 3)
    assert average("AAPL", NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)) == (Decimal("1.5"), 2)
    assert average("TSLA", NOW - timedelta(days=1), NOW) == (None, 0)


def test_a_block_that_cannot_be_read_breaks_no_average():
    make_block([1_000_000], NOW)
    bad = make_block([5_000_000], NOW + timedelta(seconds=1))
    with connection.cursor() as cursor:
        cursor.execute("update market_tickblock set data = %s where id = %s", [b"garbage", bad.pk])
    assert TickBlock.objects.average("AAPL", NOW - timedelta(seconds=1), NOW + timedelta(hours=1)) == (Decimal(1), 1)


def test_a_quote_is_stale_after_ten_seconds_without_a_price():
    quote = Quote(instrument_id="AAPL", at=NOW, source="simulated")
    assert not quote.is_stale(NOW + timedelta(seconds=10))
    assert quote.is_stale(NOW + timedelta(seconds=10, milliseconds=1))


def test_there_is_one_feed_and_its_state_one_row():
    assert FeedState.objects.current().epoch == ""
    with pytest.raises(IntegrityError), transaction.atomic():
        FeedState.objects.create(id=2)


def test_averages_are_as_of_the_last_stored_flush_while_the_feed_runs():
    state = FeedState(flushed_at=NOW)
    assert state.as_of(NOW + timedelta(seconds=10)) == NOW
    later = NOW + timedelta(seconds=11)
    assert state.as_of(later) == later
    assert FeedState().as_of(NOW) == NOW
