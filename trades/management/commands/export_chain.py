"""`manage.py export_chain --account N`: an account's chain of entries, for deploy/check_chain.py."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from tradeops.core.database import require_prepared
from trades.chain.walk import export_lines
from trades.models import Account


class Command(BaseCommand):
    help = "Writes an account's ledger entries and their rows as JSON lines that can be checked without the desk."

    def add_arguments(self, parser):
        parser.add_argument("--account", type=int, required=True)
        parser.add_argument("--output", type=Path, help="a file; left out, the terminal")

    def handle(self, *args, account: int, output: Path | None, **options):
        require_prepared()
        found = Account.objects.filter(pk=account).first()
        if found is None:
            raise CommandError(f"There is no account {account}.")
        if output is None:
            self.stdout.writelines(export_lines(found))
            return
        with output.open("w", encoding="utf-8") as file:
            file.writelines(export_lines(found))
        self.stderr.write(f"{found.last_number} entries, head {found.last_digest}.")
