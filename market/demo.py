"""A past for the demo: generated days up to where the simulated feed begins."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from .models import Bar, Instrument, Quote, Source, Timeframe
from .samples import SampleBar, daily_bars, led_through
from .simulation import TICKERS, start_levels
from .ticks import from_micros

YEARS = 2
SEED = 7
ONE_DAY = timedelta(days=1)


def load_demo(today: date, paid: Mapping[str, Mapping[date, Decimal]]) -> None:
    """Stores bars of the days before `today`, once.

    paid   ticker -> day -> price; the demo's book has dealt at these, so the bars go through them
    """
    days = Bar.objects.filter(timeframe=Timeframe.DAY, source=Source.SIMULATED)
    if days.filter(start__lt=_midnight(today)).exists():
        return
    Instrument.objects.ensure(TICKERS)
    yesterday = today - ONE_DAY
    bars = []
    for ticker, begins_at in first_prices().items():
        prices = dict(paid.get(ticker, {})) | {yesterday: begins_at}
        sample = daily_bars(ticker, YEARS, SEED, yesterday)
        bars += [_row(ticker, bar) for bar in led_through(sample, {day: float(at) for day, at in prices.items()})]
    Bar.objects.bulk_create(bars, batch_size=1000)


def first_prices() -> dict[str, Decimal]:
    """Where the feed begins, or goes on."""
    levels = {ticker: from_micros(level) for ticker, level in start_levels(TICKERS).items()}
    quotes = Quote.objects.for_tickers(TICKERS).filter(source=Source.SIMULATED)
    return levels | {quote.ticker: quote.price for quote in quotes if quote.is_sound}


def _row(ticker: str, bar: SampleBar) -> Bar:
    start = _midnight(bar.day)
    return Bar(
        instrument_id=ticker,
        timeframe=Timeframe.DAY,
        start=start,
        ends_at=start + ONE_DAY,
        open=Decimal(f"{bar.open:.4f}"),
        high=Decimal(f"{bar.high:.4f}"),
        low=Decimal(f"{bar.low:.4f}"),
        close=Decimal(f"{bar.close:.4f}"),
        volume=bar.volume,
        source=Source.SIMULATED,
        is_final=True,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
