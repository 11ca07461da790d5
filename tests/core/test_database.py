"""A database is prepared by one process at a time, and is not read before."""

import threading

import pytest
from django.core.management import CommandError, call_command

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


@pytest.mark.parametrize(
    "command",
    [
        "verify_ledger", "refold", "export_chain --account 1", "export_trades --account 1",
        "import_trades FILE --user thea", "lake check", "reproduce 1",
    ],
)  # fmt: skip
def test_a_command_says_that_the_database_is_not_migrated(monkeypatch, command):
    monkeypatch.setattr("tradeops.core.database.is_prepared", lambda: False)
    with pytest.raises(CommandError, match="run: python manage.py migrate"):
        call_command(*command.split())
