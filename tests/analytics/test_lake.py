"""A day's files: what is in them, that they are whole or absent, and the same bytes when made again."""

import csv
import datetime as dt
import hashlib
import io
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import storages
from django.db import connection
from s3transfer.exceptions import RetriesExceededError

from analytics import lake, services
from analytics.day_files import make_trades, write_tables
from analytics.day_trades import CurrentTrades
from analytics.layout import ANALYSIS_COLUMNS, TRADE_COLUMNS, object_key
from analytics.models import ExportJob, LakeFile
from tests.analytics.conftest import DAY
from trades.models import Realization, Trade

pytestmark = pytest.mark.django_db

KEYS = [object_key(kind, DAY, name) for kind in ("trades", "analytics") for name in ("csv", "parquet")]
ANCHORS, MANIFEST = object_key("anchors", DAY), object_key("manifests", DAY, "json")


def content_of(key: str) -> bytes:
    with storages["lake"].open(key) as file:
        return file.read()


def rows_of(key: str) -> list[dict]:
    return list(csv.DictReader(io.StringIO(content_of(key).decode(), newline="")))


def table_of(key: str) -> list[dict]:
    return pyarrow.parquet.read_table(io.BytesIO(content_of(key))).to_pylist()


def names_in(storage, folder: str) -> list[str]:
    return sorted(storage.listdir(folder)[1])


def test_a_day_is_four_files_at_their_keys(day_of_trades):
    heard = []
    made = services.make_day(DAY, heard.append)
    assert made == {"date": "2025-01-15", "keys": [*KEYS, ANCHORS, MANIFEST]}
    assert heard == [40, 60, 90]
    assert names_in(storages["lake"], "trades/2025/01/15") == ["trades_2025-01-15.csv", "trades_2025-01-15.parquet"]


def test_the_trades_file_holds_the_utc_day_as_booked(day_of_trades):
    services.make_day(DAY)
    account = Trade.objects.values_list("account", flat=True).first()
    start, noon, end = (f"2025-01-15T{clock}Z" for clock in ("00:00:00.000000", "15:00:00.000000", "23:59:59.999999"))
    assert content_of(KEYS[0]).decode().splitlines() == [
        ",".join(TRADE_COLUMNS),
        f'2,1,{account},AAPL,BUY,100,150.25,15025,1.5,0,{start},{start},,"swing,a b",\'=1+1,',
        f"3,1,{account},AAPL,SELL,10,152.8,1528,0,25.5,{noon},{noon},,,,",
        f"4,1,{account},BRK.B,BUY,0.000000000001,400,0.0000000004,0,0,{end},{end},,,,",
    ]


def test_parquet_holds_the_same_with_types_and_the_text_as_typed(day_of_trades):
    services.make_day(DAY)
    first, second, third = table_of(KEYS[1])
    assert (first["id"], first["price"], first["fees"]) == (2, Decimal("150.25"), Decimal("1.5"))
    assert first["executed_at"] == dt.datetime(2025, 1, 15, tzinfo=dt.UTC)
    assert (first["note"], first["tags"], first["client_trade_id"]) == ("=1+1", "swing,a b", None)
    assert (second["realized_pnl"], third["notional"]) == ("25.5", "0.0000000004")
    assert third["quantity"] == Decimal("0.000000000001")


def test_the_analysis_stands_beside_it(day_of_trades):
    services.make_day(DAY)
    apple, berkshire = rows_of(KEYS[2])
    assert tuple(apple) == ANALYSIS_COLUMNS
    assert (apple["trades"], apple["volume"], apple["notional"], apple["realized_pnl"]) == ("2", "110", "16553", "25.5")
    assert apple["vwap"] == "150.481818181818"
    assert (berkshire["ticker"], berkshire["vwap"]) == ("BRK.B", "400")
    assert [row["vwap"] for row in table_of(KEYS[3])] == [Decimal("150.481818181818"), Decimal(400)]


def test_made_again_the_bytes_are_the_same_and_are_not_written_again(day_of_trades, monkeypatch):
    services.make_day(DAY)
    before = {key: content_of(key) for key in KEYS}
    noted = list(LakeFile.objects.values())
    monkeypatch.setattr(lake, "put", lambda *args: pytest.fail("written again"))
    services.make_day(DAY)
    assert {key: content_of(key) for key in KEYS} == before
    made_at = {name: value for name, value in noted[0].items() if name == "made_at"}
    assert [row | made_at for row in LakeFile.objects.values()] == [row | made_at for row in noted]


