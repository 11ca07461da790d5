"""`manage.py serve_http`: pages and API for many clients at once; `/ws` stays with `manage.py serve`.

Behind a proxy that sends `/ws` there and the rest here: Django by threads costs a third of what it does under ASGI,
and plain bookings that wait together are read by one thread and share one commit (see tradeops/intake.py).
"""

from functools import partial

from django.conf import settings
from django.core.management.base import BaseCommand
from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from tradeops.address import check_address
from tradeops.supervisor import die_with_parent

THREADS = 32
MOST_AT_ONCE = 1024  # connections with a request under way
HEADERS_MAX_BYTES = 65_536


class Command(BaseCommand):
    help = "Serves pages and API, without sockets; the web process for many clients at once."

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port (default $PORT or 8000)")
        parser.add_argument(
            "--threads", type=int, default=THREADS, help=f"threads for Django's requests (default {THREADS})"
        )

    def handle(self, *, host: str, port: int, threads: int, **options):
        check_address(host, port)
        server = Granian(
            "tradeops.intake:Intake",
            address=host.strip("[]"),
            port=port,
            interface=Interfaces.RSGI,
            loop=Loops.uvloop,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(max_buffer_size=HEADERS_MAX_BYTES),
            websockets=False,
            backpressure=MOST_AT_ONCE,
            log_level=LogLevels.error,
        )
        server.serve(target_loader=partial(load_application, threads), wrap_loader=False)


def load_application(threads: int):
    """The application, in the worker process: it must not outlive the one that started it."""
    die_with_parent()
    import tradeops.wsgi  # noqa: F401 - sets Django up
    from tradeops.intake import Intake

    return Intake(threads)
