"""The schedule's row for forgetting jobs that ended long ago."""

from django.db import migrations

NAME = "Clean-up of old jobs"


def schedule(apps, schema_editor):
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="10", hour="4", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={
            "task": "jobs.owe_clean_up",
            "crontab": crontab,
            "description": "Removes jobs that ended longer ago than JOBS_KEPT_DAYS, or FAILED_JOBS_KEPT_DAYS where they failed.",
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("jobs", "0007_find_jobs_by_their_end"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(schedule, unschedule)]
