"""Backtests and sweeps on the desk's own bars, asked for by JSON."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from market.models import Bar, Instrument
from market.models import Source as BarSource
from strategies.models import Run, Sweep
from tests.strategies.test_api import fields_of
from tests.strategies.test_results import UP

pytestmark = pytest.mark.django_db

RUN, SWEEPS = "/algorithm/run", "/algorithm/sweeps"
CLOSES = [9, 8, 3, 4, 6, 8, 5]
BODY = {"tickers": ["UP"], "parameters": {"fast": 1, "slow": 2}}


@pytest.fixture
def bars(db) -> list[Bar]:
    instrument, _ = Instrument.objects.get_or_create(ticker="UP")
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    made = []
    for at, close in enumerate(CLOSES):
        start = begin + timedelta(days=at)
        price = Decimal(close)
        prices = {"open": price, "high": price, "low": price, "close": price, "volume": Decimal(5)}
        ends = {"start": start, "ends_at": start + timedelta(days=1), "is_final": True}
        made.append(Bar(instrument=instrument, timeframe="1d", source=BarSource.UPLOAD, **prices, **ends))
    return Bar.objects.bulk_create(made)


def post(client, address, body):
    return client.post(address, body, format="json")


def test_a_run_on_stored_bars_is_that_of_a_file_with_the_same_closes(api, alice, bars):
    client = api(alice)
    told = post(client, RUN, BODY).json()
    file = client.post(f"{RUN}?ticker=UP&fast=1&slow=2", UP, content_type="text/csv").json()
    assert told["source"] == Run.objects.get(pk=told["run_id"]).source == "stored"
    assert [(t["entry_date"], t["profit_loss"]) for t in told["tickers"][0]["trades"]] == [
        (t["entry_date"], t["profit_loss"]) for t in file["tickers"][0]["trades"]
    ]
    assert client.get(f"/algorithm/runs/{told['run_id']}").json() == told


def test_terms_and_a_span_stand_beside_the_tickers(api, alice, bars):
    body = BODY | {"start": "2024-01-02", "end": "2024-01-07", "fill": "next_open", "fee_bps": 10}
    (ticker,) = post(api(alice), RUN, body).json()["tickers"]
    assert (ticker["first_date"], ticker["last_date"]) == ("2024-01-02", "2024-01-06")
    assert ticker["trades"][0]["fees"] > 0


def test_prices_before_a_split_are_counted_in_later_units_unless_raw_is_asked_for(api, alice, bars):
    instrument, moment = bars[0].instrument, datetime(2024, 1, 4, tzinfo=UTC)
    Bar.objects.filter(start__gte=moment).update(open=2, high=2, low=2, close=2)
    instrument.splits.create(effective_at=moment, day=moment.date(), new=2, old=1)
    client = api(alice)
    split, raw = (post(client, RUN, BODY | {"adjustment": kind}).json() for kind in ("split", "raw"))
    held = "buy_and_hold_return_percentage"
    assert split["tickers"][0][held] == pytest.approx(100 * (2 / 4.5 - 1))
    assert raw["tickers"][0][held] == pytest.approx(100 * (2 / 9 - 1))


def test_a_sweep_on_stored_bars_is_owed(api, alice, bars):
    body = {"tickers": ["UP"], "grid": {"fast": [1, 2], "slow": [3]}}
    response = post(api(alice), SWEEPS, body)
    assert (response.status_code, response.json()["combinations"]) == (202, 2)
    assert Sweep.objects.get().source == "stored"


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        ({}, "tickers", 400),
        ({"tickers": []}, "tickers", 400),
        ({"tickers": ["a b"]}, "tickers", 400),
        ({"tickers": ["UP", "UP"]}, "tickers", 400),
        ({"tickers": "UP"}, "tickers", 400),
        ({"tickers": ["UP"], "start": "yesterday"}, "start", 400),
        ({"tickers": ["UP"], "timeframe": "2d"}, "timeframe", 400),
        ({"tickers": ["UP"], "moon": 1}, "moon", 400),
        ({"tickers": ["UP"], "parameters": {"moon": 1}}, "moon", 400),
        ({"tickers": ["UP"], "parameters": 5}, "parameters", 400),
        ({"tickers": ["UP"], "strategy": ["macd"]}, "strategy", 400),
        ({"tickers": ["NONE"]}, "tickers", 422),
        ({"tickers": ["UP"], "start": "2030-01-01"}, "tickers", 422),
    ],
)
def test_what_is_wrong_is_named(api, alice, bars, body, field, status):
    response = post(api(alice), RUN, body)
    assert (response.status_code, fields_of(response)[0][0].partition(".")[0]) == (status, field)
    assert not Run.objects.exists()


@pytest.mark.parametrize("body", ["[]", "5", "null", '"x"', "{"])
def test_other_json_is_400(api, alice, body):
    assert api(alice).post(RUN, body, content_type="application/json").status_code == 400
