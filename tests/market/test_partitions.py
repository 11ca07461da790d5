"""Bars parted by month: the same rows, keys and answers as of one table, and months that come later."""

import contextlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, transaction

from market.feed_bars import KEY
from market.models import Bar, Instrument, Source, Timeframe
from market.partitions import BARS
from tradeops.core import partitions

pytestmark = pytest.mark.django_db
BEGAN = datetime(2024, 12, 30, tzinfo=UTC)


def bar(number: int, **more) -> Bar:
    start = BEGAN + timedelta(days=number)
    prices = dict.fromkeys(("open", "high", "low", "close"), Decimal(number + 1))
    named = {"instrument_id": "AAPL", "timeframe": Timeframe.DAY, "source": Source.SIMULATED, "is_final": True}
    return Bar(start=start, ends_at=start + timedelta(days=1), **prices | named | more)


def rows_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ONLY {table}")  # noqa: S608
        return cursor.fetchone()[0]


def made_of(table: str) -> set[str]:
    """The names of its constraints and indexes, its primary key's aside."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    return {name for name, told in found.items() if not told["primary_key"]}


@pytest.fixture
def days():
    Instrument.objects.get_or_create(ticker="AAPL")
    Bar.objects.bulk_create(bar(number) for number in range(40))


@pytest.mark.services
def test_every_bar_is_there_after_and_lies_in_the_table_of_its_month(days):
    before, made = list(Bar.objects.values_list()), made_of("market_bar")
    new = partitions.part(BARS, 2, date(2025, 3, 9))
    assert new == [
        f"market_bar_{month}" for month in ("2024_12", "2025_01", "2025_02", "2025_03", "2025_04", "2025_05")
    ]
    assert partitions.is_parted("market_bar") and list(Bar.objects.values_list()) == before
    assert [rows_of(name) for name in new] == [2, 31, 7, 0, 0, 0]
    assert made_of("market_bar") == made


@pytest.mark.services
def test_the_feed_writes_grows_and_forgets_bars_as_before(days):
    partitions.part(BARS, 0, date(2025, 2, 1))
    last = Bar.objects.order_by("-pk").values_list("pk", flat=True)[0]
    grown = [bar(39, high=Decimal(99)), bar(40), bar(400)]
    Bar.objects.bulk_create(grown, update_conflicts=True, unique_fields=KEY, update_fields=["high"])
    assert Bar.objects.get(start=BEGAN + timedelta(days=39)).high == 99
    assert Bar.objects.count() == 42 and rows_of("market_bar_after") == 1
    assert Bar.objects.get(start=BEGAN + timedelta(days=40)).pk > last
    assert Bar.objects.filter(start__lt=datetime(2025, 1, 1, tzinfo=UTC)).delete()[0] == 2


@pytest.mark.services
def test_what_a_row_must_be_is_refused_as_before(days):
    partitions.part(BARS, 0, date(2025, 2, 1))
    for wrong in (bar(5), bar(41, low=Decimal(0)), bar(41, source="moon")):
        with pytest.raises(IntegrityError), transaction.atomic():
            wrong.save(force_insert=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        bar(41, instrument_id="NOPE").save()
        connection.check_constraints()


@pytest.mark.services
def test_run_again_it_adds_months_and_brings_their_bars_into_them(days):
    partitions.part(BARS, 0, date(2025, 2, 1))
    Bar.objects.bulk_create([bar(70)])
    assert rows_of("market_bar_after") == 1
    assert partitions.part(BARS, 1, date(2025, 2, 1)) == ["market_bar_2025_03"]
    assert (rows_of("market_bar_after"), rows_of("market_bar_2025_03")) == (0, 1)
    assert partitions.part(BARS, 1, date(2025, 2, 1)) == []


@pytest.mark.services
def test_bars_are_read_until_the_tables_change_places(monkeypatch):
    def is_let(statement: str) -> bool:
        """To another connection."""
        with contextlib.suppress(OperationalError), other.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
            cursor.execute(statement)
            return True
        return False

    def look() -> list[bool]:
        return [is_let("SELECT count(*) FROM market_bar"), is_let("DELETE FROM market_bar")]

    def close_after_a_last_look(cursor, one) -> None:
        looks.append(look())
        let_nobody_read(cursor, one)

    other, looks, let_nobody_read = connection.copy(), [], partitions._let_nobody_read
    monkeypatch.setattr(partitions, "_let_nobody_read", close_after_a_last_look)
    try:
        partitions.part(BARS, 0, date(2025, 2, 1))
        looks.append(look())
    finally:
        with other.cursor() as cursor:
            cursor.execute("RESET lock_timeout")  # closed, it goes back to the pool, and to another test
        other.close()
    assert looks == [[True, False], [False, False]]


@pytest.mark.services
def test_names_of_indexes_are_those_that_were(days):
    def names() -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'market_bar'")
            return {name for (name,) in cursor.fetchall()}

    before = names()
    partitions.part(BARS, 0, date(2025, 2, 1))
    assert names() == before


@pytest.mark.services
def test_the_command_says_what_it_made():
    said = StringIO()
    call_command("partition_bars", ahead=1, stdout=said)
    call_command("partition_bars", ahead=1, stdout=said)
    assert said.getvalue().endswith("2 new tables.\nEvery month has its table.\n")
    with pytest.raises(CommandError, match="0 to 600"):
        call_command("partition_bars", ahead=-1)


def test_the_command_wants_a_prepared_database(monkeypatch):
    monkeypatch.setattr("tradeops.core.database.is_prepared", lambda: False)
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        call_command("partition_bars")


@pytest.mark.embedded
def test_without_postgresql_the_command_changes_nothing_and_says_so():
    with pytest.raises(CommandError, match="PostgreSQL alone; nothing was changed"):
        call_command("partition_bars")
