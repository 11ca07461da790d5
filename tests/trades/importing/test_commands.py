"""manage.py import_trades and export_trades."""

import io

import pytest
from django.core.management import CommandError, call_command

from tests.factories import book, make_account
from tests.trades.conftest import at
from trades.models import Trade

TEXT = "Symbol,Side,Qty,Price,Date,Desk\nAAPL,Buy,100,10.5,01/15/2025 09:30:00,x\n"
TOLD = {"timezone": "America/New_York", "date_format": "%m/%d/%Y %H:%M:%S"}


def run(path, **options) -> str:
    out = io.StringIO()
    call_command("import_trades", str(path), stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "broker.csv"
    path.write_text(TEXT)
    return path


def test_a_file_is_imported_and_told(alice, file):
    told = run(file, user="alice", **TOLD)
    assert told.startswith("1 imported, 0 duplicates")
    assert "Not used: Desk." in told
    assert Trade.objects.get().executed_at.isoformat() == "2025-01-15T14:30:00+00:00"


def test_a_dry_run_tells_the_positions_and_does_nothing(alice, file):
    assert "AAPL: 0 -> 100" in run(file, user="alice", dry_run=True, **TOLD)
    assert not Trade.objects.exists()


def test_every_bad_row_is_told(alice, file):
    file.write_text(TEXT + "aapl,Buy,0,10.5,01/15/2025 09:30:00,x\n")
    with pytest.raises(CommandError, match=r"2 faults in 1 rows\.\nrow 3, Symbol: .*\('aapl'\)\nrow 3, Qty: "):
        run(file, user="alice", **TOLD)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"user": "nobody"}, "no user nobody"),
        ({"account": 999}, "sees no account 999"),
        ({"timezone": "Mars"}, "timezone: Mars is not a time zone"),
        ({"columns": "x"}, "columns: A JSON object"),
    ],
)
def test_what_cannot_be_is_refused(alice, file, wrong, words):
    with pytest.raises(CommandError, match=words):
        run(file, **{"user": "alice"} | wrong)


def test_a_file_that_is_not_there_is_refused(alice, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path / "none.csv", user="alice")


def test_what_is_exported_is_imported_again(alice, tmp_path):
    account, other = (make_account(alice, name) for name in ("Here", "There"))
    book(account, quantity="3", executed_at=at(0), note="=1\n")
    path = tmp_path / "book.csv"
    call_command("export_trades", account=account.pk, output=path)
    assert run(path, user="alice", account=other.pk).startswith("1 imported")
    assert Trade.objects.get(account=other).note == "=1\n"
    with pytest.raises(CommandError, match="no account 999"):
        call_command("export_trades", account=999)
