"""What the night costs: a day of a million trades to S3 and its analysis, and how soon a job begins that is owed.

`python -m bench.lake PART TRADES ROUNDS` measures one part in the world that the environment names, and prints it.
"""

import datetime as dt
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .ground import Ground
from .sizes import Size
from .tables import Table, Verdict

DAY, SMALL_DAY = dt.date(2024, 1, 1), dt.date(2024, 1, 2)
STEP = "80 milliseconds"  # a million of them are within the day ...
SMALL_DAY_FIRST = 1_100_001  # ... and from here on it is the next one
JOBS = 60
SUMMED = """
    select ticker, count(*), sum(quantity), sum(quantity) filter (trade_type = 'BUY'),
           sum(cast(quantity * price as decimal(38, 12))), arg_min(price, executed_at), arg_max(price, executed_at),
           max(price), min(price), sum(fees), sum(cast(realized_pnl as decimal(38, 12)))
    from '{path}' group by ticker order by ticker
"""


def measure(ground: Ground, size: Size) -> Iterator[Table]:
    """What the export of a day, its analysis and the start of a job cost, and what bare tools do."""
    world = ground.new_database() | ground.services.start_bucket()
    ground.manage(world, "migrate")
    ground.add_trades(world, 1, size.imported, STEP)
    ground.add_trades(world, SMALL_DAY_FIRST, SMALL_DAY_FIRST + size.imported // 10 - 1, STEP)

    def told(part: str) -> dict[str, list[float]]:
        command = [sys.executable, "-m", "bench.lake", part, str(size.imported), str(size.rounds)]
        return json.loads(ground.run(command, ground.environment(world)))

    yield export_table(size, told("export"))
    yield memory_table(size, told("memory of a tenth"), told("memory"))
    yield start_table(ground, world, told)


def export_table(size: Size, told: dict[str, list[float]]) -> Table:
    table = Table(f"A day of {size.imported:,} trades to S3", ["what", "seconds, median", "lowest to highest"])
    middle = {what: statistics.median(seconds) for what, seconds in told.items()}
    for what, seconds in told.items():
        table.rows.append([what, f"{middle[what]:.2f}", f"{min(seconds):.2f} to {max(seconds):.2f}"])
    table.notes.append(
        "COPY TO writes the same rows and columns in the same order, with what each realized, as they stand in the "
        "tables, into a file; then the same bytes of CSV and Parquet are put into the same bucket. DuckDB sums up the "
        "same figures."
    )
    bare = middle["COPY TO and a bare upload"]
    table.verdicts.append(Verdict("export against COPY TO and a bare upload", middle["export"] / bare, 1.5, True))
    table.verdicts.append(Verdict("analysis against DuckDB", middle["analysis"] / middle["DuckDB"], 3, True))
    return table


def memory_table(size: Size, few: dict[str, list[float]], many: dict[str, list[float]]) -> Table:
    table = Table("Memory of an export and its analysis", ["trades", "peak of the process, MB", "grown by, MB"])
    for count, told in ((size.imported // 10, few), (size.imported, many)):
        table.rows.append([f"{count:,}", f"{told['peak'][0]:.0f}", f"{told['peak'][0] - told['before'][0]:.0f}"])
    table.verdicts.append(Verdict("peak at ten times the rows", many["peak"][0] / few["peak"][0], 1.2, True))
    return table


def start_table(ground: Ground, world: dict[str, str], told: Callable) -> Table:
    columns = ["who", "median ms", "lowest ms", "90 % ms"]
    table = Table("From owing a job to its beginning, an idle worker of one process on the same Redis", columns)
    celery = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "bench.starts",
        "worker",
        "--concurrency",
        "1",
        "--loglevel",
        "ERROR",
    ]
    log = (ground.folder / "worker.log").open("w")
    with ground.running(celery, ground.environment(world), log):
        found = told("starts")
    for who, waits in found.items():
        waits.sort()
        table.rows.append(
            [who, *(f"{1000 * wait:.1f}" for wait in (statistics.median(waits), waits[0], waits[-JOBS // 10]))]
        )
    ours, bare = (statistics.median(found[who]) for who in ("TradeOps", "bare Celery"))
    table.notes.append(
        "Ours is a row that is committed before the worker is nudged, and that the worker claims before it begins: "
        "what is owed is not lost with Redis. Bare Celery's message goes straight to the task."
    )
    table.verdicts.append(Verdict("start of a job against bare Celery", ours / bare, 1.5, True))
    return table


# In a process of its own, with Django set up -----------------------------------------------


def export_seconds(rounds: int) -> dict[str, list[float]]:
    import duckdb

    told: dict[str, list[float]] = {what: [] for what in ("export", "COPY TO and a bare upload", "analysis", "DuckDB")}
    with tempfile.TemporaryDirectory(prefix="tradeops-bench-") as name:
        folder = Path(name)
        for _ in range(rounds + 1):  # the first one warms up, and is not told
            forget_files()
            told["export"].append(seconds_of(lambda: export(folder)))
            told["COPY TO and a bare upload"].append(seconds_of(lambda: copy_and_upload(folder)))
            told["analysis"].append(seconds_of(lambda: analyze(folder)))
            query = SUMMED.format(path=folder / "trades.parquet")
            told["DuckDB"].append(seconds_of(lambda query=query: duckdb.connect().execute(query).fetchall()))
    return {what: seconds[1:] for what, seconds in told.items()}


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def forget_files() -> None:
    """As if the day had never been made: a file that stands there already is not sent again."""
    from analytics.models import LakeFile, Revision

    LakeFile.objects.all().delete()
    Revision.objects.all().delete()


def export(folder: Path, day: dt.date = DAY) -> None:
    from analytics.day_files import make_trades
    from analytics.day_trades import CurrentTrades
    from analytics.revisions import keep_all

    keep_all(make_trades(folder, CurrentTrades(day)))


def analyze(folder: Path, day: dt.date = DAY) -> None:
    from analytics.report_columns import read_report_columns

    read_report_columns(day, folder / "trades.parquet").rows()


def copy_and_upload(folder: Path) -> None:
    from django.core.files.storage import storages
    from django.db import connection

    query = """
        COPY (SELECT t.trade_id, t.version, t.account_id, t.ticker, t.side, t.quantity, t.price, t.notional, t.fees,
                     realized.pnl, t.executed_at, entry.recorded_at, t.strategy, t.tags, t.note, t.client_trade_id
              FROM trades_trade t JOIN trades_ledgerentry entry ON entry.id = t.entry_id
              LEFT JOIN (SELECT closed_by, sum(pnl) pnl FROM trades_realization GROUP BY closed_by) realized
                     ON realized.closed_by = t.trade_id
              WHERE t.superseded_by_id IS NULL AND NOT t.is_void
                    AND t.executed_at >= '2024-01-01Z' AND t.executed_at < '2024-01-02Z'
              ORDER BY t.executed_at, t.trade_id) TO STDOUT (FORMAT csv)
    """
    with connection.cursor() as cursor, (folder / "bare.csv").open("wb") as file, cursor.copy(query) as copy:
        file.writelines(copy)
    bucket = storages["lake"].bucket
    for name in ("trades.csv", "trades.parquet"):
        with (folder / name).open("rb") as body:
            bucket.Object(f"bare/{name}").put(Body=body)


def memory_of(day: dt.date) -> dict[str, list[float]]:
    """The peak of this process in MB, once what the export needs is loaded, and after it."""
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    with tempfile.TemporaryDirectory(prefix="tradeops-bench-") as name:
        forget_files()
        before = peak_megabytes()
        export(Path(name), day)
        analyze(Path(name), day)
        return {"before": [before], "peak": [peak_megabytes()]}


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def start_seconds() -> dict[str, list[float]]:
    from bench.starts import begun_after, owe_one, send_one

    told: dict[str, list[float]] = {"TradeOps": [], "bare Celery": []}
    for number in range(JOBS + 5):  # the first ones find the worker still starting
        told["TradeOps"].append(begun_after(owe_one, number))
        told["bare Celery"].append(begun_after(send_one, number))
    return {who: waits[5:] for who, waits in told.items()}


def main(part: str, trades: int, rounds: int) -> dict[str, list[float]]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
    import django

    django.setup()
    if part == "starts":
        return start_seconds()
    return export_seconds(rounds) if part == "export" else memory_of(DAY if part == "memory" else SMALL_DAY)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
