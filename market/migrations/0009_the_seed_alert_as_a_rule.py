"""The +2 % in a minute that always fired becomes a rule of everybody's, and the alerts it made are its own."""

from decimal import Decimal

from django.db import migrations


def add_rule(apps, schema_editor):
    AlertRule, Alert, FeedState = (apps.get_model("market", name) for name in ("AlertRule", "Alert", "FeedState"))
    rule = AlertRule.objects.create(kind="percent_change", threshold=Decimal(2), direction="up", window_seconds=60)
    Alert.objects.update(rule=rule)
    for state in FeedState.objects.all():
        # Where a ticker stood, by ticker; from now on by rule and ticker.
        state.rules = {f"{rule.pk}.1": state.rules}
        state.save(update_fields=["rules"])


def forget_rule(apps, schema_editor):
    FeedState = apps.get_model("market", "FeedState")
    for state in FeedState.objects.all():
        state.rules = next(iter(state.rules.values()), {})
        state.save(update_fields=["rules"])


class Migration(migrations.Migration):
    dependencies = [("market", "0008_alert_rules")]
    operations = [migrations.RunPython(add_rule, forget_rule)]
