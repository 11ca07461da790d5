"""A day by account: the file of all accounts, and a statement of each as HTML and PDF."""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from django.template.loader import render_to_string

from analytics.account_day import AccountDay
from analytics.account_reading import Noted, read_account, read_accounts
from analytics.day_files import working_folder, write_tables
from analytics.day_trades import accounts_of
from analytics.late import late_statement_days
from analytics.layout import ACCOUNT_COLUMNS, object_key
from analytics.models import LakeFile, Revision
from analytics.parquet import Row
from analytics.revisions import Made, keep_all
from analytics.statement_words import figures_of, notes_of, tables_of
from tradeops.core.jobs.clock import clock
from trades.models import Account

Told = tuple[AccountDay, Noted]
LATE_SECONDS = 600  # a job: with one day more, well within the half hour that one may take


def make_statements(day: dt.date, tell: Callable[[int], None] = lambda percentage: None) -> dict[str, object]:
    """Write the day's file of accounts and their statements; `tell` hears the progress in percent.

    Raises lake.LakeError, or ValueError for a day that is not over: its last prices are not yet known.
    """
    if day >= clock.now().date():
        raise ValueError(f"{day} is not over yet: its statements are made when it is, in UTC.")
    with working_folder() as folder:
        made = make_accounts(folder, day, with_statements(folder, day, tell))
        files = keep_all(made)
    return {"date": day.isoformat(), "accounts": len(made.entries), "keys": [file.key for file in files]}


def with_statements(folder: Path, day: dt.date, tell: Callable[[int], None]) -> Iterator[Told]:
    """The day of one account after the other, whose statement is then in the lake: memory holds one of them."""
    count = Account.objects.count()
    for place, one in enumerate(read_accounts(day), 1):
        made = make_statement(folder, *one)
        keep_all(made)
        for path in made.paths.values():
            path.unlink()
        tell(min(99, 100 * place // count))
        yield one


def make_late_statements(first: dt.date, tell: Callable[[int], None] = lambda percentage: None) -> dict[str, object]:
    """Make again the statements from `first` on that a late booking overtook, the oldest first.

    One day at least, and as many as LATE_SECONDS allow; `following` is the day to go on from, None where all are made.
    Safe to run twice: a statement that stays the same is not written again.
    """
    days, until = sorted(day for day in late_statement_days() if day >= first), time.monotonic() + LATE_SECONDS
    made = 0
    while made < len(days) and (made == 0 or time.monotonic() < until):
        make_statements(days[made])
        made += 1
        tell(100 * made // len(days))
    following = days[made].isoformat() if made < len(days) else None
    return {"date": first.isoformat(), "days": made, "following": following}


def make_accounts(folder: Path, day: dt.date, told: Iterable[Told]) -> Made:
    """The file of all accounts; `told` is read once."""
    entries: dict[int, int] = {}
    marks: dict[str, Noted] = {}
    paths, count = write_tables(folder, "accounts", day, ACCOUNT_COLUMNS, account_rows(told, entries, marks))
    return Made(count, entries, paths, marks)


def account_rows(told: Iterable[Told], entries: dict[int, int], marks: dict[str, Noted]) -> Iterator[Row]:
    """The rows of the file of accounts, with the columns of `layout.ACCOUNT_COLUMNS`; notes from what they are."""
    for one, noted in told:
        entries[one.account], marks[str(one.account)] = one.entry, noted
        for line in one.lines:
            yield {"date": one.day, "account": one.account} | line.row()


def make_statement(folder: Path, told: AccountDay, noted: Noted) -> Made:
    # matplotlib takes a second to import: only who makes statements pays it.
    from analytics.statement_pdf import draw_statement

    keys = {form: object_key("statements", told.day, form, told.account) for form in ("html", "pdf")}
    paths = {key: folder / f"statement-{told.account}.{form}" for form, key in keys.items()}
    paths[keys["html"]].write_text(written_page(told))
    paths[keys["pdf"]].write_bytes(draw_statement(told))
    return Made(len(told.lines), {told.account: told.entry}, paths, {str(told.account): noted})


def written_page(told: AccountDay) -> str:
    """The statement as a page that stands alone."""
    context = {"told": told, "figures": figures_of(told), "tables": tables_of(told), "notes": notes_of(told)}
    return render_to_string("analytics/statement.html", context)


# Once more


def tell_again(revision: Revision, day: dt.date) -> Iterator[Told]:
    """What a revision of accounts told, from the entries and prices that it knew. Raises ValueError without them."""
    accounts = accounts_of(revision.entries)
    for key, number in revision.entries.items():
        yield read_account(accounts[key], number, day, revision.marks_of(key))


def statements_of(user, most: int) -> list[LakeFile]:
    """The newest statements that `user` may read."""
    files = LakeFile.objects.visible_to(user).filter(kind="statements").select_related("account")
    return list(files.order_by("-day", "account", "file_format")[:most])
