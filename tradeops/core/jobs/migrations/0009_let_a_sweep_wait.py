"""A sweep expires no more: a worker whose clock is ahead of the beat's would have let go of each."""

from django.db import migrations


def keep(apps, schema_editor):
    sweeps = apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(task="jobs.sweep", expire_seconds=30)
    sweeps.update(expire_seconds=None)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0008_schedule_the_clean_up")]

    operations = [migrations.RunPython(keep, migrations.RunPython.noop)]
