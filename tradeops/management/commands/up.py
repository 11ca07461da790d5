"""`manage.py up`: the whole desk with one command.

Nothing configured: one process. Daphne has the main thread and its loop, the feed is a task on
that loop, and the schedule and the job runner are threads beside it. With REDIS_URL: web, feed,
worker and beat are processes of their own, supervised.
"""

import asyncio
import contextlib
import signal
import sys
import threading
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics import demo as analytics_demo
from market import demo as market_demo
from market.feed import check_options, run_feed
from market.management.market_arguments import add_market_arguments, asked_characters
from market.models import Source
from strategies import demo as strategies_demo
from tradeops.address import check_address
from tradeops.core.database import alone, prepare_database
from tradeops.core.events import relay
from tradeops.core.jobs.embedded import JobRunner, Schedule
from tradeops.core.users import demo as users_demo
from tradeops.supervisor import Part, supervise
from trades import demo as trades_demo

if TYPE_CHECKING:
    from tradeops.server import DeskServer

STOPPED = "TradeOps has stopped."


class Command(BaseCommand):
    help = "Runs everything: pages, API, sockets, feed, worker and schedule."

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port (default $PORT or 8000)")
        parser.add_argument("--demo", action="store_true", help="load the demo users and their book")
        sources = [Source.SIMULATED.value, Source.ALPACA.value]
        parser.add_argument("--source", default=sources[0], choices=sources, help="of prices (default simulated)")
        parser.add_argument("--seed", type=int, default=None, help="seed of the simulated market")
        parser.add_argument("--speed", type=float, default=1.0, help="how fast the simulated market moves (default 1)")
        add_market_arguments(parser)
        parser.add_argument("--no-feed", action="store_true", help="without the market feed")

    def handle(self, **options):
        # A shell that starts us with & has us ignore Ctrl-C, and daphne would leave it so.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.check_options(**options)
        options["characters"] = asked_characters(options["tickers"], options["calibrate"])
        self.prepare(options["demo"])
        self.announce(options["host"], options["port"])
        if settings.REDIS_URL:
            self.run_processes(options)
            self.stdout.write(STOPPED)
        else:
            server = self.run_embedded(options)
            self.stdout.write(STOPPED)
            server.leave()

    def check_options(self, *, host: str, port: int, seed: int | None, speed: float, source: str, **options) -> None:
        try:
            check_options(seed=seed, speed=speed, source=source)
        except ValueError as error:
            raise CommandError(f"--{error}.") from error
        check_address(host, port)

    @alone()
    def prepare(self, demo: bool) -> None:
        prepare_database(self.stdout.write)
        if demo:
            trader, today = users_demo.load_demo(), timezone.now().date()
            market_demo.load_demo(today, trades_demo.prices_paid(today), trades_demo.splits(today))
            market_demo.load_watchlist(trader)
            trades_demo.load_demo(trader)
            strategies_demo.load_demo(trader)
            analytics_demo.load_demo(trader)

    def announce(self, host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        self.stdout.write(self.style.SUCCESS(f"TradeOps is starting on http://{shown}:{port}"))
        if settings.TRADEOPS_DEMO:
            logins = " or ".join(f"{name} / {password}" for name, password, _ in users_demo.DEMO_LOGINS)
            self.stdout.write(f"Demo login: {logins}   (from this machine you are the demo trader without one)")
        self.stdout.write("Stop it with Ctrl-C.")
        self.stdout.flush()

    # One process ---------------------------------------------------------------------

    def run_embedded(self, options: dict) -> "DeskServer":
        from tradeops.asgi import application
        from tradeops.server import DeskServer

        stop = threading.Event()
        threads = [JobRunner(stop), Schedule(stop)]
        feed = EmbeddedFeed(**{name: options[name] for name in ("source", "seed", "speed", "characters")})

        def begin() -> None:
            relay.server_loop = asyncio.get_running_loop()
            for thread in threads:
                thread.start()
            if not options["no_feed"]:
                feed.begin()

        server = DeskServer(application, host=options["host"], port=options["port"], when_running=begin)
        try:
            server.run()
        finally:
            stop.set()
            feed.end()
            for thread in threads:
                if thread.is_alive():
                    thread.join(timeout=10)
        return server

    # Processes -------------------------------------------------------------------------

    def run_processes(self, options: dict) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        supervise(self.parts(options), stop)

    def parts(self, options: dict) -> list[Part]:
        manage = [sys.executable, str(Path(sys.argv[0]).resolve())]
        celery = [sys.executable, "-m", "celery", "-A", "tradeops", "--quiet"]
        serve = [*manage, "serve", "--host", options["host"], "--port", str(options["port"])]
        parts = [
            Part("web", serve),
            Part("worker", [*celery, "worker", "--loglevel", "WARNING", "--concurrency", "2"]),
            Part("beat", [*celery, "beat", "--loglevel", "WARNING", "--pidfile", ""]),
        ]
        if not options["no_feed"]:
            named = {"source": "--source", "seed": "--seed", "tickers": "--tickers", "calibrate": "--calibrate"}
            given = [(flag, str(options[name])) for name, flag in named.items() if options.get(name) is not None]
            parts.append(Part("feed", [*manage, "feed", "--speed", str(options["speed"]), *chain.from_iterable(given)]))
        return parts


class EmbeddedFeed:
    """The feed as a task on the server's loop."""

    def __init__(self, **options):
        """`options` are those of `run_feed`."""
        self.options = options
        self.task: asyncio.Task | None = None
        self.stop: asyncio.Event | None = None

    def begin(self) -> None:
        self.stop = asyncio.Event()
        self.task = asyncio.ensure_future(run_feed(self.stop, **self.options))

    def end(self) -> None:
        """Called when the reactor has stopped: lets the feed put down its last ticks."""
        if self.task is None or self.task.done():
            return
        loop = self.task.get_loop()
        self.stop.set()
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            loop.run_until_complete(asyncio.wait_for(self.task, timeout=5))
