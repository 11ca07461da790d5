"""A lake that somebody tampered with: each way is found, and named in words, by the check or by what makes it again."""

import datetime as dt
import hashlib
import io
import os
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.storage import default_storage, storages
from django.core.management import CommandError, call_command

from analytics import services, statements
from analytics.checking import check_lake, check_revisions, days_to_check, reconcile
from analytics.layout import object_key, revision_key
from analytics.models import LakeFile, Revision
from analytics.standing import check_elsewhere
from tests.analytics.conftest import DAY
from tests.factories import book, make_account
from tradeops.core.jobs.models import Job
from trades.models import Trade
from trades.services import correct_version

pytestmark = pytest.mark.django_db

TRADES, ANALYSIS, ANCHORS = (object_key(kind, DAY) for kind in ("trades", "analytics", "anchors"))
TABLE, MANIFEST = object_key("trades", DAY, "parquet"), object_key("manifests", DAY, "json")


@pytest.fixture
def account(alice, monkeypatch):
    """A day of two trades that was sent, one of them corrected since and the day sent again; its anchor holds."""
    account = make_account(alice)
    noon = dt.datetime.combine(DAY, dt.time(12), dt.UTC)
    book(account, "BUY", "10", "7", executed_at=noon)
    book(account, "SELL", "4", "8", executed_at=noon)
    monkeypatch.setattr("analytics.services.heads_at_end_of", lambda day: {account.pk: 2})
    services.make_day(DAY)
    trade = Trade.objects.select_related("account").get(side="BUY")
    correct_version(trade, {"price": Decimal(6)}, actor=alice, reason="typing mistake")
    services.make_day(DAY)
    assert list(check_lake([DAY])) == []
    return account


def content_of(key: str) -> bytes:
    with storages["lake"].open(key) as file:
        return file.read()


def put(key: str, content: bytes) -> None:
    storages["lake"].delete(key)
    storages["lake"].save(key, io.BytesIO(content))


def forge(key: str, content: bytes) -> None:
    """Other bytes, with the checksums in the database written anew to match."""
    revision = Revision.objects.filter(file_key=key).first()
    put(key, content)
    put(revision.key, content)
    for noted in (LakeFile.objects.filter(key=key), Revision.objects.filter(pk=revision.pk)):
        noted.update(size=len(content), sha256=hashlib.sha256(content).hexdigest())


def forge_table() -> None:
    forge(TABLE, content_of(TABLE).replace(b"AAPL", b"AAPM"))


def forge_analysis() -> None:
    forge(ANALYSIS, content_of(ANALYSIS).replace(b"AAPL", b"AAPM"))


def forge_anchors() -> None:
    forge(ANCHORS, content_of(ANCHORS).splitlines(True)[0])


def forge_anchors_of_no_account() -> None:
    forge(ANCHORS, content_of(ANCHORS) + b"9" * 40 + b",1,x,y\n")


def forge_manifest() -> None:
    forge(MANIFEST, content_of(MANIFEST).replace(b'"trades/', b'"../trades/', 1))


def forge_manifest_that_is_none() -> None:
    forge(MANIFEST, b"[]")


def take_a_revision_away() -> None:
    storages["lake"].delete(revision_key(TRADES, 1))
    Revision.objects.get(file_key=TRADES, number=1).delete()


def alter_what_was_known() -> None:
    Revision.objects.filter(file_key=TRADES, number=2).update(known={"999": 1})


def take_the_note_of_what_stands_away() -> None:
    LakeFile.objects.filter(key=TRADES).delete()


def note_a_key_outside() -> None:
    LakeFile.objects.filter(key=TRADES).update(key="../../secret.csv")


@pytest.mark.parametrize(
    ("attack", "found"),
    [
        (forge_table, [f"damaged: revision 2 of {TABLE} is noted with other sha256", f"damaged: {TABLE} says what"]),
        (forge_analysis, [f"damaged: revision 2 of {ANALYSIS} is noted", f"damaged: {ANALYSIS} says what the book"]),
        (forge_anchors, [f"damaged: revision 1 of {ANCHORS} is noted with other sha256, size"]),
        (forge_anchors_of_no_account, ["damaged: revision 1 of", f"damaged: {ANCHORS} cannot be read: line 3:"]),
        (forge_manifest, [f"damaged: revision 2 of ../{TRADES} is no longer noted, against"]),
        (forge_manifest_that_is_none, [f"damaged: {MANIFEST} is no manifest"]),
        (take_a_revision_away, [f"damaged: revision 1 of {TRADES} is no longer noted, against manifest"]),
        (alter_what_was_known, [f"damaged: revision 2 of {TRADES} is noted with other entries"]),
        (take_the_note_of_what_stands_away, [f"behind: {TRADES} is not noted as standing"]),
        (note_a_key_outside, ["damaged: '../../secret.csv' is noted", f"behind: {TRADES} is not noted as standing"]),
    ],
)  # fmt: skip
def test_what_was_altered_with_its_checksum_is_found(account, attack, found):
    attack()
    said = [f"{finding.kind}: {finding.words}" for finding in check_lake([DAY])]
    assert [words[: len(start)] for words, start in zip(said, found, strict=True)] == found


def test_what_says_what_the_book_never_said_is_not_written_over_when_the_book_goes_on(account):
    forge_table()
    book(account, "BUY", "1", "7", executed_at=dt.datetime.combine(DAY, dt.time(13), dt.UTC))
    kinds = [finding.kind for finding in check_lake([DAY])]
    assert kinds == ["damaged", "behind", "damaged"]  # the CSV is what the book said then, the table is not
    services.make_day(DAY)
    assert [finding.kind for finding in check_lake([DAY])] == ["damaged"]  # the evidence stays, and is told of


