"""What the feed is to run: a replay before all else, and after it what it was started with, where that stood."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from market.feed_plan import Control, begins_after, plan_of, read_control
from market.models import FeedState, Instrument, Source
from market.replaying import pause, set_speed, start_replay
from tests.market.test_history import make_bar
from tests.market.test_replaying import START, kept

pytestmark = pytest.mark.django_db

LEVELS = {"AAPL": 150_000_000, "KO": 60_000_000}


def test_without_a_replay_the_feed_runs_what_it_was_started_with():
    plan = plan_of("simulated", 7, LEVELS)
    assert (plan.source, plan.tickers, plan.levels, plan.seed) == ("simulated", ("AAPL", "KO"), LEVELS, 7)
    assert read_control() == Control()


def test_a_running_replay_comes_before_the_source_and_begins_at_its_first_prices(carol):
    replay = kept(prices=[100.0, 103.0])
    assert plan_of("simulated", None, LEVELS).source == "simulated"  # it is only there, and does not run
    start_replay(replay, 60, actor=carol)
    plan = plan_of("alpaca", None, LEVELS)
    assert (plan.source, plan.tickers, plan.levels) == ("replay", ("AAPL",), {"AAPL": 100_000_000})
    assert plan.seed == plan.replay.key == read_control().key


def test_how_a_replay_is_played_is_read_anew_and_leaves_its_key(carol):
    replay = kept(prices=[100.0])
    start_replay(replay, 60, actor=carol)
    key = read_control().key
    set_speed(replay, 300, actor=carol)
    pause(replay, actor=carol)
    assert read_control() == Control(key, 300, is_paused=True)


def test_after_a_replay_the_simulated_market_goes_on_where_it_was_interrupted():
    make_bar(datetime(2025, 1, 15, tzinfo=UTC), "171.5", source=Source.SIMULATED, timeframe="1m", high=Decimal(180))
    FeedState.objects.update_or_create(pk=FeedState.ONLY, defaults={"source": "replay"})
    assert plan_of("simulated", None, LEVELS).levels == LEVELS | {"AAPL": 171_500_000}
    assert plan_of("simulated", 7, LEVELS).levels == LEVELS  # a seed is a market of its own, from its beginning


def test_alpaca_is_asked_for_what_is_traded_somewhere():
    Instrument.objects.update(exchange="")
    Instrument.objects.filter(pk="AAPL").update(exchange="XNAS")
    plan = plan_of("alpaca", None, LEVELS)
    assert (plan.source, plan.tickers, plan.levels) == ("alpaca", ("AAPL",), {"AAPL": 0})


def test_a_days_change_on_alpaca_is_against_the_last_close_that_is_known_of_the_days_before():
    Instrument.objects.update(exchange="XNAS")
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    make_bar(midnight - timedelta(days=1), "150.5")
    make_bar(midnight - timedelta(days=1), "7", ticker="TSLA", source="simulated")
    make_bar(midnight - timedelta(days=30), "88", ticker="MSFT")
    levels = plan_of("alpaca", None, LEVELS).levels
    assert [levels[ticker] for ticker in ("AAPL", "TSLA", "MSFT")] == [150_500_000, 0, 0]


def test_a_run_that_was_interrupted_goes_on_after_its_last_flush_and_a_new_one_with_its_first_tick():
    replay = kept(prices=[100.0])
    assert begins_after(replay, 1_234) == 1_234
    assert begins_after(replay, None) == START.timestamp() * 1000 - 1
