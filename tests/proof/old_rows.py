"""Reads survive what was once put in by SQL: every column of every table is made odd, and every address that asks
that table is read.
"""

import itertools
import re
import time as clock
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from unittest import mock

import psycopg
from django.apps import apps
from django.contrib import admin
from django.db import DatabaseError, connection, models, transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from analytics.revisions import Tampered
from analytics.services import make_day
from market import feed_store
from market.board import Board
from market.feed import TICKERS
from market.models import FeedState, Quote, TickBlock
from market.stored_market import read_flush
from tests.factories import PASSWORD, bearer, make_user
from tests.faults.addresses import own_routes
from tests.proof.ground import Ground
from tests.proof.register import EMBEDDED, SERVICES, tries
from tests.proof.rows import address_of, complete_book, keep_watch
from tradeops.core.users.demo import demo_trader
from tradeops.core.users.models import Role
from trades.chain import triggers
from trades.chain.verification import differences
from trades.export import book_pages
from trades.models import Account, Trade
from trades.quick.listing import list_quickly

GROUPS = (("trades",), ("market", "strategies"), ("users", "events", "jobs", "analytics"))  # of apps, for a walk each
APPS = tuple(label for group in GROUPS for label in group)
WORDS = re.compile(r"\w+|(?<=\.)\*|(?<=SELECT )\*", re.IGNORECASE)
MOST_TOLD, MOST_DIFFERENCES = 12, 50
MOST_KEPT = 60  # rows of a table that are made odd: the newest
TEXTS = ["", "\u202e<script>alert(1)</script>", "=1+1\r\n", "ünï\U0001f680" * 3, "null", "[]", "9" * 15]
WHOLE = [0, -1, 2**31 - 1, 1, 7]
MOMENTS = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), timezone.now()]
ODD = {
    models.JSONField: [None, [], {}, "x", 5, {"a": [None]}, [{"row": "x"}]],
    models.BooleanField: [True, False],
    models.DateTimeField: MOMENTS,
    models.DateField: [date(1, 1, 1), date(9999, 12, 31)],
    models.TimeField: [time(23, 59, 59, 999999), time(0)],
    models.DecimalField: [Decimal(text) for text in ("0", "-1", "9" * 15, "0.000000000001")],
    models.FloatField: [0.0, -1.5, 1e300],
    models.IntegerField: WHOLE,
    models.BinaryField: [b"", b"\0\xff" * 8],
    models.CharField: TEXTS,
    models.TextField: TEXTS,
}
QUERIED = [
    "/trades/?format=csv", "/trades/?page_size=1000", "/activities/?page_size=1000", "/round-trips/?format=csv",
    "/portfolio/history?period=all", "/portfolio/history?period=all&format=csv", "/portfolio/performance?period=all",
    "/positions/?method=hifo", "/positions/?as_of=2100-01-01T00:00:00Z", "/tickers/KO/bars?format=csv",
    "/desk/?part=positions", "/desk/find/?q=K", "/algorithm/runs/?page_size=100",
]  # fmt: skip
# Asked for as programs do, these are answered by shorter ways (trades/quick).
PLAIN = ["token /trades/", "token /trades/?page_size=1000", "token /trades/?ticker=KO"]
SAMPLE = "/algorithm/sample"
# Whether one may sign in at all is no reading.
SIGNS_IN = {"password", "is_active", "is_superuser", "is_staff", "role", "username", "is_demo", "session_key"}
TRIED = (
    "every odd value of its kind put by SQL into every column; all that ask that table are read: pages, API, CSV, the "
    "admin's lists and forms, the exports, verify_ledger, the feed; tables of "
)


def walk_odd_rows(
    ground: Ground, labels: tuple[str, ...], rounds: Callable[[type[models.Model]], list], share: slice
) -> str:
    """Makes columns of a table odd in `rounds`, and reads in each what asks for them."""
    make_rows(ground)
    browser = signed_in()
    usual = {what: words for what in [*addresses_to_read(), *TASKS] if (words := words_asked(browser, what))}
    tables = [model for model in own_models() if model._meta.app_label in labels][share]
    seen, broken = Counter(), []
    for model in tables:
        for odd in rounds(model):
            concerned = [what for what, words in usual.items() if asks(words, model, odd)]
            with transaction.atomic():
                with triggers.lifted():
                    made = [make_odd(model, field, number) for field, number in odd]
                seen["values"] += made.count(True)
                seen["refused"] += made.count(False)
                broken += [f"{model.__name__}, {spelled(odd)}: {what}" for what in read_all(browser, concerned)]
                seen["reads"] += len(concerned)
                transaction.set_rollback(True)
    assert not broken, f"{len(broken)} reads break: {'; '.join(broken[:MOST_TOLD])}"
    columns = sum(len(odd_fields(model)) for model in tables)
    return (
        f"{seen['values']} values in {columns} columns of {len(tables)} tables ({seen['refused']} the database "
        f"refused), {seen['reads']:,} reads of {len(usual)} addresses and tasks: none failed"
    )


