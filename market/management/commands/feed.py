"""`manage.py feed`: the market feed alone, with `--console` the board in the terminal."""

import asyncio
import signal

from django.core.management.base import BaseCommand, CommandError

from market.console import Console
from market.feed import SOURCES, check_options, run_feed
from market.models import Source
from tradeops.core.database import prepare_database


class Command(BaseCommand):
    help = "Runs the market feed. Several may be started: one makes prices, the others stand by for it."

    def add_arguments(self, parser):
        parser.add_argument(
            "--source", default=Source.SIMULATED.value, help=f"{', '.join(SOURCES)} (default simulated)"
        )
        parser.add_argument("--console", action="store_true", help="print the board, alerts and averages")
        parser.add_argument(
            "--seed", type=int, default=None, help="seed of the simulated market; another one begins anew"
        )
        parser.add_argument("--speed", type=float, default=1.0, help="how fast the simulated market moves (default 1)")

    def handle(self, *, source: str, console: bool, seed: int | None, speed: float, **options):
        try:
            check_options(source=source, seed=seed, speed=speed)
        except ValueError as error:
            raise CommandError(f"--{error}.") from error
        prepare_database(self.stdout.write)
        asyncio.run(self.run(console, source=source, seed=seed, speed=speed))

    async def run(self, shows_console: bool, **options) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if shows_console:
            console = Console(self.stdout, on_hang_up=stop.set)
            options |= {"on_flush": console.show, "on_wait": console.follow}
        await run_feed(stop, **options)
