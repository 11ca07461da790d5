"""A PostgreSQL that hangs is an outage, and one that works for long is none."""

import os

import psycopg
import pytest

from tests.proxy import Proxy
from tradeops.core.postgresql import patience

pytestmark = pytest.mark.services


@pytest.fixture
def proxy(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.3)
    monkeypatch.setattr(patience, "ANSWER_SECONDS", 2)
    with Proxy(int(os.environ["DB_PORT"])) as proxy:
        yield proxy


@pytest.fixture
def connection(proxy):
    given = {name: os.environ[f"DB_{name.upper()}"] for name in ("user", "password")}
    address = {"host": "127.0.0.1", "port": proxy.port, "dbname": "postgres"}
    with patience.PatientConnection.connect(**address, **given, autocommit=True) as connection:
        yield connection


def test_who_waits_for_a_database_that_hangs_is_told_so(proxy, connection):
    proxy.hang()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    assert connection.broken


def test_a_statement_may_take_as_long_as_it_needs(connection, monkeypatch):
    monkeypatch.setattr(patience, "ANSWER_SECONDS", 60)
    assert connection.execute("SELECT pg_sleep(2)").rowcount == 1