def together(model) -> list[list[tuple[models.Field, int]]]:
    """All columns at once, in so many rounds that each holds every odd value of its kind once, paired anew in each."""
    fields = odd_fields(model)
    most = max((len(values_for(field)) for field in fields), default=0)
    return [[(field, number + turn) for number, field in enumerate(fields)] for turn in range(most)]


def alone(model) -> list[list[tuple[models.Field, int]]]:
    """A column a round, for rows that are odd in everything are not found by what looks for their kind or state."""
    return [[(field, number)] for number, field in enumerate(odd_fields(model))]


def asks(words: set[str], model, odd: list[tuple[models.Field, int]]) -> bool:
    """Whether a read asks the table for one of the odd columns: by its name, or for all there are."""
    return model._meta.db_table in words and ("*" in words or any(field.column in words for field, _ in odd))


def spelled(odd: list[tuple[models.Field, int]]) -> str:
    field, number = odd[0]
    return f"{field.name} {value_of(field, number)!r}" + " and all others" * (len(odd) > 1)


# Each walk makes rows of its own, so that none takes longer than a few minutes: of some apps all tables, or a share.
WALKS = (
    (together, GROUPS[0], 1, 1), (together, GROUPS[1], 1, 1), (together, GROUPS[2], 1, 2), (together, GROUPS[2], 2, 2),
    *((alone, labels, share, 4) for labels in GROUPS for share in (1, 2, 3, 4)),
)  # fmt: skip
for rounds, labels, share, shares in WALKS:
    words = [TRIED] if (rounds, labels) == (together, GROUPS[0]) else []
    words += ["each column alone: "] if rounds is alone else []
    words += [", ".join(labels), f" (part {share} of {shares})" if shares > 1 else ""]
    walk = partial(walk_odd_rows, labels=labels, rounds=rounds, share=slice(share - 1, None, shares))
    for world, database in ((SERVICES, "PostgreSQL"), (EMBEDDED, "SQLite")):
        tries("P08", f"{''.join(words)}, on {database}", world=world, minutes=9)(walk)


# What is there to be read -------------------------------------------------------------------


def make_rows(ground: Ground) -> None:
    """The demo's rows, and those of a feed that ran for a moment."""
    desk = ground.up()
    deadline = clock.monotonic() + 60
    while not (Quote.objects.exists() and TickBlock.objects.exists()):
        assert clock.monotonic() < deadline, "the feed wrote nothing"
        clock.sleep(0.2)
    desk.stop()
    complete_book(demo_trader())


def signed_in() -> Browser:
    root = make_user("root", Role.ADMINISTRATOR, is_superuser=True)
    keep_watch(root)  # which nobody else sees
    browser = Browser(raise_request_exception=False, headers={"Host": "127.0.0.1"})
    browser.login(username="root", password=PASSWORD)
    browser.program = Browser(raise_request_exception=False, headers={"Host": "127.0.0.1"} | bearer(root))
    return browser


def own_models() -> list[type[models.Model]]:
    """Our models with a row to make odd."""
    return [model for model in apps.get_models() if model._meta.app_label in APPS and model.objects.exists()]


def values_for(field: models.Field) -> list:
    return next(values for kind, values in ODD.items() if isinstance(field, kind))


def value_of(field: models.Field, number: int):
    values = values_for(field)
    return values[number % len(values)]


def odd_fields(model) -> list[models.Field]:
    fields = model._meta.concrete_fields
    return [one for one in fields if not (one.primary_key or one.is_relation or one.name in SIGNS_IN)]


def make_odd(model, field: models.Field, number: int) -> bool:
    """Puts one odd value into a column; False where the database itself refuses it."""
    rows = list(model.objects.order_by("-pk").values_list("pk", flat=True)[:MOST_KEPT])
    # A column whose values are each there once has one odd row.
    rows = rows[:1] if field.unique else rows
    try:
        with transaction.atomic():
            model.objects.filter(pk__in=rows).update(**{field.attname: value_of(field, number)})
    except (DatabaseError, ValueError, TypeError, OverflowError):
        return False
    return True


