"""Says of a bar's correction that any source may make one; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("market", "0015_corrected_bars")]

    operations = [
        migrations.AlterField(
            model_name="bar",
            name="corrected_at",
            field=models.DateTimeField(help_text="When its source said otherwise than before.", null=True),
        ),
    ]
