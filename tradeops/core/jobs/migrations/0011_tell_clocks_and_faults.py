"""A part that runs apart says by which clock it goes, and what is wrong with what it keeps, so that it is seen."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0010_find_what_is_owed_in_its_order")]

    operations = [
        migrations.AddField(
            model_name="heartbeat",
            name="machine_at",
            field=models.DateTimeField(help_text="The same moment by the clock of its own machine.", null=True),
        ),
        migrations.AddField(
            model_name="heartbeat",
            name="fault",
            # By the database too: a version before this one writes none.
            field=models.TextField(blank=True, db_default="", help_text="What is wrong, by its own words."),
        ),
    ]