# Reading ---------------------------------------------------------------------------------------


def addresses_to_read() -> Iterator[str]:
    """Every address that answers GET with the ids of rows that are there, and the admin's lists and forms."""
    for route in own_routes():
        if (address := address_of(route)) is not None:
            yield address
    yield from [*QUERIED, *PLAIN]
    for model in own_models():
        if model in admin.site._registry:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            yield reverse(f"{name}_changelist")
            if (first := model.objects.order_by("-pk").first()) is not None:
                yield reverse(f"{name}_change", args=[first.pk])


def words_asked(browser: Browser, what: str) -> set[str]:
    """The words of all SQL of a read when its rows are as they should be, and "*" where it asks for all columns of a
    table; none where an address answers no GET.
    """
    statements, copy = [], psycopg.Cursor.copy

    def note(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    def note_copy(cursor, sql, *arguments, **options):
        statements.append(str(sql))
        return copy(cursor, sql, *arguments, **options)

    noting = mock.patch.object(psycopg.Cursor, "copy", note_copy)
    with noting, connection.execute_wrapper(note), transaction.atomic():
        status = TASKS[what]() if what in TASKS else read(browser, what)
        transaction.set_rollback(True)
    assert status in (None, 200, 302, 405), f"{what} is {status} before anything is odd"
    return set(WORDS.findall(" ".join(statements))) if status in (None, 200) else set()


def read_all(browser: Browser, concerned: list[str]) -> Iterator[str]:
    """Reads the addresses and does the tasks; what breaks, in words."""
    for what in concerned:
        if what in TASKS:
            yield from do(what)
            continue
        status = read(browser, what)
        # A row may be found no more by an odd id, a token be void, the sample's run not be worked out again from prices
        # that are not what their hash says; a list is there, whatever stands in it.
        may_be_gone = any(letter.isdigit() for letter in what) or what.startswith("token ") or what == SAMPLE
        if status >= 500 or not (status == 200 or may_be_gone):
            yield f"{what} is {status}"


def do(task: str) -> Iterator[str]:
    try:
        with transaction.atomic():
            TASKS[task]()
    except Tampered:  # it is what the rows of a day's anchors are for
        return
    except Exception as error:  # whatever it is, it is told
        yield f"{task}: {type(error).__name__} {error}"[:300]


def read(browser: Browser, address: str) -> int:
    """The status of an address, read in a savepoint: what a page itself catches must not end the transaction."""
    before = transaction.savepoint()
    try:
        return status_of(browser, address)
    finally:
        transaction.set_rollback(False)
        transaction.savepoint_rollback(before)


def list_by_itself(request):
    """The short way of a list as it is taken outside a transaction, where a query that fails leaves the next one be."""
    before = transaction.savepoint()
    answer = list_quickly(request)
    if answer is None:
        transaction.savepoint_rollback(before)
    return answer


def status_of(browser: Browser, address: str) -> int:
    kind, _, path = address.rpartition(" ")
    with mock.patch("trades.api.list_quickly", list_by_itself):
        answer = browser.program.get(path) if kind == "token" else browser.get(path)
    if answer.streaming:
        try:
            b"".join(answer)
        except Exception:  # a stream that breaks cannot take its status back
            return 500
    return answer.status_code


def export() -> None:
    day = Trade.objects.current().order_by("-executed_at").values_list("executed_at", flat=True).first()
    make_day((day or timezone.now()).date())


def export_books() -> None:
    for account in Account.objects.all():
        b"".join(book_pages(account))


def verify() -> None:
    """It finds differences, of course; it must not fall over what it finds."""
    list(itertools.islice(differences(), MOST_DIFFERENCES))


def take_up_the_feed() -> None:
    """What a feed does when it starts, and a web process when it looks for prices."""
    FeedState.objects.update(holder="proof")
    begun = feed_store.take_up("proof", "simulated", None, TICKERS, timezone.now())
    board = Board(begun.starts, seq=begun.seq, rules=begun.rules, waiting=begun.waiting)
    for ticks in begun.ticks:
        board.rebuild(ticks)
    read_flush("", 0)


TASKS = {
    "the day's export": export,
    "an account's export": export_books,
    "verify_ledger": verify,
    "the feed": take_up_the_feed,
}