def test_what_stands_outside_the_days_is_found(account):
    for key in ("x.csv", "trades/x.parquet", "trades/2031/01/01/trades_2031-01-01.parquet", "links/x.txt"):
        put(key, b"stray")
    assert sorted(str(finding) for finding in check_elsewhere()) == [
        "lake unknown: links/x.txt stands outside the folders of the days",
        "lake unknown: trades/2031 is the folder of no day that is noted",
        "lake unknown: trades/x.parquet stands outside the folders of the days",
        "lake unknown: x.csv stands outside the folders of the days",
    ]
    assert reconcile(lambda percentage: None)["finding_count"] == 4 and not Job.objects.exists()


def test_a_day_that_is_exported_while_the_folders_are_listed_is_none_that_nobody_knows(account, monkeypatch):
    known = iter([set(), {DAY}])
    monkeypatch.setattr("analytics.standing.days_known", lambda: next(known))
    assert check_elsewhere() == [] and next(known, None) is None


def test_files_that_wait_to_be_imported_are_not_taken_for_a_days(account):
    name = default_storage.save("imports/waits.csv", io.BytesIO(b"x"))
    try:
        assert check_elsewhere() == []
    finally:
        default_storage.delete(name)


def test_today_is_behind_only_if_it_is_asked_for(account, monkeypatch):
    noon = dt.datetime.combine(DAY, dt.time(12), dt.UTC)
    book(account, "BUY", "1", "7", executed_at=noon)
    monkeypatch.setattr("analytics.checking.clock.now", lambda: noon)
    assert (days_to_check(), days_to_check(DAY, DAY)) == ([], [DAY])
    assert reconcile(lambda percentage: None)["finding_count"] == 0 and not Job.objects.exists()
    monkeypatch.setattr("analytics.checking.clock.now", lambda: noon + dt.timedelta(days=1))
    assert days_to_check() == [DAY]


@pytest.mark.embedded
def test_what_is_being_put_is_not_told_of_and_is_removed_when_its_maker_died_long_ago(account):
    folder = Path(storages["lake"].path(TRADES)).parent
    dead, alive = folder / ".dead.part", folder / ".alive.part"
    dead.touch(), alive.touch()
    assert list(check_lake([DAY])) == check_elsewhere() == []
    os.utime(dead, (0, 0))
    services.make_day(DAY)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_a_forged_statement_is_found_by_making_every_revision_again(account):
    statements.make_statements(DAY)
    page = object_key("statements", DAY, "html", account.pk)
    forge(page, content_of(page).replace(b"AAPL", b"AAPM"))
    assert list(check_lake([DAY])) == check_elsewhere() == []
    with pytest.raises(CommandError, match="1 finding in 1 day"):
        call_command("lake", "check", "--since", "2025-01-15", "--reproduce", stdout=(out := io.StringIO()))
    assert f"damaged: {revision_key(page, 1)} is not what the book of then says" in out.getvalue()
    Revision.objects.filter(file_key=page).update(made_with="TradeOps 0.1")
    assert [finding.kind for finding in check_revisions(DAY)] == ["version"]


def test_what_was_altered_of_a_revisions_knowledge_is_named_and_not_a_failure(account):
    statements.make_statements(DAY)
    page, table, key = object_key("statements", DAY, "html", account.pk), object_key("accounts", DAY), str(account.pk)
    for file, noted, words in (
        (table, {"known": {"999": 1}}, "account 999, of which it tells, is not in the book"),
        (page, {"known": {"9" * 30: 1}}, "which entry of its account it knew is no longer noted"),
        (page, {"known": {key: 2}, "marks": "x"}, "the prices that account .* was told at are no longer noted"),
        (page, {"marks": {key: {"named": 5}}}, "the names that it was made with are noted as 5"),
        (page, {"marks": {key: {"AAPL 2025-01-15": ["x"]}}}, "a price that it was made at is noted as"),
    ):
        Revision.objects.filter(file_key=file).update(**noted)
        with pytest.raises(CommandError, match=f"{file} cannot be made again: {words}"):
            call_command("lake", "reproduce", file, stdout=io.StringIO())


def test_a_damaged_revision_is_made_again_and_what_differs_is_not_told_from_it(account, tmp_path):
    put(revision_key(TRADES, 1), b"x" + content_of(revision_key(TRADES, 1))[1:])
    call_command("lake", "reproduce", "2025-01-15", stdout=(out := io.StringIO()), no_color=True)
    assert "no longer has the bytes that were sent" in out.getvalue() and "differ with" not in out.getvalue()
    assert out.getvalue().endswith("The same to the byte as was sent.\n")
    with pytest.raises(CommandError, match="cannot be written: Is a directory"):
        call_command("lake", "reproduce", "2025-01-15", "--output", str(tmp_path), stdout=io.StringIO())


@pytest.mark.embedded
def test_what_cannot_be_read_is_a_finding_and_the_rest_is_checked(account):
    path = Path(storages["lake"].path(TRADES))
    path.unlink()
    path.mkdir()
    put(ANALYSIS, b"x")
    assert [finding.words.partition(":")[0] for finding in check_lake([DAY])] == [
        f"{ANALYSIS} has other bytes than were written", f"The lake did not give {TRADES}",
    ]  # fmt: skip


def test_days_that_are_none_are_not_called_whole(account):
    with pytest.raises(CommandError, match="There is no day from 2025-01-15 to 2025-01-14"):
        call_command("lake", "check", "--since", "2025-01-15", "--until", "2025-01-14")
    call_command("lake", "check", "--since", "2999-01-01", stdout=(out := io.StringIO()))
    assert out.getvalue() == "Neither lake nor book has anything there: 0 days.\n"
