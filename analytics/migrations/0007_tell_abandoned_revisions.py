from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analytics", "0006_schedule_the_reconciliation")]

    operations = [
        migrations.AddField(
            model_name="revision",
            name="is_abandoned",
            field=models.BooleanField(
                default=False, db_default=False, help_text="Its maker ended before it was put: nobody read it."
            ),
        ),
    ]
