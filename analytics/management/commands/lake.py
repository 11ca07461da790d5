"""`manage.py lake`: make days, hold the lake against the book, ask it in SQL, make again what was once sent."""

import argparse
import csv
import datetime as dt
import json
import math
import os
import shutil
import sys
import tempfile
from itertools import chain, islice
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from analytics import services, statements
from analytics.archive import Reproduction, differences_today, reproduce
from analytics.checking import check_lake, check_revisions, days_to_check
from analytics.lake import LakeError, words_of
from analytics.layout import object_key, plain
from analytics.models import Revision
from analytics.query import QueryError, run_query
from analytics.standing import check_elsewhere
from tradeops.core.csvfile import safe_text
from tradeops.core.database import require_prepared
from tradeops.core.jobs.clock import clock

DIFFERENCES_SHOWN = 100
CELL_CHARACTERS, MOST_TABLE_ROWS = 40, 100_000


def parse_day(text: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2025-01-15") from None


def parse_rows(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_TABLE_ROWS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows from 1 to {MOST_TABLE_ROWS}")
    return int(text)


class Command(BaseCommand):
    help = "The lake: make a day's files, check them against the book, query them, reproduce what was once sent."

    def add_arguments(self, parser):
        verbs = parser.add_subparsers(dest="verb", required=True)
        make = verbs.add_parser("make", help="make the files of days, now")
        make.add_argument("days", nargs="+", type=parse_day, metavar="DAY", help="a UTC day, such as 2025-01-15")
        check = verbs.add_parser("check", help="hold every file against its checksum, the book and the chains")
        check.add_argument("--since", type=parse_day, metavar="DAY", help="the first day to check")
        check.add_argument("--until", type=parse_day, metavar="DAY", help="the last one")
        check.add_argument("--reproduce", action="store_true", help="also make every revision and statement again")
        query = verbs.add_parser("query", help="SQL over the tables trades, analytics and accounts, for reading")
        query.add_argument("sql", help='such as "select ticker, sum(quantity) from trades group by 1"')
        query.add_argument("--format", choices=("table", "csv", "json"), default="table")
        query.add_argument("--rows", type=parse_rows, default=200, help="the most rows of a table (default 200)")
        again = verbs.add_parser("reproduce", help="make a revision again, to the byte, and list what differs today")
        again.add_argument("file", help="a day (2025-01-15: its trades) or a file's key")
        again.add_argument("--revision", type=int, help="its number (default: the first)")
        again.add_argument("--output", type=Path, metavar="FILE", help="where to leave the bytes")

    def handle(self, *, verb: str, **options):
        require_prepared()
        try:
            getattr(self, f"{verb}_files")(options)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (LakeError, ValueError, argparse.ArgumentTypeError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:  # of this machine: no room for what is being made, say
            raise CommandError(f"{words_of(error)}: nothing was changed by what failed.") from error

    def make_files(self, options) -> None:
        for day in options["days"]:
            services.check_exportable(day)
            keys = services.make_day(day)["keys"]
            keys += statements.make_statements(day)["keys"] if day < clock.now().date() else []
            self.stdout.write(f"{day}: {', '.join(keys)}")

    # Held against the book

    def check_files(self, options) -> None:
        first, last = options["since"], options["until"]
        if first and last and last < first:
            raise CommandError(f"There is no day from {first} to {last}.")
        days = days_to_check(first, last)
        findings = chain(
            check_lake(days),
            chain.from_iterable(map(check_revisions, days)) if options["reproduce"] else (),
            () if first or last else check_elsewhere(),
        )
        count = 0
        for finding in findings:
            count += 1
            self.stdout.write(self.style.ERROR(str(finding)))
        if count:
            raise CommandError(f"{counted(count, 'finding')} in {counted(len(days), 'day')}.", returncode=1)
        said = "The lake is whole and says what the book says" if days else "Neither lake nor book has anything there"
        self.stdout.write(f"{said}: {counted(len(days), 'day')}.")

    # Asked

    def query_files(self, options) -> None:
        try:
            with run_query(options["sql"]) as answer:
                getattr(self, f"write_{options['format']}")(answer, options["rows"])
        except QueryError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None
        except BrokenPipeError:  # who reads has enough; what is left in the buffer goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def write_csv(self, answer, _) -> None:
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([safe(value) for value in row] for row in answer.rows)

    def write_json(self, answer, _) -> None:
        if len(set(answer.columns)) < len(answer.columns):
            raise QueryError(f"Two columns have one name in {', '.join(answer.columns)}: name them apart for JSON.")
        for row in answer.rows:
            self.stdout.write(json.dumps(dict(zip(answer.columns, map(as_json, row), strict=True))))

    def write_table(self, answer, most: int) -> None:
        rows = [[shown(value) for value in row] for row in islice(answer.rows, most)]
        widths = [max(map(len, column)) for column in zip(answer.columns, *rows, strict=True)]
        for row in [answer.columns, *rows]:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())
        if next(answer.rows, None) is not None:
            self.stdout.write(f"The first {most} rows; --rows or --format csv shows more.")

    # Made again

    def reproduce_files(self, options) -> None:
        revision = find_revision(options["file"], options["revision"])
        with tempfile.TemporaryDirectory(prefix="tradeops-") as folder:
            made = made_again(revision, Path(folder))
            if options["output"]:
                leave(made.path, options["output"])
        self.stdout.write(
            f"{revision.file_key} revision {revision.number}, {counted(revision.rows, 'row')}, SHA-256 {made.sha256}"
        )
        self.list_differences(revision)
        if not made.is_same:
            reason = made.reason or "the book of then is no longer what it was"
            raise CommandError(f"It is not what was sent, which was {revision.sha256}: {reason}.", returncode=1)
        self.stdout.write(self.style.SUCCESS("The same to the byte as was sent."))

    def list_differences(self, revision: Revision) -> None:
        if not revision.is_comparable:
            return
        try:
            found = differences_today(revision)
        except (LakeError, ValueError) as error:  # which says nothing of whether it can be made again
            self.stdout.write(self.style.WARNING(f"What differs today is not told: {error}"))
            return
        for difference in found[:DIFFERENCES_SHOWN]:
            self.stdout.write(f"  {difference}")
        self.stdout.write(
            f"{counted(len(found), 'trade')} {'differs' if len(found) == 1 else 'differ'} with what is known today."
        )


def made_again(revision: Revision, folder: Path) -> Reproduction:
    try:
        return reproduce(revision, folder)
    except ValueError as error:
        raise CommandError(f"{revision.file_key} cannot be made again: {error}.") from error


def leave(path: Path, target: Path) -> None:
    try:
        shutil.copyfile(path, target)
    except OSError as error:
        raise CommandError(f"{target} cannot be written: {error.strerror}.") from error


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def find_revision(file: str, number: int | None) -> Revision:
    """A revision of the file that a day or a key names. Raises ValueError where there is none."""
    key = file
    if "/" not in file:
        key = object_key("trades", parse_day(file))
    revisions = Revision.objects.filter(file_key=key, is_abandoned=False)
    chosen = revisions.filter(number=number) if number is not None else revisions.order_by("number")
    revision = chosen.first()
    if revision is None:
        kept = ", ".join(map(str, revisions.order_by("number").values_list("number", flat=True)))
        raise ValueError(f"There is no such revision of {key}; there are {kept or 'none'}.")
    return revision


def spelled(value: object) -> str:
    """A value as text: decimals plain, nothing as nothing."""
    if value is None:
        return ""
    return plain(value) if hasattr(value, "as_tuple") else str(value)


def shown(value: object) -> str:
    """A cell of a table: one line, and nothing that a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in spelled(value)[:CELL_CHARACTERS])


def safe(value: object) -> str:
    """A cell of a CSV file: text never begins what a spreadsheet would work out."""
    return safe_text(value) if isinstance(value, str) else spelled(value)


def as_json(value: object) -> object:
    is_plain = isinstance(value, int | str | None) or (isinstance(value, float) and math.isfinite(value))
    return value if is_plain else spelled(value)
