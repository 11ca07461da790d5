from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_jobs")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="alive_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When its runner last showed life; silent for long, the job is taken again.",
                null=True,
            ),
        ),
    ]
