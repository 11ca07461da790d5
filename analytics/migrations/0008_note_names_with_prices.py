from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0007_tell_abandoned_revisions")]

    operations = [
        migrations.AlterField(
            model_name="revision",
            name="marks",
            field=models.JSONField(
                blank=True, default=dict, help_text="By account the prices and names it was made with."
            ),
        ),
    ]