def test_made_anew_elsewhere_the_bytes_are_the_same(day_of_trades):
    services.make_day(DAY)
    before = {key: content_of(key) for key in KEYS}
    for key in KEYS:
        storages["lake"].delete(key)
    LakeFile.objects.all().delete()
    services.make_day(DAY)
    assert {key: content_of(key) for key in KEYS} == before


def test_what_stands_there_is_noted_with_its_checksum(day_of_trades):
    services.make_day(DAY)
    for file in LakeFile.objects.all():
        content = content_of(file.key)
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    rows = dict(zip([*KEYS, ANCHORS, MANIFEST], (3, 3, 2, 2, 1, 5), strict=True))
    assert dict(LakeFile.objects.values_list("key", "rows")) == rows


def test_a_late_trade_makes_the_next_revision(day_of_trades, book):
    services.make_day(DAY)
    book("MSFT", "BUY", "1", "400", dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC), trade_id=99)
    services.make_day(DAY)
    assert [row["id"] for row in rows_of(KEYS[0])] == ["2", "99", "3", "4"]
    assert dict(LakeFile.objects.values_list("kind", "revision")) == {
        "trades": 2, "analytics": 2, "anchors": 1, "manifests": 2,
    }  # fmt: skip


def test_equal_times_are_ordered_by_id(book):
    noon = dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC)
    for trade_id in (30, 4, 200):
        book("A", "BUY", "1", "1", noon, trade_id=trade_id)
    services.make_day(DAY)
    assert [row["id"] for row in rows_of(KEYS[0])] == ["4", "30", "200"]


def test_a_day_without_trades_is_a_whole_file_with_a_header(db):
    services.make_day(DAY)
    assert content_of(KEYS[0]).decode() == ",".join(TRADE_COLUMNS) + "\n"
    assert content_of(KEYS[2]).decode() == ",".join(ANALYSIS_COLUMNS) + "\n"
    assert (table_of(KEYS[1]), table_of(KEYS[3])) == ([], [])


def test_a_file_that_was_lost_is_made_again_though_it_is_noted(day_of_trades):
    services.make_day(DAY)
    storages["lake"].delete(KEYS[0])
    services.make_day(DAY)
    assert storages["lake"].exists(KEYS[0])


def test_an_export_takes_a_fixed_number_of_queries(day_of_trades, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr("tradeops.core.jobs.clock.READ_EVERY_SECONDS", 3600)  # one query more, each ten seconds
    services.make_day(DAY)
    # The accounts' heads, those of which the day told before, the trades, the anchors; what is noted of six files and
    # of their last revisions.
    # PostgreSQL, whose trades come by COPY, is asked besides whose they were.
    with django_assert_num_queries(28 if connection.vendor == "sqlite" else 29):
        services.make_day(DAY)


@pytest.mark.embedded
def test_a_write_that_fails_half_way_leaves_what_was_there(day_of_trades, book, monkeypatch):
    services.make_day(DAY)
    before = content_of(KEYS[0])
    book("MSFT", "BUY", "1", "400", dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC), trade_id=99)
    monkeypatch.setattr(lake.os, "fsync", raising(OSError(28, "No space left on device")))
    with pytest.raises(lake.LakeError, match="did not take revisions/trades/.*r0002.csv: No space left on device"):
        services.make_day(DAY)
    assert content_of(KEYS[0]) == before
    assert names_in(storages["lake"], "trades/2025/01/15") == [Path(key).name for key in KEYS[:2]]


def raising(error):
    def fail(*args, **options):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"), "SlowDown"),
        (EndpointConnectionError(endpoint_url="http://key:hunter2@s3"), "it cannot be reached"),
        (PermissionError(13, "secret path"), "Permission denied"),
        (ClientError({"Error": {"Code": "403"}}, "HeadObject"), "403 Forbidden"),
        (SuspiciousFileOperation("secret path"), "it leads out of the lake"),
        (RetriesExceededError(OSError("secret path")), "it broke off, however often it was asked"),
    ],
)
@pytest.mark.pure
def test_the_stores_failures_are_told_without_their_addresses(error, words):
    with pytest.raises(lake.LakeError) as caught, lake.told_apart("take", "a/b.csv"):
        raise error
    assert str(caught.value) == f"The lake did not take a/b.csv: {words}."


# --- the night


def test_the_night_owes_yesterday_and_the_week_before_once(db):
    today = dt.date(2025, 1, 16)
    assert len(services.owe_night_exports(today)) == services.DAYS_LOOKED_BACK
    assert services.owe_night_exports(today) == []
    assert sorted(ExportJob.objects.values_list("key", flat=True))[-1] == "2025-01-15"


