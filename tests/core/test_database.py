"""A database is prepared by one process at a time."""

import threading

import pytest

from tradeops.core.database import alone

pytestmark = pytest.mark.pure


def test_two_starts_at_once_prepare_one_after_the_other(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    order = []

    def second() -> None:
        with alone():
            order.append("second")

    with alone():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
