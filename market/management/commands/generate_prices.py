"""Sample daily prices as CSV files, one a ticker: the same seed gives the same bytes."""

import argparse
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from market.samples import as_csv, daily_bars
from market.tickers import is_ticker

MAX_TICKERS = 1000


class Command(BaseCommand):
    help = "Writes generated daily OHLCV prices, TICKER.csv for each ticker. The same seed gives the same bytes."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--tickers", default="AAPL,GOOGL,MSFT,TSLA", help="Comma-separated; default %(default)s.")
        parser.add_argument("--years", type=int, default=10, help="Years up to 2024-12-31, 1 to 60; default 10.")
        parser.add_argument("--seed", type=int, default=7, help="A whole number from 0; default 7.")
        parser.add_argument("--output", type=Path, default=Path("prices"), help="Folder; default %(default)s.")

    def handle(self, *args, **options) -> None:
        tickers, folder = self.tickers(options["tickers"]), options["output"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for ticker in tickers:
                bars = daily_bars(ticker, options["years"], options["seed"])
                path = folder / f"{ticker}.csv"
                path.write_bytes(as_csv(bars).encode())
                self.stdout.write(f"{path}: {len(bars):,} bars, {bars[0].day} to {bars[-1].day}")
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error

    def tickers(self, text: str) -> list[str]:
        """The distinct tickers of a comma-separated list, in its order."""
        names = list(dict.fromkeys(name.strip().upper() for name in text.split(",") if name.strip()))
        wrong = [name for name in names if not is_ticker(name)]
        if wrong or not names:
            raise CommandError(f"{wrong[0]!r} is not a ticker." if wrong else "There is no ticker.")
        if len(names) > MAX_TICKERS:
            raise CommandError(f"There are {len(names)} tickers; the most is {MAX_TICKERS}.")
        return names
