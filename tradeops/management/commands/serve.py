"""`manage.py serve`: pages, API and sockets in one process, without feed, worker or schedule."""

from django.conf import settings
from django.core.management.base import BaseCommand

from tradeops.address import check_address


class Command(BaseCommand):
    help = "Serves pages, API and sockets. `manage.py up` runs this and everything else."

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port (default $PORT or 8000)")

    def handle(self, *, host: str, port: int, **options):
        check_address(host, port)
        # It installs the reactor of the process that imports it: not before it is to serve.
        from tradeops.asgi import application
        from tradeops.server import DeskServer

        server = DeskServer(application, host=host, port=port)
        server.run()
        server.leave()
