"""`manage.py check_system`: exercises a running system end to end."""

from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from tradeops.system_check import System, advice, walk


class Command(BaseCommand):
    help = "Exercises a running system end to end and prints a line for each part; exit status 1 when one fails."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--base-url", default=f"http://127.0.0.1:{settings.PORT}", help="where the system runs")
        parser.add_argument("--token", help="an API token of scope trade; the demo needs none")
        parser.add_argument("--ca", metavar="FILE", help="certificates to trust, where an authority of your own signed")
        parser.add_argument("--book", action="store_true", help="book a small trade too, and void it")

    def handle(self, *, base_url: str, token: str | None, book: bool, ca: str | None = None, **options) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError(f"--base-url must be an address such as http://127.0.0.1:8000, not {base_url!r}.")
        if ca and not Path(ca).is_file():
            raise CommandError(f"--ca names no file: {ca!r}.")
        # Without a token it is the demo, whose book is there to be played with.
        failed, system = 0, System(base_url, token, may_book=book or not token, ca=ca)
        for result in walk(system):
            failed += result.mark == "FAIL"
            style = {"ok": self.style.SUCCESS, "FAIL": self.style.ERROR}.get(result.mark, self.style.WARNING)
            self.stdout.write(f"{style(f'{result.mark:<4}')}  {result.name:<14} {result.seen}")
        for line in advice(system):
            self.stdout.write(line)
        if failed:
            raise CommandError(f"{failed} of the parts failed.", returncode=1)
        self.stdout.write("Everything that was tried works.")
