from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_find_jobs_by_what_they_are_for")]

    operations = [
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", False)), fields=["finished_at"], name="job_finished"
            ),
        ),
    ]
