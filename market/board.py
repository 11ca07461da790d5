"""The present state of a market: ticks in, quotes and alerts out.

It joins windows and rules and keeps the day's figures. Quotes and alerts are worked out from the ticks alone, so the
same ticks give the same ones, now or after a restart. Only of silence it must be told when prices are due: by nothing
in a replay, else by sessions and halts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import NamedTuple

import numpy as np

from .rules import PERCENT_CHANGE, Hit, Rule, Watch
from .ticks import Amendment, StoredTicks, TickBatch
from .windows import EVERYONE, Windows, change_percentages, means, places_of

DAY_MS = 86_400_000


class QuoteNow(NamedTuple):
    """One ticker as of its latest tick. Prices in micros, changes in percent.

    Of nothing else are so many made, and a tuple is made sooner than a frozen dataclass.
    """

    ticker: str
    price: int
    previous_close: int
    change_percentage: float
    change_1m_percentage: float | None
    average_5m: int
    samples_5m: int
    volume: int
    time: int


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that is due: the rule, the ticker's price, and its change over the rule's window in percent."""

    rule: Rule
    quote: QuoteNow
    change_percentage: float | None = None


@dataclass(frozen=True, slots=True)
class Flush:
    """What one batch of ticks came to; `fired` are the alerts that are due."""

    seq: int
    at_ms: int
    quotes: list[QuoteNow]
    fired: list[Fired]
    batch: TickBatch


@dataclass(frozen=True, slots=True)
class Start:
    """What a ticker begins with: prices in micros, `time` 0 when it has no tick yet."""

    price: int
    previous_close: int
    volume: int = 0
    time: int = 0


