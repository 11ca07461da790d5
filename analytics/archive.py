"""What was once sent, made again: a revision from the entries that its accounts had then, and what is known since."""

import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analytics import lake
from analytics.day_files import make_analysis_of, make_anchors, make_trades, safe_for_sheets
from analytics.day_trades import CurrentTrades, KnownTrades
from analytics.differences import Difference, find_differences
from analytics.layout import OF_ONE_ACCOUNT, TRADE_COLUMNS, account_of, cells_of, parse_key, read_csv
from analytics.models import Revision
from analytics.parquet import have_same_rows
from analytics.revisions import Made, versions_used
from analytics.statements import make_accounts, make_statement, tell_again


@dataclass(frozen=True)
class Reproduction:
    """A revision made again, at `path`."""

    revision: Revision
    path: Path
    sha256: str

    @property
    def is_same(self) -> bool:
        """Whether it is the same to the byte."""
        return self.sha256 == self.revision.sha256

    @property
    def reason(self) -> str:
        """Why it may not be: another version of what writes it."""
        now = versions_used(self.revision.file_key)
        return (
            "" if self.is_same or now == self.revision.made_with else f"made with {self.revision.made_with}, now {now}"
        )


def reproduce(revision: Revision, folder: Path) -> Reproduction:
    """Make the bytes of `revision` again, in `folder`, from the book as it was known then.

    Raises ValueError for a file that is not made from the book alone, or where what it knew is no longer there.
    """
    kind, day, _ = parse_key(revision.file_key)
    if kind in OF_ONE_ACCOUNT and account_of(revision.file_key) not in revision.entries:
        raise ValueError("which entry of its account it knew is no longer noted")
    path = make_again(kind, day, revision, folder).paths[revision.file_key]
    return Reproduction(revision, path, lake.measure(path).sha256)


def reproduce_tables(revisions: list[Revision], folder: Path) -> list[Reproduction]:
    """The same for files of a day's trades and their analysis that know the same entries: its book is folded once."""
    day = parse_key(revisions[0].file_key)[1]
    trades = make_trades(folder, KnownTrades(day, revisions[0].entries))
    paths = trades.paths | make_analysis_of(folder, day, trades).paths
    return [Reproduction(one, path := paths[one.file_key], lake.measure(path).sha256) for one in revisions]


def make_again(kind: str, day: dt.date, revision: Revision, folder: Path) -> Made:
    if kind == "manifests":
        raise ValueError("a manifest lists other files, reproduce those")
    if kind == "anchors":
        return make_anchors(folder, day, revision.entries)
    if kind == "accounts":
        return make_accounts(folder, day, tell_again(revision, day))
    if kind == "statements":
        return make_statement(folder, *next(tell_again(revision, day)))
    trades = make_trades(folder, KnownTrades(day, revision.entries))
    return trades if kind == "trades" else make_analysis_of(folder, day, trades)


def is_as_sent(revision: Revision, path: Path) -> bool:
    """Whether the file at `path` says what `revision` does: the same bytes, or the same rows where its Parquet was
    written by another version, whose name it bears."""
    if lake.measure(path).sha256 == revision.sha256:
        return True
    is_of_another = revision.made_with != versions_used(revision.file_key)
    return is_of_another and path.suffix == ".parquet" and has_rows_of(path, revision.key)


def has_rows_of(path: Path, key: str) -> bool:
    """Whether the table at `path` has the columns and rows of the one that is kept at `key`."""
    source = lake.read(key)
    if source is None:
        return False
    with source, path.open("rb") as file:
        return have_same_rows(file, source)


def differences_today(revision: Revision) -> list[Difference]:
    """What the book says today otherwise than a revision of a day's trades (its CSV) did.

    Raises lake.LakeError, or ValueError where the revision is no longer in the lake or is not of trades.
    """
    if not revision.is_comparable:
        raise ValueError("Only revisions of a day's trades as CSV are compared.")
    found = lake.measure_kept(revision.key)
    if found is None:
        raise ValueError(f"{revision.key} is no longer in the lake.")
    if found.sha256 != revision.sha256:
        raise ValueError(f"{revision.key} no longer has the bytes that were sent.")
    with lake.read(revision.key) as source:
        then = read_csv(io.TextIOWrapper(source, encoding="utf-8", newline=""), TRADE_COLUMNS)
        day = parse_key(revision.file_key)[1]
        return find_differences((row for _, row in then), rows_today(day))


def rows_today(day: dt.date) -> Iterator[dict[str, str]]:
    """The day's trades as the book stands, spelled as in the file."""
    for row in CurrentTrades(day).rows():
        yield dict(zip(TRADE_COLUMNS, cells_of(safe_for_sheets(row), TRADE_COLUMNS), strict=True))
