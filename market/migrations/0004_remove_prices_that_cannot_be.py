"""Quotes and alerts of a price that no market has: the feed makes none, and the next migration allows none."""

from decimal import Decimal

from django.db import migrations


def remove(apps, schema_editor):
    for name in ("Quote", "Alert"):
        apps.get_model("market", name).objects.filter(price__lte=Decimal(0)).delete()


class Migration(migrations.Migration):
    dependencies = [("market", "0003_bars_marks_splits")]
    operations = [migrations.RunPython(remove, migrations.RunPython.noop)]
