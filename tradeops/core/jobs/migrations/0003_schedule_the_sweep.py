"""The schedule's own row: the sweep that guarantees what is owed. It may be slowed or hastened in the admin."""

from django.db import migrations

NAME = "Sweep of owed jobs"


def schedule(apps, schema_editor):
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=15, period="seconds"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME,
        defaults={
            "task": "jobs.sweep",
            "interval": interval,
            # A sweep that waited longer than this is replaced by the next.
            "expire_seconds": 30,
            "description": "Does due jobs whatever became of their messages, and shows that the worker lives.",
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_show_life_of_running_jobs"), ("django_celery_beat", "0019_alter_periodictasks_options")]

    operations = [migrations.RunPython(schedule, unschedule)]
