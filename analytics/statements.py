"""A day by account: the file of all accounts, and a statement of each as HTML and PDF."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

from django.template.loader import render_to_string
from django.utils import timezone

from analytics.account_day import AccountDay
from analytics.account_reading import Noted, read_account, read_accounts
from analytics.day_files import Made, working_folder, write_tables
from analytics.late import late_statement_days
from analytics.layout import ACCOUNT_COLUMNS, object_key
from analytics.models import LakeFile, Revision
from analytics.parquet import Row
from analytics.revisions import keep_all
from analytics.statement_words import HELD_HEAD, TRADED_HEAD, figures_of, held_row, mover_words, traded_row
from trades.models import Account

Told = tuple[AccountDay, Noted]
LATE_DAYS = 100  # a job: well within the half hour that one may take


def make_statements(day: dt.date, tell: Callable[[int], None] = lambda percentage: None) -> dict[str, object]:
    """Write the day's file of accounts and their statements; `tell` hears the progress in percent.

    Raises lake.LakeError, or ValueError for a day that is not over: its last prices are not yet known.
    """
    if day >= timezone.now().date():
        raise ValueError(f"{day} is not over yet: its statements are made when it is, in UTC.")
    told = list(read_accounts(day))
    with working_folder() as folder:
        files = keep_all(make_accounts(folder, day, told))
        for place, one in enumerate(told, 1):
            files += keep_all(make_statement(folder, *one))
            tell(100 * place // len(told))
    return {"date": day.isoformat(), "accounts": len(told), "keys": [file.key for file in files[:2]]}


def make_late_statements(first: dt.date, tell: Callable[[int], None] = lambda percentage: None) -> dict[str, object]:
    """Make again the statements from `first` on that a late booking overtook, the oldest first.

    At most LATE_DAYS of them; `following` is the day to go on from, None where all are made. Safe to run twice: a
    statement that stays the same is not written again.
    """
    days = sorted(day for day in late_statement_days() if day >= first)
    for place, day in enumerate(days[:LATE_DAYS], 1):
        make_statements(day)
        tell(100 * place // len(days))
    following = days[LATE_DAYS].isoformat() if len(days) > LATE_DAYS else None
    return {"date": first.isoformat(), "days": min(len(days), LATE_DAYS), "following": following}


def make_accounts(folder: Path, day: dt.date, told: list[Told]) -> Made:
    entries = {one.account: one.entry for one, _ in told}
    marks = {str(one.account): noted for one, noted in told}
    paths, count = write_tables(folder, "accounts", day, ACCOUNT_COLUMNS, account_rows(one for one, _ in told))
    return Made(count, entries, paths, marks)


def account_rows(told: Iterator[AccountDay]) -> Iterator[Row]:
    """The rows of the file of accounts, with the columns of `layout.ACCOUNT_COLUMNS`."""
    for one in told:
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
    tables = [
        ("Held at the day's end", HELD_HEAD, [held_row(told, line) for line in told.held]),
        ("Traded", TRADED_HEAD, [traded_row(told, line) for line in told.traded]),
    ]
    context = {"told": told, "figures": figures_of(told), "tables": tables, "movers": mover_words(told)}
    return render_to_string("analytics/statement.html", context)


# Once more


def tell_again(revision: Revision, day: dt.date) -> Iterator[Told]:
    """What a revision of accounts told, from the entries and prices that it knew."""
    accounts = Account.objects.select_related("owner").in_bulk(revision.entries)
    for key, number in revision.entries.items():
        yield read_account(accounts[key], number, day, revision.marks[str(key)])


def statements_of(user, most: int) -> list[LakeFile]:
    """The newest statements that `user` may read."""
    files = LakeFile.objects.visible_to(user).filter(kind="statements").select_related("account")
    return list(files.order_by("-day", "account", "file_format")[:most])
