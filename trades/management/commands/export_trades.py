"""`manage.py export_trades`: all trades and activities of an account as CSV, to be opened or imported again."""

import contextlib
import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from tradeops.core.database import require_prepared
from tradeops.core.progress_bar import ProgressBar
from trades.export import book_pages
from trades.models import Account, Trade


class Command(BaseCommand):
    help = "Writes an account's trades and activities as CSV; import_trades brings them back as they were."

    def add_arguments(self, parser):
        parser.add_argument("--account", type=int, required=True, help="the account's id")
        parser.add_argument("--output", type=Path, help="the file to write; left out: the terminal")

    def handle(self, *args, **options):
        require_prepared()
        account = Account.objects.filter(pk=options["account"]).first()
        if account is None:
            raise CommandError(f"There is no account {options['account']}.")
        total = Trade.objects.current().filter(account=account).count() or 1
        bar = ProgressBar(sys.stderr, "Exporting")
        try:
            with self.opened(options["output"]) as file:
                for part in book_pages(account, lambda rows: bar(rows / total)):
                    file.write(part)
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror}.") from error
        finally:
            bar.close()

    def opened(self, path: Path | None):
        return path.open("wb") if path else contextlib.nullcontext(sys.stdout.buffer)
