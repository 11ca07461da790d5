from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("market", "0017_count_changes_of_rules")]
    operations = [
        migrations.AddField(
            "feedstate",
            "flush_count",
            models.BigIntegerField(db_default=0, default=0, help_text="Flushes stored so far."),
        ),
        migrations.AddField(
            "feedstate",
            "tick_count",
            models.BigIntegerField(db_default=0, default=0, help_text="Ticks stored so far."),
        ),
    ]