def test_the_night_leaves_days_that_stand_in_the_lake(day_of_trades):
    for back in range(1, 8):
        services.make_day(dt.date(2025, 1, 16) - dt.timedelta(days=back))
    assert services.owe_night_exports(dt.date(2025, 1, 16)) == [DAY]


# --- with the book's own services


def test_what_was_booked_corrected_and_voided_is_what_stands_in_the_lake(api, alice):
    client = api(alice)

    def book(side, quantity, price, hour, **extra):
        body = {"ticker": "AAPL", "trade_type": side, "quantity": quantity, "price": price}
        body |= {"executed_at": f"2025-01-15T{hour}:00:00Z"} | extra
        return client.post("/trades/", body, format="json").json()["id"]

    bought = book("BUY", "100", "150.25", "10", fees="1", note="=cmd()", tags=["swing"])
    sold = book("SELL", "40", "151.50", "11")
    voided = book("BUY", "7", "7", "12")
    client.patch(f"/trades/{bought}", {"price": "150.50"}, format="json")
    client.delete(f"/trades/{voided}")
    services.make_day(DAY)
    listed = client.get("/trades/", {"ordering": "executed_at"}).json()["results"]
    shared = ("ticker", "trade_type", "quantity", "price", "notional", "fees", "realized_pnl")
    assert [[row[name] for name in shared] for row in rows_of(KEYS[0])] == [
        [trade[name] for name in shared] for trade in listed
    ]
    assert [(int(row["id"]), row["version"], row["realized_pnl"]) for row in rows_of(KEYS[0])] == [
        (bought, "2", "0"),
        (sold, "1", "40"),
    ]
    (apple,) = rows_of(KEYS[2])
    assert (apple["trades"], apple["realized_pnl"], apple["net_pnl"]) == ("2", "40", "39")


HOSTILE = [
    "=1+1",
    "'=1",
    "''",
    "'",
    "a,b",
    'say "x"',
    "two\nlines",
    "re\rturn",
    "\ttab",
    "-",
    "\\.",
    "NULL",
    " a ",
    "é",
    "",
]


@pytest.mark.services
def test_the_database_writes_the_very_bytes_that_are_written_row_by_row(book, tmp_path, monkeypatch):
    midnight = dt.datetime.combine(DAY, dt.time(), dt.UTC)
    for place in range(130):
        word, other = HOSTILE[place % len(HOSTILE)], HOSTILE[place * 7 % len(HOSTILE)]
        at = midnight + dt.timedelta(seconds=place // 2, microseconds=place * 999 % 1_000_000)
        quantity = f"{place + 1}.{place:012}"
        extra = {"note": word, "strategy": other, "tags": ",swing,a b," if place % 3 else "", "fees": Decimal("0.10")}
        extra["client_trade_id"] = f"{word}{place}" if place % 4 else None
        sold = book("AAPL" if place % 2 else "BRK.B", "SELL", quantity, "0.000000000001", at, **extra)
    Realization.objects.create(
        account=sold.account, instrument_id="AAPL", closed_by=sold.trade_id, closed_at=sold.executed_at, opened_by=1,
        opened_at=midnight, quantity=1, cost=1, proceeds=1, pnl=Decimal("-0.100000000000000000000001"),
    )  # fmt: skip
    monkeypatch.setattr("analytics.parquet.ROWS_A_GROUP", 50)
    monkeypatch.setattr("analytics.parquet.READ_BYTES", 4096)
    for name in ("copied", "row by row"):
        (tmp_path / name).mkdir()
    copied, rows = CurrentTrades(DAY), CurrentTrades(DAY)
    made = make_trades(tmp_path / "copied", copied)
    paths, count = write_tables(tmp_path / "row by row", "trades", DAY, TRADE_COLUMNS, rows.rows())
    assert (
        (made.rows, copied.entries) == (count, rows.entries) == (130, {sold.account_id: rows.entries[sold.account_id]})
    )
    for key, path in paths.items():
        assert made.paths[key].read_bytes() == path.read_bytes(), key


@pytest.mark.services
def test_what_is_long_is_brought_from_the_bucket_to_a_file_and_not_into_memory():
    storages["lake"].bucket.Object("trades/long.csv").put(Body=b"x" * 3_000_000)
    with lake.read("trades/long.csv") as file:
        assert file.file._rolled
        assert len(file.read()) == 3_000_000
