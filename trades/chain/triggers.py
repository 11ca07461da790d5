"""Append-only, by the database itself: triggers that refuse to change or remove what was booked.

They are installed after every migrate, for SQLite drops a table's triggers without a word when
Django rebuilds it. A version's `superseded_by` alone may be set, once, from nothing, to an entry that
is about to write its next version: of the same account, no booking, and without a version so far. (An
import may bring back what was voided: by the undoing of an import, under the id that a client gave it.)

On PostgreSQL the trades may be parted by month (trades/partitions.py): each month then has the same triggers, and
those of months.py.
"""

from contextlib import contextmanager

from django.core import checks
from django.db import DEFAULT_DB_ALIAS, connections

from tradeops.core.partitions import is_parted, months_of

from ..models import Activity, Adjustment, EntryKind, KeptAnswer, LedgerEntry, Trade
from . import months

# table -> the column that may be set once
KEPT = {LedgerEntry: None, KeptAnswer: None, Adjustment: None, Trade: "superseded_by_id", Activity: "superseded_by_id"}
SUPERSEDING = (EntryKind.CORRECTION, EntryKind.VOID, EntryKind.UNDO)
WRITES_FIRST_VERSIONS = tuple(str(kind) for kind in EntryKind if kind not in SUPERSEDING)
IS_WRITTEN = "EXISTS (SELECT 1 FROM {} AS version WHERE version.entry_id = NEW.superseded_by_id)"
TRADE_IS_WRITTEN, ACTIVITY_IS_WRITTEN = (IS_WRITTEN.format(model._meta.db_table) for model in (Trade, Activity))
SUPERSEDES = f"""
    EXISTS (SELECT 1 FROM {LedgerEntry._meta.db_table} AS entry WHERE entry.id = NEW.superseded_by_id
            AND entry.account_id = OLD.account_id
            AND (entry.kind NOT IN {WRITES_FIRST_VERSIONS} OR entry.kind = '{EntryKind.IMPORT}' AND OLD.is_void))
    AND NOT {ACTIVITY_IS_WRITTEN}
"""  # noqa: S608 - names of ours
FUNCTION = "trades_refuse_change"
ONCE_A_STATEMENT = "once a statement"  # months.py sees whether a trade is written: to look into all months takes long
INSERT, UPDATE, DELETE, TRUNCATE = "insert", "update", "delete", "truncate"


def trigger_name(table: str, event: str) -> str:
    return f"{table}_no_{event}"


def wanted(vendor: str) -> list[tuple[str, str]]:
    """Each table, and each month of one that is parted, with the name of each of its triggers."""
    # SQLite's INSERT OR REPLACE removes the old row without asking the delete trigger.
    third = INSERT if vendor == "sqlite" else TRUNCATE
    tables = [model._meta.db_table for model in KEPT]
    named = [(table, trigger_name(table, event)) for table in tables for event in (UPDATE, DELETE, third)]
    if is_parted(months.TABLE):
        named += [(months.TABLE, months.ONCE), (months.TABLE, months.NEXT)]
    return [(one, name) for table, name in named for one in (table, *months_of(table))]


# SQLite ------------------------------------------------------------------------------------


def sqlite_statements() -> list[str]:
    statements = []
    for model, settable in KEPT.items():
        table, key = model._meta.db_table, model._meta.pk.column
        refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        bodies = {
            UPDATE: f"BEFORE UPDATE ON {table} WHEN {sqlite_is_refused(model, settable)} {refuse}",
            DELETE: f"BEFORE DELETE ON {table} {refuse}",
            INSERT: f"BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) {refuse}",  # noqa: S608
        }
        statements += [f"CREATE TRIGGER {trigger_name(table, event)} {body}" for event, body in bodies.items()]
    return statements


