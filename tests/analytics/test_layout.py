"""Where a day's files stand, and the one way their CSV is written and read."""

import datetime as dt
import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.layout import TRADE_COLUMNS, csv_bytes, instant, object_key, parse_key, plain, read_csv
from analytics.parquet import TYPES

pytestmark = pytest.mark.pure

DAY = dt.date(2025, 1, 15)
# What Hive, Athena and Trino call the types of Parquet.
HIVE = {"int64": "bigint", "decimal": "decimal(38,12)", "instant": "timestamp", "day": "date", "text": "string"}


def test_keys_are_the_ones_that_were_promised():
    assert object_key("trades", DAY) == "trades/2025/01/15/trades_2025-01-15.csv"
    assert object_key("trades", DAY, "parquet") == "trades/2025/01/15/trades_2025-01-15.parquet"
    assert object_key("analytics", DAY) == "analytics/2025/01/15/analysis_2025-01-15.csv"
    assert object_key("analytics", DAY, "parquet") == "analytics/2025/01/15/analysis_2025-01-15.parquet"


@pytest.mark.parametrize(("kind", "file_format"), [("../etc", "csv"), ("trades", "exe"), ("", "csv")])
def test_no_other_key_is_made(kind, file_format):
    with pytest.raises(ValueError, match="must be one of"):
        object_key(kind, DAY, file_format)


@given(st.sampled_from(["trades", "analytics"]), st.dates(), st.sampled_from(["csv", "parquet"]))
def test_a_key_tells_its_kind_day_and_format(kind, day, file_format):
    assert parse_key(object_key(kind, day, file_format)) == (kind, day, file_format)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "trades",
        "trades/2025/02/30/x.csv",
        "trades/2025/1/15/trades_2025-01-15.csv",
        "x/2025/01/15/x_2025-01-15.csv",
    ],
)
def test_what_is_no_key_is_refused(key):
    with pytest.raises(ValueError, match="not a key"):
        parse_key(key)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("150.2500", "150.25"),
        ("1E+3", "1000"),
        ("-0.00", "0"),
        ("1E-12", "0.000000000001"),
        ("-5", "-5"),
        ("100", "100"),
    ],
)
def test_decimals_are_written_in_plain_digits(number, text):
    assert plain(Decimal(number)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**16), max_value=10**16, places=12))
def test_a_written_decimal_reads_back_equal(number):
    assert Decimal(plain(number)) == number


def test_instants_are_utc_and_sort_as_text():
    new_york = dt.timezone(dt.timedelta(hours=-5))
    assert instant(dt.datetime(2025, 1, 15, 9, 30, tzinfo=new_york)) == "2025-01-15T14:30:00.000000Z"
    assert instant(dt.datetime(2025, 1, 15, 9, 30, 0, 5, tzinfo=dt.UTC)) == "2025-01-15T09:30:00.000005Z"


def test_lines_end_in_a_newline_alone_and_empty_cells_stay_empty():
    content = csv_bytes(("a", "b"), [{"a": Decimal("1.50"), "b": None}, {"a": 2, "b": 'say "hi",\nbye'}])
    assert content == b'a,b\n1.5,\n2,"say ""hi"",\nbye"\n'


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


@given(st.lists(st.fixed_dictionaries({"a": text, "b": text})))
def test_what_was_written_reads_back(rows):
    lines = io.StringIO(csv_bytes(("a", "b"), rows).decode(), newline="")
    assert [row for _, row in read_csv(lines, ("a", "b"))] == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: column a is missing"),
        ("b\n1\n", "line 1: column a is missing"),
        ("a,b\n1,2\n3\n", "line 3: 1 cells where the header has 2"),
        ('a,b\n1,"2\n', "line 2: "),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(content, message):
    with pytest.raises(ValueError, match=message):
        list(read_csv(io.StringIO(content, newline=""), ("a",)))


def test_the_documented_table_has_the_columns_and_types_of_the_files():
    document = (Path(__file__).parents[2] / "docs" / "lake.md").read_text()
    columns = re.search(r"CREATE EXTERNAL TABLE trades \((.*?)\)\nPARTITIONED", document, re.S)[1]
    told = [tuple(column.split()) for column in re.split(r",\s+", columns)]
    assert told == [(name, HIVE[TYPES.get(name, "text")]) for name in TRADE_COLUMNS]
