"""SQL over the lake: what it answers, what it must not do, and that memory and time end a query."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from analytics import services
from analytics.query import COLUMNS
from analytics.query_process import Question, Refused, answer
from tests.analytics.conftest import DAY
from tests.desk import Desk


def lake_query(*words: str) -> str:
    out = io.StringIO()
    call_command("lake", "query", *words, stdout=out, no_color=True)
    return out.getvalue()


def asked(sql: str) -> list:
    """The answer over empty tables, by this process."""
    return list(answer(Question(sql, 60, "/nowhere", dict.fromkeys(COLUMNS, []), COLUMNS)))


@pytest.mark.django_db
def test_the_lake_is_asked_in_sql_where_it_stands(day_of_trades):
    services.make_day(DAY)
    wanted = "select ticker, sum(quantity) as quantity, max(note) as note, max(day) as day from trades"
    grouped = f"{wanted} where year = 2025 group by 1 order by 1"
    assert lake_query(grouped, "--format", "csv") == (
        "ticker,quantity,note,day\nAAPL,110,'=1+1,15\nBRK.B,0.000000000001,,15\n"
    )
    told = lake_query("select vwap, 1.5 as x, e'a\\n\\x1b[2J' as y from analytics where ticker = 'AAPL'")
    assert told == "vwap              x    y\n150.481818181818  1.5  a  [2J\n"
    assert json.loads(lake_query("select count(*) as n from accounts", "--format", "json")) == {"n": 0}


@pytest.mark.django_db
def test_the_command_answers_and_ends_with_0(tmp_path):
    done = Desk(tmp_path).manage("lake", "query", "select count(*) as n from trades", "--format", "csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "n\n0\n", "")


@pytest.mark.pure
@pytest.mark.parametrize(
    "sql",
    [
        "copy trades to '/tmp/stolen.csv'",
        "copy (select 1) to '.tmp/stolen.csv'",  # where DuckDB would move memory to
        "attach '.tmp/stolen.db'",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/proc/self/environ')",
        "select * from glob('/etc/*')",
        "select * from 'https://example.com/x.parquet'",
        "select getenv('HOME')",
        "install httpfs",
        "load httpfs",
        "export database '/tmp/stolen'",
        "set enable_external_access = true",
        "pragma memory_limit = '100GB'",
        "reset temp_directory",
        "create secret (type s3)",
        "select nothing from trades",
        "select * from pickle",
        "selec",
        " ;",
    ],
)
def test_a_query_reads_the_lake_and_nothing_else(sql):
    with pytest.raises(Refused):
        asked(sql)


@pytest.mark.pure
def test_tables_without_a_day_have_their_columns():
    names, *rows = asked("select * from accounts")
    assert (names, rows) == ([*COLUMNS["accounts"], "year", "month", "day"], [])


@pytest.mark.django_db
@pytest.mark.parametrize("sql", ["select repeat('x', 4000000000)", "select repeat('x', 1000000) from range(1000)"])
def test_what_takes_too_much_memory_is_ended_with_words(sql):
    with pytest.raises(CommandError, match=r"more than the 2 GB of memory|larger than 64 MB"):
        lake_query(sql)


@pytest.mark.django_db
def test_a_query_without_end_is_ended(monkeypatch):
    monkeypatch.setattr("analytics.query.MOST_SECONDS", 2)
    with pytest.raises(CommandError, match="longer than the 2 s"):
        lake_query("with recursive n as (select 1 i union all select i + 1 from n) select count(*) from n")


@pytest.mark.django_db
def test_two_columns_of_one_name_are_not_made_one(db):
    with pytest.raises(CommandError, match="name them apart"):
        lake_query("select 1 as a, 2 as a", "--format", "json")