class Board:
    """All tickers of a feed.

    starts   by ticker; prices in micros
    seq      the number of the last flush
    rules    what alerts are made by, and `waiting`, where they stand (see rules.py)
    """

    def __init__(
        self,
        starts: Mapping[str, Start],
        seq: int = 0,
        *,
        rules: Sequence[Rule] = (),
        waiting: Mapping[str, Mapping[str, int]] | None = None,
    ):
        self.tickers = tuple(starts)
        self.seq = seq
        self.prices, self.closes, self.volumes, self.times = (
            np.array([getattr(start, name) for start in starts.values()], dtype=np.int64)
            for name in ("price", "previous_close", "volume", "time")
        )
        # No price is due of the quiet ones; of the others a silence is counted from when one was due again.
        self.quiet, self.due_since = np.zeros(len(starts), dtype=bool), np.zeros(len(starts), dtype=np.int64)
        self.windows = Windows(len(starts))
        self.watch = Watch((), self.tickers, {})
        self.take_rules(rules, waiting or {})

    def take_rules(self, rules: Sequence[Rule], waiting: Mapping[str, Mapping[str, int]]) -> None:
        """From now on goes by `rules`; each that `waiting` knows stands as it says there."""
        self.watch = Watch(rules, self.tickers, waiting)
        self.windows.keep_changes(self.watch.change_windows)

    def expect_nothing_of(self, tickers: Iterable[str]) -> None:
        """From now on no price of these is due, and of all others one is."""
        self.quiet = np.isin(np.array(self.tickers), list(tickers))

    def count_silence_from(self, moments: Mapping[str, int]) -> None:
        """No price of these was due before their moment, in milliseconds: what a feed that begins knows of the past."""
        self.due_since = np.array([moments.get(ticker, 0) for ticker in self.tickers], dtype=np.int64)

    def advance(self, batch: TickBatch) -> Flush:
        """Takes the next batch. Raises ValueError as `Windows.push` does."""
        # Before its prices: after a cut the first one that comes must not hide that there was none.
        self.due_since[self.quiet] = batch.at_ms
        heard = np.where(self.times > 0, np.maximum(self.times, self.due_since), 0)
        silent = [Fired(hit.rule, self._last(hit.place)) for hit in self.watch.check_silence(batch.at_ms, heard)]
        where = places_of(batch.indexes, len(self.tickers))
        self.windows.push(where, batch.times, batch.prices)
        self._turn_days(batch.indexes, batch.times, batch.prices)
        self.prices[batch.indexes] = batch.prices
        self.volumes[batch.indexes] += batch.volumes
        self.times[batch.indexes] = batch.times
        hits = self.watch.check(
            where, batch.times, batch.prices, lambda seconds: self.windows.references(where, seconds)
        )
        self.seq += 1
        quotes = list(self._quotes(batch.indexes))
        places = {place: row for row, place in enumerate(batch.indexes.tolist())} if hits else {}
        fired = [self._fired(hit, quotes[places[hit.place]]) for hit in hits]
        return Flush(seq=self.seq, at_ms=batch.at_ms, quotes=quotes, fired=silent + fired, batch=batch)

    def _fired(self, hit: Hit, quote: QuoteNow) -> Fired:
        if hit.rule.kind != PERCENT_CHANGE:
            return Fired(hit.rule, quote)
        reference = self.windows.references(np.array([hit.place]), hit.rule.window_seconds)
        return Fired(hit.rule, quote, float(change_percentages(np.array([quote.price]), reference)[0]))

    def _last(self, place: int) -> QuoteNow:
        """The quote of a ticker as it was before this batch."""
        (quote,) = self._quotes(np.array([place], dtype=np.int64))
        return quote

    def amend(self, amendment: Amendment, growth: int) -> None:
        """Goes by what was told of past ticks: their prices in the windows, and the volume of the day by `growth`."""
        place = self.tickers.index(amendment.ticker)
        self.windows.amend(place, amendment)
        if amendment.first // DAY_MS == self.times[place] // DAY_MS:
            self.volumes[place] = max(0, self.volumes[place] + growth)

    def rebuild(self, ticks: StoredTicks) -> None:
        """Fills the windows from stored ticks, oldest first; rules are restored from their own state."""
        places = {ticker: place for place, ticker in enumerate(self.tickers)}
        known = np.array([places.get(ticker, -1) for ticker in ticks.tickers], dtype=np.int64)
        if not len(ticks.seqs):
            return
        indexes = known[ticks.indexes]
        edges = np.flatnonzero(np.diff(ticks.seqs)) + 1
        for start, end in zip([0, *edges], [*edges, len(ticks.seqs)], strict=True):
            mine = np.arange(start, end)[indexes[start:end] >= 0]
            self.windows.push(indexes[mine], ticks.times[mine], ticks.prices[mine])

    def averages(self, now: int) -> list[tuple[str, int]]:
        """(ticker, mean of its prices of the 300 s to `now`, in micros) where there are any."""
        found = means(*self.windows.sums_and_counts(EVERYONE, now))
        return [(ticker, mean) for ticker, mean in zip(self.tickers, found, strict=True) if mean is not None]

    def _turn_days(self, indexes: np.ndarray, times: np.ndarray, prices: np.ndarray) -> None:
        """The last price before 00:00 UTC is the price at 00:00, and the volume begins anew.

        Of what begins without a price the first one counts as the close before.
        """
        before = self.times[indexes]
        turning = indexes[(before > 0) & (times // DAY_MS > before // DAY_MS)]
        self.closes[turning] = self.prices[turning]
        self.volumes[turning] = 0
        self.closes[indexes] = np.where(self.closes[indexes] > 0, self.closes[indexes], prices)

    def _quotes(self, indexes: np.ndarray) -> Iterator[QuoteNow]:
        prices, closes, references = self.prices[indexes], self.closes[indexes], self.windows.references(indexes)
        sums, counts = self.windows.sums_and_counts(indexes)
        columns = zip(
            indexes.tolist(), prices.tolist(), closes.tolist(), change_percentages(prices, closes).tolist(),
            change_percentages(prices, references).tolist(), means(sums, counts), counts.tolist(),
            self.volumes[indexes].tolist(), self.times[indexes].tolist(), strict=True,
        )  # fmt: skip
        for place, price, close, change, change_1m, mean, samples, volume, time in columns:
            yield QuoteNow(
                ticker=self.tickers[place],
                price=price,
                previous_close=close,
                change_percentage=change,
                change_1m_percentage=None if isnan(change_1m) else change_1m,
                average_5m=mean,
                samples_5m=samples,
                volume=volume,
                time=time,
            )


def starts_of(tickers: Sequence[str], levels: Mapping[str, int]) -> dict[str, Start]:
    """Fresh starts at `levels` (micros): no tick, no volume, the level as the previous close."""
    return {ticker: Start(price=levels[ticker], previous_close=levels[ticker]) for ticker in tickers}
