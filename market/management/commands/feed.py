"""`manage.py feed`: the market feed alone, with `--console` the board in the terminal."""

import asyncio
import signal
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from market.bars import LENGTHS
from market.console import Console
from market.feed import SOURCES, check_options, in_database, pause, run_feed
from market.management.market_arguments import add_market_arguments, asked_characters
from market.models import Replay, Source
from market.replaying import is_running, keep_tape, start_replay, tape_of_file
from tradeops.core.database import alone, prepare_database


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

        add_market_arguments(parser)
        parser.add_argument("--file", type=Path, help="of a replay: a CSV or Parquet file of ticks or bars")
        parser.add_argument("--timeframe", default="1m", choices=list(LENGTHS), help="of the file's bars (default 1m)")

    def handle(self, *, source: str, console: bool, seed: int | None, speed: float, file, timeframe: str, **options):
        try:
            check_options(source=source, seed=seed, speed=speed)
        except ValueError as error:
            raise CommandError(f"--{error}.") from error
        if (source == Source.REPLAY) != (file is not None):
            raise CommandError("--file and --source replay go together.")
        characters = asked_characters(options["tickers"], options["calibrate"])
        with alone():
            prepare_database(self.stdout.write)
        replay = self.begin_replay(file, timeframe, speed) if file else None
        asyncio.run(self.run(console, replay, source=source, seed=seed, speed=speed, characters=characters))

    def begin_replay(self, file: Path, timeframe: str, speed: float) -> Replay:
        """Keeps the file as a tape, and says that it is to be played."""
        try:
            replay = keep_tape(file.name[:80], tape_of_file(file.read_bytes(), timeframe), actor=None)
            start_replay(replay, speed, actor=None)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        return replay

    async def run(self, shows_console: bool, replay: Replay | None, **options) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if shows_console:
            console = Console(self.stdout, on_hang_up=stop.set)
            options |= {"on_flush": console.show, "on_wait": console.follow}
        watching = asyncio.ensure_future(stop_with(replay, stop)) if replay else None
        await run_feed(stop, **options)
        if watching is not None:
            await watching


async def stop_with(replay: Replay, stop: asyncio.Event) -> None:
    """Ends the feed with the replay that it was started for; the feed itself says when that is."""
    while not stop.is_set() and await in_database(is_running)(replay):
        await pause(stop, 0.5)
    stop.set()
