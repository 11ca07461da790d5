"""The chain taken out of the house, and checked by a program that knows nothing of it."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.factories import book, make_account
from tests.trades.conftest import at
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job
from trades.chain import triggers
from trades.models import Activity, Position
from trades.services import book_activity, correct_version, void_version

CHECKER = Path(__file__).resolve().parents[3] / "deploy" / "check_chain.py"
pytestmark = pytest.mark.django_db


@pytest.fixture
def account(alice):
    account = make_account(alice)
    first = book(account, quantity="10", price="100.50", fees="1", executed_at=at(0), note='"quoted", ünïcode\n')
    activity = Activity(account=account, kind="deposit", amount=Decimal("5000"), effective_at=at(1))
    deposit = book_activity(activity, actor=alice, idempotency_key="k-1").row
    correct_version(first, {"price": Decimal("101")}, actor=alice, reason="typing error")
    void_version(deposit, actor=alice)
    return account


def checked(path: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", CHECKER, path, *more], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout.strip()


@pytest.fixture
def exported(account, tmp_path):
    path = tmp_path / "chain.jsonl"
    call_command("export_chain", account=account.pk, output=path)
    return path


def test_an_exported_chain_is_found_whole_without_the_desk(exported, account):
    account.refresh_from_db()
    assert checked(exported) == (0, "The chain is whole: 4 entries.")
    assert checked(exported, account.last_digest) == (0, "The chain is whole: 4 entries.")
    assert checked(exported, "f" * 64)[0] == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"100.5"', '"100.6"', "entry 1 was altered"),
        ("typing error", "no reason", "entry 3 was altered"),
        ("5000", "5001", "entry 2 was altered"),
    ],
)
def test_a_change_in_the_file_is_named(exported, old, new, words):
    text = exported.read_text()
    assert old in text
    exported.write_text(text.replace(old, new, 1))
    status, told = checked(exported)
    assert status == 1
    assert words in told


def test_a_file_cut_short_is_named(exported):
    lines = exported.read_text().splitlines(keepends=True)
    exported.write_text("".join(lines[:-2]))
    assert checked(exported)[1].startswith("Not whole: the file ends with entry 3")
    exported.write_text("nothing of the kind")
    assert checked(exported)[0] == 1


def test_a_chain_of_no_account_is_refused():
    with pytest.raises(CommandError, match="no account 99"):
        call_command("export_chain", account=99)


def test_the_owner_downloads_the_chain_and_a_stranger_does_not(api, account, alice, bob, exported):
    answer = api(alice).get(f"/accounts/{account.pk}/chain")
    assert b"".join(answer.streaming_content).decode() == exported.read_text()
    assert answer["Content-Type"] == "application/x-ndjson"
    assert api(bob).get(f"/accounts/{account.pk}/chain").status_code == 404
    assert api().get(f"/accounts/{account.pk}/chain").status_code == 401
    assert api(alice).get(f"/accounts/{account.pk}/chain?all=1").status_code == 400


# The page -----------------------------------------------------------------------------------------


def test_the_back_office_verifies_the_book_and_reads_the_result(client, account, carol):
    client.force_login(carol)
    assert "Not verified yet" in client.get("/desk/ledger/").content.decode()
    assert client.post("/desk/ledger/verify/").status_code == 302
    assert client.post("/desk/ledger/verify/").status_code == 302
    assert Job.objects.filter(kind="verify_ledger").count() == 1
    runner.load_handlers()
    runner.run_owed()
    page = client.get("/desk/ledger/").content.decode()
    assert "1 accounts, 4 ledger entries and 1 positions agreed" in page


def test_a_difference_stands_on_the_page(client, account, dave, alice):
    Position.objects.filter(account=account).update(cost_basis=Decimal("1010.01"))
    client.force_login(dave)
    client.post("/desk/ledger/verify/")
    runner.load_handlers()
    runner.run_owed()
    assert "cost_basis is kept as 1010.01" in client.get("/desk/ledger/").content.decode()
    job = Job.objects.get(kind="verify_ledger")
    assert (job.state, job.result["difference_count"]) == (
        "succeeded",
        2,
    )  # cost, and so cash
    client.force_login(alice)
    page = client.get("/desk/ledger/").content.decode()
    assert "not whole" in page
    assert "1010.01" not in page


def test_a_trader_cannot_have_the_whole_book_verified(client, alice):
    client.force_login(alice)
    assert client.post("/desk/ledger/verify/").status_code == 403
    assert client.get("/desk/ledger/check_chain.py").status_code == 200


def test_the_export_names_its_fields(exported):
    head = json.loads(exported.read_text().splitlines()[0])
    assert head["fields"]["trade"][:2] == ["trade_id", "version"]


def test_a_chain_altered_in_the_database_is_named_by_the_file(account, tmp_path):
    with triggers.lifted():
        Activity.objects.filter(version=1).update(amount=Decimal("5000.01"))
    path = tmp_path / "altered.jsonl"
    call_command("export_chain", account=account.pk, output=path)
    assert "entry 2 was altered" in checked(path)[1]
