"""Links every account's chain again: entries now name the day they close, and rows are hashed as netstrings.

What is derived is made again by `manage.py refold`, which `manage.py up` runs when it is due.
"""

from django.db import migrations
from django.db.models import F

from ..chain import links
from ..chain.triggers import remove


def link_again(apps, schema_editor):
    account_model, trade_model = apps.get_model("trades", "Account"), apps.get_model("trades", "Trade")
    account_model.objects.filter(opening_method="").update(opening_method=F("pnl_method"))
    trade_model.IDENTITY = "trade_id"
    trade_model.identity = property(lambda trade: trade.trade_id)
    remove(schema_editor.connection)  # the triggers: they are installed again after every migrate
    for account in account_model.objects.all():
        link_account(apps, account)


def link_account(apps, account) -> None:
    digest, recorded_at = "0" * 64, None
    entries = apps.get_model("trades", "LedgerEntry").objects.filter(account=account).order_by("number")
    for entry in entries.prefetch_related("trade_versions").iterator(chunk_size=500):
        recorded_at = max(recorded_at or entry.recorded_at, entry.recorded_at)
        entry.recorded_at = recorded_at
        entry.digest = digest = links.link(digest, entry, links.versions_digest(entry.trade_versions.all()))
        entry.save(update_fields=["recorded_at", "digest"])
    account.last_digest, account.last_recorded_at = digest, recorded_at
    account.save(update_fields=["last_digest", "last_recorded_at"])


class Migration(migrations.Migration):
    dependencies = [("trades", "0002_activities_and_totals")]
    operations = [migrations.RunPython(link_again, migrations.RunPython.noop)]
