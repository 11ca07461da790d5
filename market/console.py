"""The live board in a terminal: a line a flush, alerts as they fire, averages in turn."""

from collections.abc import Callable, Iterable

from channels.db import database_sync_to_async

from .alerting.writing import words_of
from .board import Fired, Flush, QuoteNow
from .frames import AVERAGES_EVERY_MS, alert_words
from .models import Alert, FeedState, Quote
from .rules import PERCENT_CHANGE
from .ticks import MICROS, from_micros

AVERAGES_AT_ONCE = 3


class Console:
    """Prints flushes of this process, or the stored prices of another that runs the feed.

    on_hang_up   called when nobody reads the output any more
    """

    def __init__(self, output, on_hang_up: Callable[[], object] = lambda: None):
        self.output, self.on_hang_up = output, on_hang_up
        self.latest: dict[str, QuoteNow] = {}
        self.averaged_ms = self.turn = 0
        self.followed: tuple[str, int] | None = None
        self.last_alert = 0

    def show(self, flush: Flush) -> None:
        self.show_board(flush.quotes)
        for fired in flush.fired:
            self.show_alert(words_of_fired(fired))
        self.show_averages(flush.at_ms)

    def show_board(self, quotes: Iterable[QuoteNow]) -> None:
        quotes = sorted(quotes, key=lambda quote: quote.ticker)
        self.latest |= {quote.ticker: quote for quote in quotes}
        if quotes:
            self.write("Broadcasting " + "  ".join(map(board_cell, quotes)))

    def show_alert(self, message: str) -> None:
        self.write(f"PRICE ALERT: {message}!")

    def show_averages(self, now_ms: int) -> None:
        """A few tickers every five seconds, all of them in turn."""
        if now_ms - self.averaged_ms < AVERAGES_EVERY_MS or not self.latest:
            return
        self.averaged_ms = now_ms
        tickers = sorted(self.latest)
        for place in range(self.turn, self.turn + AVERAGES_AT_ONCE):
            quote = self.latest[tickers[place % len(tickers)]]
            self.write(f"5-min average for {quote.ticker}: ${from_micros(quote.average_5m):,.2f}")
        self.turn = (self.turn + AVERAGES_AT_ONCE) % len(tickers)

    async def follow(self) -> None:
        """Shows what another process stored since the last call."""
        await database_sync_to_async(self.read_stored)()

    def read_stored(self) -> None:
        state = FeedState.objects.current()
        if self.followed is None:
            self.write("Another process runs the feed; these are its prices. This one takes over when it stops.")
            self.last_alert = Alert.objects.values_list("pk", flat=True).order_by("-pk").first() or 0
        if self.followed is None or self.followed[0] != state.epoch:
            self.followed = (state.epoch, 0)
        quotes = list(Quote.objects.since(self.followed[1]))
        self.followed = (state.epoch, max([quote.seq for quote in quotes], default=self.followed[1]))
        self.show_board(quote.as_now() for quote in quotes if quote.is_sound)
        for alert in Alert.objects.filter(pk__gt=self.last_alert, owner=None).order_by("pk")[:100]:
            self.last_alert = alert.pk
            self.show_alert(words_of(alert))
        self.show_averages(max([quote.time for quote in self.latest.values()], default=0))

    def write(self, line: str) -> None:
        try:
            self.output.write(line)
            self.output.flush()
        except BrokenPipeError:  # `| head` has seen enough
            self.on_hang_up()


def words_of_fired(fired: Fired) -> str:
    rule, quote = fired.rule, fired.quote
    threshold = rule.threshold / (100 if rule.kind == PERCENT_CHANGE else MICROS)
    price = from_micros(quote.price)
    return alert_words(rule.kind, quote.ticker, price, fired.change_percentage, rule.window_seconds, threshold)


def board_cell(quote: QuoteNow) -> str:
    """ "AAPL: $155.23 (+1.85%)"; never "-0.00%"."""
    change = round(quote.change_percentage, 2) + 0.0
    return f"{quote.ticker}: ${from_micros(quote.price):,.2f} ({change:+.2f}%)"
