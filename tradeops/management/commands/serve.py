"""`manage.py serve`: pages, API and sockets in one process, without feed, worker or schedule."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Serves pages, API and sockets. `manage.py up` runs this and everything else."

    def add_arguments(self, parser):
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port (default $PORT or 8000)")

    def handle(self, *, host: str, port: int, **options):
        from tradeops.asgi import application
        from tradeops.server import DeskServer, port_is_free

        if not port_is_free(host, port):
            raise CommandError(f"Port {port} on {host} is taken. Choose another one: PORT={port + 1}")
        DeskServer(application, host=host, port=port).run()
