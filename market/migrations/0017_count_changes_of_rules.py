"""Every change of a rule is counted: by the count the feed sees that there was one, whatever the clocks say."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("market", "0016_bars_that_their_source_corrects")]
    operations = [
        migrations.RemoveIndex("alertrule", "alert_rule_changed"),
        migrations.AddField(
            "alertrule",
            "change_count",
            models.PositiveIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="Of every change: by it the feed sees that there was one.",
            ),
        ),
    ]
