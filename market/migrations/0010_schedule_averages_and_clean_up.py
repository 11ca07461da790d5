"""The schedule's rows for the averages of prices and for forgetting old bars."""

from django.db import migrations

AVERAGES, CLEAN_UP = "Averages of prices", "Clean-up of old bars"


def schedule(apps, schema_editor):
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=5, period="minutes"
    )
    crontab, _ = apps.get_model("django_celery_beat", "CrontabSchedule").objects.get_or_create(
        minute="50", hour="3", day_of_week="*", day_of_month="*", month_of_year="*", timezone="UTC"
    )
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    tasks.get_or_create(
        name=AVERAGES,
        defaults={
            "task": "market.owe_averages",
            "interval": interval,
            "description": "Works out every ticker's mean price of the last five minutes; kept as the job's result for a day.",
        },
    )
    tasks.get_or_create(
        name=CLEAN_UP,
        defaults={
            "task": "market.owe_clean_up",
            "crontab": crontab,
            "description": "Removes the feed's 1-minute bars after 10 days and its 5-minute bars after 60.",
        },
    )


def unschedule(apps, schema_editor):
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=[AVERAGES, CLEAN_UP]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("market", "0009_the_seed_alert_as_a_rule"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [migrations.RunPython(schedule, unschedule)]