def sqlite_is_refused(model, settable: str | None) -> str:
    if settable is None:
        return "1"
    columns = [field.column for field in model._meta.concrete_fields if field.column != settable]
    same = " AND ".join(f'OLD."{column}" IS NEW."{column}"' for column in columns)
    is_next = f"{SUPERSEDES} AND NOT {TRADE_IS_WRITTEN}"
    return f'NOT (OLD."{settable}" IS NULL AND NEW."{settable}" IS NOT NULL AND {same} AND {is_next})'


# PostgreSQL -----------------------------------------------------------------------------------


def postgresql_statements() -> list[str]:
    statements = [
        f"""CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $body$
        DECLARE settable text := TG_ARGV[0];
        BEGIN
            IF TG_OP = 'UPDATE' AND settable <> '' AND to_jsonb(OLD) ->> settable IS NULL
               AND to_jsonb(NEW) ->> settable IS NOT NULL
               AND to_jsonb(OLD) - settable = to_jsonb(NEW) - settable THEN
                IF {SUPERSEDES} THEN
                    IF TG_ARGV[1] = '{ONCE_A_STATEMENT}' OR NOT {TRADE_IS_WRITTEN} THEN
                        RETURN NEW;
                    END IF;
                END IF;
            END IF;
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $body$"""
    ]
    for model, settable in KEPT.items():
        statements += triggers_on(model._meta.db_table, settable or "")
    return statements


def triggers_on(table: str, settable: str) -> list[str]:
    """What lays them on a table. Those of a row a parted one hands on to its months, those of a statement not."""
    parts, is_month_wise = months_of(table), is_parted(table)
    given = f"'{settable}', '{ONCE_A_STATEMENT if is_month_wise else ''}'"
    made = [
        f"CREATE TRIGGER {trigger_name(table, event)} BEFORE {event} ON {one} "
        f"FOR EACH {unit} EXECUTE FUNCTION {FUNCTION}({given})"
        for event, unit, tables in (
            (UPDATE, "ROW", [table]),
            (DELETE, "ROW", [table]),
            (TRUNCATE, "STATEMENT", [table, *parts]),
        )
        for one in tables
    ]
    return made + (months.statements([table, *parts]) if is_month_wise else [])


# Both -------------------------------------------------------------------------------------------


def present(connection) -> set[tuple[str, str]]:
    if connection.vendor == "sqlite":
        query = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgenabled <> 'D'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        return set(cursor.fetchall())


def missing(connection) -> set[str]:
    there = present(connection)
    return {f"{name} on {table}" for table, name in wanted(connection.vendor) if (table, name) not in there}


def tables_are_there(connection) -> bool:
    return {model._meta.db_table for model in KEPT} <= set(connection.introspection.table_names())


def remove(connection) -> None:
    with connection.cursor() as cursor:
        for table, name in wanted(connection.vendor):
            on_table = "" if connection.vendor == "sqlite" else f" ON {table}"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on_table}")


def install(connection) -> None:
    """Installs all triggers anew, where the book's tables are there."""
    if not tables_are_there(connection):
        return
    remove(connection)
    statements = sqlite_statements() if connection.vendor == "sqlite" else postgresql_statements()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def install_after_migrate(sender, using=DEFAULT_DB_ALIAS, **kwargs) -> None:
    install(connections[using])


@contextmanager
def lifted(using: str = DEFAULT_DB_ALIAS):
    """Takes the triggers away for a while. For the tests' flush between two tests, and nothing else."""
    connection = connections[using]
    if tables_are_there(connection):
        remove(connection)
    try:
        yield
    finally:
        install(connection)


@checks.register(checks.Tags.database)
def check_triggers(app_configs, databases, **kwargs) -> list[checks.Error]:
    """An error for each database whose book could be changed."""
    errors = []
    for alias in databases or []:
        connection = connections[alias]
        if tables_are_there(connection) and missing(connection):
            names = ", ".join(sorted(missing(connection)))
            message = f"The book is not append-only: triggers are missing ({names})."
            errors.append(checks.Error(message, hint="Run manage.py migrate.", id="trades.E001"))
    return errors
