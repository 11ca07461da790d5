"""`manage.py verify_ledger`: whether the book is whole."""

from itertools import islice

from django.core.management.base import BaseCommand, CommandError

from tradeops.core.database import require_prepared
from trades.chain.verification import counts, differences


class Command(BaseCommand):
    help = "Checks positions against a full fold of the book, and the chain of ledger entries."

    def add_arguments(self, parser):
        parser.add_argument("--all", action="store_true", help="name every difference and not only the first")

    def handle(self, *args, **options):
        require_prepared()
        found = list(differences() if options["all"] else islice(differences(), 1))
        if found:
            raise CommandError("\n".join(found), returncode=1)
        told = "The book is whole: {accounts} accounts, {entries} ledger entries, {positions} positions."
        self.stdout.write(told.format(**counts()))
