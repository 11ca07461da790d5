"""`manage.py feed`: the market feed alone, with `--console` the board in the terminal."""

import asyncio
import signal

from django.core.management.base import BaseCommand, CommandError

from market.console import Console
from market.feed import SOURCES, run_feed
from market.models import Source


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
        if source not in SOURCES:
            raise CommandError(f"--source must be {' or '.join(SOURCES)}, not {source!r}.")
        if not 0 < speed <= 1000:
            raise CommandError(f"--speed must be above 0 and at most 1000, not {speed:g}.")
        if seed is not None and not 0 <= seed < 2**63:
            raise CommandError("--seed must be from 0 to 2**63-1.")
        shown = Console(self.stdout) if console else None
        asyncio.run(self.run(shown, source=source, seed=seed, speed=speed))

    async def run(self, console: Console | None, **options) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if console is None:
            await run_feed(stop, **options)
        else:
            await run_feed(stop, on_flush=console.show, on_wait=console.follow, **options)
