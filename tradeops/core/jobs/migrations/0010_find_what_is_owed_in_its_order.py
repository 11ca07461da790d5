"""Of many jobs that are due the oldest is found without a look at the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0009_let_a_sweep_wait")]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                fields=["due_at", "id"], condition=models.Q(finished_at__isnull=True), name="job_owed"
            ),
        ),
    ]
