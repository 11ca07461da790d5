"""A million trades brought in and taken out again: against PostgreSQL's own COPY of the same rows into, and out of, the
same table with its indexes.

`python -m bench.imports TRADES` measures in the world that the environment names, and prints the seconds.
"""

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .ground import Ground
from .sizes import Size
from .tables import Table, Verdict

TICKERS = 200
PIECE = 1024 * 1024


def measure(ground: Ground, size: Size) -> Iterator[Table]:
    """What an import and an export of a million trades cost, and what COPY does."""
    world = ground.new_database()
    ground.manage(world, "migrate")
    command = [sys.executable, "-m", "bench.imports", str(size.imported)]
    told = json.loads(ground.run(command, ground.environment(world)))
    table = Table(f"{size.imported:,} trades in and out of PostgreSQL", ["what", "seconds", "trades/s"])
    for what in ("import", "COPY FROM", "export", "COPY TO"):
        table.rows.append([what, f"{told[what]:.1f}", f"{size.imported / told[what]:,.0f}"])
    table.notes.append(
        "The import checks every cell, chains the rows' digests, folds the positions and writes what is derived "
        f"({told['realizations']:,} realizations); COPY FROM puts the same rows into the same table, with its indexes "
        "and foreign keys. The export is safe to open, with what each trade realized; COPY TO writes the table's CSV."
    )
    table.verdicts.append(Verdict("import against COPY FROM", told["import"] / told["COPY FROM"], 2, is_ceiling=True))
    table.verdicts.append(Verdict("export against COPY TO", told["export"] / told["COPY TO"], 2, is_ceiling=True))
    yield table


# In a process of its own, with Django set up -----------------------------------------------


def seconds_of(trades: int) -> dict[str, float]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
    import django

    django.setup()
    with tempfile.TemporaryDirectory(prefix="tradeops-bench-") as folder:
        path = Path(folder)
        write_file(path / "trades.csv", trades)
        told = measure_import(path / "trades.csv", trades)
        told |= measure_export(path / "exported.csv")
        return told | measure_copy(path / "rows.copy")


def write_file(path: Path, trades: int) -> None:
    """A broker's file, always the same one: whole shares, cents, buys and sells that keep positions near flat."""
    chance, at = random.Random(7), datetime(2020, 1, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write("ticker,trade_type,quantity,price,executed_at,fees,client_trade_id\n")
        for number in range(trades):
            at += timedelta(seconds=chance.randint(1, 200))
            file.write(
                f"T{chance.randrange(TICKERS):03d},{chance.choice(('BUY', 'SELL'))},{chance.randint(1, 500)},"
                f"{chance.randint(100, 50_000) / 100:.2f},{at:%Y-%m-%dT%H:%M:%SZ},"
                f"{chance.randint(0, 200) / 100:.2f},broker-{number}\n"
            )


def measure_import(path: Path, trades: int) -> dict[str, float]:
    from tradeops.core.users.models import User
    from trades.importing.services import import_file
    from trades.models import ImportBatch, Realization
    from trades.services import default_account

    user = User.objects.create_user("trader")
    batch = ImportBatch(account=default_account(user), actor=user, file_name=path.name)
    with path.open("rb") as file:
        began = time.perf_counter()
        import_file(batch, file, actor=user)
        seconds = time.perf_counter() - began
    if batch.imported_count != trades:
        raise AssertionError(f"{batch.imported_count} trades were imported, and not {trades}.")
    return {"import": seconds, "realizations": Realization.objects.count()}


def measure_export(path: Path) -> dict[str, float]:
    from django.db import connection

    from trades.export import csv_pages
    from trades.models import Trade

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # so that both read the same, settled tables
        began = time.perf_counter()
        with path.open("wb") as file:
            file.writelines(csv_pages(Trade.objects.current(), ("-executed_at", "-trade_id")))
        export = time.perf_counter() - began
        began = time.perf_counter()
        copy_out(cursor, "COPY trades_trade TO STDOUT (FORMAT csv)", path)
        return {"export": export, "COPY TO": time.perf_counter() - began}


def measure_copy(path: Path) -> dict[str, float]:
    """The same rows into the same table, emptied: as `psql \\copy` does it."""
    from django.db import connection

    with connection.cursor() as cursor:
        copy_out(cursor, "COPY trades_trade TO STDOUT", path)
        cursor.execute("ALTER TABLE trades_trade DISABLE TRIGGER USER")
        cursor.execute("TRUNCATE trades_trade")
        began = time.perf_counter()
        with cursor.copy("COPY trades_trade FROM STDIN") as copy, path.open("rb") as file:
            while piece := file.read(PIECE):
                copy.write(piece)
        return {"COPY FROM": time.perf_counter() - began}


def copy_out(cursor, query: str, path: Path) -> None:
    with cursor.copy(query) as copy, path.open("wb") as file:
        file.writelines(copy)


if __name__ == "__main__":
    print(json.dumps(seconds_of(int(sys.argv[1]))))
