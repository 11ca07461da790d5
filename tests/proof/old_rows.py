"""Reads survive what was once put in by SQL: every column of every table is made odd, and every address is read."""

import time as clock
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

from django.apps import apps
from django.contrib import admin
from django.db import DatabaseError, models, transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from analytics.services import make_day
from market import feed_store
from market.board import Board
from market.feed import TICKERS
from market.models import FeedState, Quote, TickBlock
from market.stored_market import read_flush
from tests.factories import PASSWORD, make_user
from tests.faults.addresses import own_routes
from tests.proof.ground import Ground
from tests.proof.register import EMBEDDED, tries
from tests.proof.rows import address_of, complete_book
from tradeops.core.users.demo import demo_trader
from tradeops.core.users.models import Role
from trades.chain import triggers
from trades.models import Trade

APPS = ("users", "events", "jobs", "market", "trades", "strategies", "analytics")
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
ROUNDS = 4
QUERIED = ["/trades/?format=csv", "/trades/?page_size=1000", "/desk/?part=positions", "/algorithm/runs/?page_size=100"]
NO_ROWS, SLOW = ("/schema", "/docs", "/algorithm/sample", "/algorithm/help", "/desk/style"), (".png", ".svg")
# Whether one may sign in at all is no reading.
SIGNS_IN = {"password", "is_active", "is_superuser", "is_staff", "role", "username", "is_demo", "session_key"}
TRIED = (
    "odd values by SQL in every column; every page, API list, CSV, admin list and form, the export and the feed read"
)


@tries("P08", TRIED, minutes=15)
def reads_survive_on_postgresql(ground: Ground) -> str:
    return walk_odd_rows(ground)


@tries("P08", "the same on SQLite", world=EMBEDDED, minutes=15)
def reads_survive_on_sqlite(ground: Ground) -> str:
    return walk_odd_rows(ground)


def walk_odd_rows(ground: Ground) -> str:
    """Makes all columns of a table odd at once, in rounds that pair the values anew, and reads everything."""
    make_rows(ground)
    browser = signed_in()
    found = {address: read(browser, address) for address in addresses_to_read()}
    usual = {address: status for address, status in found.items() if status == 200}  # some take only a POST
    assert len(usual) > len(found) / 2, f"of {len(found)} addresses only {len(usual)} are read"
    seen, broken = Counter(), []
    tables = own_models()
    for model in tables:
        for turn in range(ROUNDS):
            with transaction.atomic():
                with triggers.lifted():
                    made = [make_odd(model, field, number + turn) for number, field in enumerate(odd_fields(model))]
                seen["values"] += made.count(True)
                seen["refused"] += made.count(False)
                broken += [f"{model.__name__}, turn {turn + 1}: {what}" for what in read_all(browser, usual, model)]
                seen["reads"] += sum(concerns(address, model) for address in usual)
                transaction.set_rollback(True)
    assert not broken, f"{len(broken)} reads break, first: {broken[0]}"
    columns = sum(len(odd_fields(model)) for model in tables)
    return (
        f"{seen['values']} values over {columns} columns of {len(tables)} tables ({seen['refused']} the database "
        f"refused), {seen['reads']:,} reads of {len(usual)} addresses, the export and the feed: none failed"
    )


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
    make_user("root", Role.ADMINISTRATOR, is_superuser=True)
    browser = Browser(raise_request_exception=False, headers={"Host": "127.0.0.1"})
    browser.login(username="root", password=PASSWORD)
    return browser


def own_models() -> list[type[models.Model]]:
    """Our models with a row to make odd."""
    return [model for model in apps.get_models() if model._meta.app_label in APPS and model.objects.exists()]


def odd_fields(model) -> list[models.Field]:
    fields = model._meta.concrete_fields
    return [one for one in fields if not (one.primary_key or one.is_relation or one.name in SIGNS_IN)]


def make_odd(model, field: models.Field, number: int) -> bool:
    """Puts one odd value into a column; False where the database itself refuses it."""
    values = next(values for kind, values in ODD.items() if isinstance(field, kind))
    rows = list(model.objects.order_by("-pk").values_list("pk", flat=True)[:MOST_KEPT])
    # A column whose values are each there once has one odd row.
    rows = rows[:1] if field.unique else rows
    try:
        with transaction.atomic():
            model.objects.filter(pk__in=rows).update(**{field.attname: values[number % len(values)]})
    except (DatabaseError, ValueError, TypeError, OverflowError):
        return False
    return True


# Reading ---------------------------------------------------------------------------------------


def addresses_to_read() -> Iterator[str]:
    """Every address that answers GET with the ids of rows that are there, and the admin's lists and forms."""
    for route in own_routes():
        if (address := address_of(route)) is not None:
            yield address
    yield from QUERIED
    for model in own_models():
        if model in admin.site._registry:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            yield reverse(f"{name}_changelist")
            if (first := model.objects.order_by("-pk").first()) is not None:
                yield reverse(f"{name}_change", args=[first.pk])


def concerns(address: str, model) -> bool:
    """Whether an address is worth reading: the slow ones read the rows of strategies alone, or none at all."""
    if any(part in address for part in NO_ROWS):
        return False
    return model._meta.app_label == "strategies" or not any(part in address for part in SLOW)


def read_all(browser: Browser, usual: dict[str, int], model) -> Iterator[str]:
    """Reads every address, exports the day and takes the feed up; what breaks, in words."""
    for address, status in usual.items():
        if not concerns(address, model):
            continue
        found = read(browser, address)
        # A row may be found no more by an odd id; a list is there, whatever stands in it.
        if found >= 500 or (found != status and not any(letter.isdigit() for letter in address)):
            yield f"{address} is {found}"
    for name, task in (("the export", export), ("the feed", take_up_the_feed)):
        try:
            with transaction.atomic():
                task()
        except Exception as error:  # whatever it is, it is told
            yield f"{name}: {type(error).__name__} {error}"[:300]


def read(browser: Browser, address: str) -> int:
    answer = browser.get(address)
    if answer.streaming:
        try:
            b"".join(answer)
        except Exception:  # a stream that breaks cannot take its status back
            return 500
    return answer.status_code


def export() -> None:
    day = Trade.objects.current().order_by("-executed_at").values_list("executed_at", flat=True).first()
    make_day((day or timezone.now()).date())


def take_up_the_feed() -> None:
    """What a feed does when it starts, and a web process when it looks for prices."""
    FeedState.objects.update(holder="proof")
    begun = feed_store.take_up("proof", "simulated", None, TICKERS, timezone.now())
    board = Board(begun.starts, seq=begun.seq)
    for ticks in begun.ticks:
        board.rebuild(ticks)
    board.watch.restore(board.tickers, begun.waiting)
    read_flush("", 0)
