"""A past for the demo: generated days up to where the simulated feed begins."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType

from .models import Bar, Instrument, Quote, Source, Timeframe, Watchlist
from .samples import SampleBar, daily_bars, led_through
from .simulation import TICKERS, start_levels
from .ticks import from_micros
from .watchlists.services import save_watchlist

YEARS = 2
SEED = 7
WATCHED_NAME = "Large caps"
ONE_DAY = timedelta(days=1)
NO_SPLITS: Mapping[str, tuple[date, Decimal]] = MappingProxyType({})


def load_demo(
    today: date, paid: Mapping[str, Mapping[date, Decimal]], splits: Mapping[str, tuple[date, Decimal]] = NO_SPLITS
) -> None:
    """Stores bars of the days before `today`, once.

    paid     ticker -> day -> price; the demo's book has dealt at these, so the bars go through them
    splits   ticker -> day, units that one became; before that day prices are those of the old units
    """
    days = Bar.objects.filter(timeframe=Timeframe.DAY, source=Source.SIMULATED)
    if days.filter(start__lt=_midnight(today)).exists():
        return
    Instrument.objects.ensure(TICKERS)
    yesterday = today - ONE_DAY
    bars = []
    for ticker, begins_at in first_prices().items():
        prices = dict(paid.get(ticker, {})) | {yesterday: begins_at}
        day, units = splits.get(ticker, (date.min, Decimal(1)))
        known = {on: float(at / units if on < day else at) for on, at in prices.items()}
        led = led_through(daily_bars(ticker, YEARS, SEED, yesterday), known)
        bars += [_row(ticker, bar, units if bar.day < day else Decimal(1)) for bar in led]
    Bar.objects.bulk_create(bars, batch_size=1000)


def load_watchlist(user) -> None:
    """A list for `user` to begin with, once."""
    if not Watchlist.objects.visible_to(user).exists():
        save_watchlist(Watchlist(owner=user, name=WATCHED_NAME), TICKERS, actor=user)


def first_prices() -> dict[str, Decimal]:
    """Where the feed begins, or goes on."""
    levels = {ticker: from_micros(level) for ticker, level in start_levels(TICKERS).items()}
    quotes = Quote.objects.for_tickers(TICKERS).filter(source=Source.SIMULATED)
    return levels | {quote.ticker: quote.price for quote in quotes if quote.is_sound}


def _row(ticker: str, bar: SampleBar, units: Decimal) -> Bar:
    """The bar as it was stored on its day, when a unit was what `units` are now."""
    start = _midnight(bar.day)
    prices = {name: Decimal(f"{getattr(bar, name):.4f}") * units for name in ("open", "high", "low", "close")}
    return Bar(
        instrument_id=ticker,
        timeframe=Timeframe.DAY,
        start=start,
        ends_at=start + ONE_DAY,
        volume=int(bar.volume / units),
        source=Source.SIMULATED,
        is_final=True,
        **prices,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
