"""A chain walked out of the house, and checked by a program that knows nothing of it."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from trades.chain import triggers
from trades.models import Activity

CHECKER = Path(__file__).resolve().parents[3] / "deploy" / "check_chain.py"
pytestmark = pytest.mark.django_db


def checked(path: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", CHECKER, path, *more], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout.strip()


def test_an_exported_chain_is_found_whole_without_the_desk(exported, chained):
    chained.refresh_from_db()
    assert checked(exported) == (0, "The chain is whole: 4 entries.")
    assert checked(exported, chained.last_digest) == (0, "The chain is whole: 4 entries.")
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


def test_the_export_names_its_fields(exported):
    head = json.loads(exported.read_text().splitlines()[0])
    assert head["fields"]["trade"][:2] == ["trade_id", "version"]


def test_a_chain_altered_in_the_database_is_named_by_the_file(chained, tmp_path):
    with triggers.lifted():
        Activity.objects.filter(version=1).update(amount=Decimal("5000.01"))
    path = tmp_path / "altered.jsonl"
    call_command("export_chain", account=chained.pk, output=path)
    assert "entry 2 was altered" in checked(path)[1]
