"""Of a PostgreSQL that is away one waits, and the others are refused at once."""

import threading

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from tradeops.core.postgresql import base

pytestmark = pytest.mark.embedded


@pytest.fixture
def door(monkeypatch):
    """Of a process that has no open connection."""
    monkeypatch.setattr(base.watch, "has_open", lambda: False)
    return base.Door()


def in_vain():
    raise PoolTimeout


def test_while_one_tries_the_others_are_refused(door):
    with pytest.raises(PoolTimeout):
        door.enter(in_vain)
    begun, is_back = threading.Event(), threading.Event()

    def wait():
        begun.set()
        return is_back.wait(60) and "connection"

    told = []
    one = threading.Thread(target=lambda: told.append(door.enter(wait)))
    one.start()
    begun.wait(60)
    with pytest.raises(psycopg.OperationalError, match="somebody is trying"):
        door.enter(lambda: "connection")
    is_back.set()
    one.join()
    assert told == ["connection"]
    assert door.enter(lambda: "another") == "another" and not door.is_shut


def test_after_one_tried_in_vain_another_tries(door):
    for _ in range(3):
        with pytest.raises(PoolTimeout):
            door.enter(in_vain)
    assert door.enter(lambda: "connection") == "connection"


def test_where_all_connections_are_lent_everybody_waits(door, monkeypatch):
    monkeypatch.setattr(base.watch, "has_open", lambda: True)
    with pytest.raises(PoolTimeout):
        door.enter(in_vain)
    assert not door.is_shut
