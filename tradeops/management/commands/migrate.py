"""`manage.py migrate`: Django's, that holds nobody up for long while a desk runs."""

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError

from tradeops.core.bulk import is_held
from tradeops.core.database import waiting_briefly


class Command(migrate.Command):
    def handle(self, *arguments, **options) -> None:
        try:
            with waiting_briefly():
                super().handle(*arguments, **options)
        except OperationalError as error:
            if not is_held(error):
                raise
            raise CommandError(
                "A table is being read for long (by a dump, an export), and everybody else would wait behind this. "
                "Nothing of the migration named last was done: run it again."
            ) from error
