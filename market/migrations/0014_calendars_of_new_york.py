"""The exchanges of New York have one calendar; the instruments that are known to be traded there get it."""

from django.db import migrations


def add_calendars(apps, schema_editor):
    instruments = apps.get_model("market", "Instrument").objects.filter(exchange__in=["NASDAQ", "NYSE"], calendar="")
    instruments.update(calendar="XNYS")


class Migration(migrations.Migration):
    dependencies = [("market", "0013_sessions_and_halts")]
    # Backward there is nothing to do: the column goes.
    operations = [migrations.RunPython(add_calendars, migrations.RunPython.noop)]
