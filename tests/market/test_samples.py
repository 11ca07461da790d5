"""Sample prices: the same bytes for the same seed everywhere, sound bars, a believable look."""

import hashlib
from datetime import date, timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from market.samples import as_csv, daily_bars, led_through

pytestmark = pytest.mark.pure


def digest(ticker: str, years: int, seed: int) -> str:
    return hashlib.sha256(as_csv(daily_bars(ticker, years, seed)).encode()).hexdigest()


def test_the_bytes_of_a_seed_are_pinned():
    assert digest("AAPL", 10, 7) == "aafaf790caed7bf5f0e15372d413a3f537d90e1ee4c80d45081597f12f22112e"
    assert as_csv(daily_bars("AAPL", 1, 7)).splitlines()[:2] == [
        "date,open,high,low,close,volume",
        "2024-01-02,27.2982,27.9194,27.0135,27.8237,3410527",
    ]


def test_seed_and_ticker_each_have_their_own_prices():
    assert len({digest("AAPL", 1, 7), digest("AAPL", 1, 8), digest("MSFT", 1, 7), digest("ZZZZ", 1, 7)}) == 4


@pytest.mark.parametrize("ticker", ["AAPL", "NVDA", "BRK.B"])
def test_every_bar_is_sound(ticker):
    bars = daily_bars(ticker, 30, 3)
    assert all(0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert all(bar.volume > 0 for bar in bars)
    days = [bar.day for bar in bars]
    assert days == sorted(set(days))
    assert all(day.weekday() < 5 and (day.month, day.day) != (12, 25) for day in days)


def test_returns_look_like_those_of_a_share():
    closes = np.array([[bar.close for bar in daily_bars("AAPL", 20, seed)] for seed in range(5)])
    returns = closes[:, 1:] / closes[:, :-1] - 1
    spread = returns.std(axis=1)
    assert ((spread > 0.010) & (spread < 0.025)).all()
    # Fat tails, and calm follows calm: squares of neighboring days go together.
    assert (((returns - returns.mean()) ** 4).mean() / returns.var() ** 2) > 3.5
    squares = (returns**2) - (returns**2).mean(axis=1, keepdims=True)
    assert ((squares[:, 1:] * squares[:, :-1]).mean(axis=1) > 0).all()


@pytest.mark.parametrize("last_day", [date(2024, 2, 28), date(2024, 2, 29), date(2025, 12, 31), date(2023, 3, 31)])
def test_the_years_may_end_at_any_day(last_day):
    days = [bar.day for bar in daily_bars("AAPL", 2, 7, last_day)]
    assert timedelta(0) <= last_day - days[-1] < timedelta(days=4)
    assert 515 <= len(days) <= 525


def test_bars_are_led_through_known_prices_and_stay_sound():
    bars = daily_bars("AAPL", 1, 7)
    known = {bars[50].day: 100.0, bars[51].day: 90.5, date(2024, 6, 2): 70.25, bars[-1].day: 120.0}
    led = led_through(bars, known)
    by_day = {bar.day: bar.close for bar in led}
    # The second of June 2024 was a Sunday.
    assert [by_day[day] for day in (bars[50].day, bars[51].day, date(2024, 5, 31), bars[-1].day)] == [
        100.0, 90.5, 70.25, 120.0,
    ]  # fmt: skip
    assert all(0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in led)
    assert [(bar.day, bar.volume) for bar in led] == [(bar.day, bar.volume) for bar in bars]
    # Before the first known price the returns are the sample's own.
    assert led[10].close / led[9].close == pytest.approx(bars[10].close / bars[9].close, abs=1e-4)


@pytest.mark.parametrize(("years", "seed", "said"), [(0, 1, "years is 0"), (61, 1, "61"), (1, -1, "seed is -1")])
def test_bounds_are_named(years, seed, said):
    with pytest.raises(ValueError, match=said):
        daily_bars("AAPL", years, seed)


def test_the_command_writes_one_file_a_ticker_and_the_same_bytes_again(tmp_path, capsys):
    for folder in ("one", "two"):
        call_command("generate_prices", tickers="aapl, BRK.B", years=1, seed=5, output=tmp_path / folder)
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["AAPL.csv", "BRK.B.csv"]
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert b"\r" not in path.read_bytes()


@pytest.mark.parametrize(
    "options", [{"tickers": "../x"}, {"tickers": ","}, {"years": 0}, {"seed": -1}, {"tickers": "A" * 17}]
)
def test_the_command_refuses_in_plain_words(tmp_path, options):
    with pytest.raises(CommandError):
        call_command("generate_prices", output=tmp_path, **options)
