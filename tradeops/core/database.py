"""The database as this version of the code needs it."""

from collections.abc import Callable

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def is_prepared() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def prepare_database(say: Callable[[str], object]) -> None:
    """Migrates where something is left to migrate, and tells `say` before it begins."""
    if not is_prepared():
        say("Preparing the database ...")
        call_command("migrate", verbosity=0, interactive=False)
