from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("market", "0014_calendars_of_new_york")]
    operations = [
        migrations.AddField(
            "bar",
            "corrected_at",
            models.DateTimeField(null=True, help_text="When an upload said otherwise than the one before."),
        ),
    ]
