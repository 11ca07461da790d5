"""`manage.py refold`: makes all that is derived from the book again, from its first events."""

from django.core.management.base import BaseCommand
from django.db import transaction

from tradeops.core.database import require_prepared
from trades.booking import acts
from trades.chain.verification import tickers_of
from trades.folding import refolding
from trades.models import Account, Position


class Command(BaseCommand):
    help = "Makes positions, lots, realizations and totals again from the book, account by account."

    def handle(self, *args, **options):
        require_prepared()
        for account in Account.objects.order_by("id"):
            with transaction.atomic():
                account = acts.lock(account)
                positions = refolding.refold(account, tickers_of(account))
                Position.objects.filter(account=account, event_count=0).delete()
                account.save(update_fields=["last_number"])  # pages that were kept are no longer right
            self.stdout.write(f"Account {account.pk}: {len(positions)} positions made again.")
