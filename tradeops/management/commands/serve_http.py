"""`manage.py serve_http`: pages and API by threads, for many clients at once; `/ws` stays with `manage.py serve`.

Behind a proxy that sends `/ws` there and the rest here: under WSGI a request costs a third of what it does
under ASGI, and threads that wait together share one commit of the book (see trades/booking/group_commit.py).
"""

from django.conf import settings
from django.core.management.base import BaseCommand
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from tradeops.address import check_address
from tradeops.supervisor import die_with_parent

THREADS = 64
HEADERS_MAX_BYTES = 65_536


class Command(BaseCommand):
    help = "Serves pages and API by threads, without sockets; the web process for many clients at once."

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port (default $PORT or 8000)")
        parser.add_argument(
            "--threads", type=int, default=THREADS, help=f"requests answered at once (default {THREADS})"
        )

    def handle(self, *, host: str, port: int, threads: int, **options):
        check_address(host, port)
        server = Granian(
            "tradeops.wsgi:application",
            address=host.strip("[]"),
            port=port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(max_buffer_size=HEADERS_MAX_BYTES),
            websockets=False,
            blocking_threads=threads,
            backpressure=threads,
            log_level=LogLevels.error,
        )
        server.serve(target_loader=load_application, wrap_loader=False)


def load_application():
    """The application, in the worker process: it must not outlive the one that started it."""
    die_with_parent()
    from tradeops.wsgi import application

    return application
