"""What was once sent: kept, made again to the byte from the book of then, and held against the book of today."""

import datetime as dt
import io
import json
from decimal import Decimal

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from analytics import archive, revisions, services
from analytics import lake as files
from analytics.archive import differences_today, reproduce
from analytics.checking import check_lake
from analytics.day_trades import KnownTrades
from analytics.late import late_days, recorded_lately
from analytics.layout import object_key, revision_key
from analytics.models import LakeFile, Revision
from tests.analytics.conftest import DAY
from tests.factories import act, book, make_account
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe
from trades.chain.triggers import lifted
from trades.models import Account, LedgerEntry, Trade
from trades.services import correct_version, void_version

pytestmark = pytest.mark.django_db

TRADES, ANALYSIS, ANCHORS = (object_key(kind, DAY) for kind in ("trades", "analytics", "anchors"))
MANIFEST = object_key("manifests", DAY, "json")


def at(hour: int, day: dt.date = DAY) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), dt.UTC)


def content_of(key: str) -> bytes:
    with storages["lake"].open(key) as file:
        return file.read()


def latest(trade: Trade) -> Trade:
    return Trade.objects.select_related("account").get(trade_id=trade.trade_id, superseded_by=None)


def lake(*words: str) -> str:
    out = io.StringIO()
    call_command("lake", *words, stdout=out, no_color=True, skip_checks=False)
    return out.getvalue()


@pytest.fixture
def sent(alice, bob):
    """A day that was sent, with two accounts; after it the book learned of five things, and the day was sent again."""
    mine, other = make_account(alice), make_account(bob, pnl_method="average_cost")
    book(mine, "BUY", "100", "10", executed_at=at(9, DAY - dt.timedelta(days=3)))
    act(mine, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(9, DAY - dt.timedelta(days=1)))
    corrected = book(mine, "SELL", "50", "7", executed_at=at(10), fees="1", note="=1+1")
    voided = book(mine, "BUY", "1", "8", executed_at=at(12))
    book(other, "BUY", "3", "9", executed_at=at(10))
    moved = book(other, "SELL", "2", "9.5", executed_at=at(11), fees="0.25")
    services.make_day(DAY)
    first = {key: content_of(key) for key in (TRADES, ANALYSIS, object_key("trades", DAY, "parquet"))}
    correct_version(latest(corrected), {"price": Decimal("7.5")}, actor=alice, reason="typing mistake")
    void_version(latest(voided), actor=alice, reason="not ours")
    correct_version(latest(moved), {"executed_at": at(13)}, actor=bob, reason="the exchange's time")
    book(other, "BUY", "1", "8", executed_at=at(8), ticker="MSFT")
    book(
        mine, "BUY", "10", "4", executed_at=at(8, DAY - dt.timedelta(days=2))
    )  # moves what the sale realized? FIFO: no
    services.make_day(DAY)
    return {"first": first, "corrected": corrected, "voided": voided, "moved": moved, "mine": mine, "other": other}


def test_each_revision_is_kept_with_the_entries_it_knew(sent):
    entries = [revision.entries for revision in Revision.objects.filter(file_key=TRADES).order_by("number")]
    assert entries == [{sent["mine"].pk: 4, sent["other"].pk: 2}, {sent["mine"].pk: 7, sent["other"].pk: 4}]
    assert content_of(revision_key(TRADES, 1)) == sent["first"][TRADES]
    assert content_of(revision_key(TRADES, 2)) == content_of(TRADES) != sent["first"][TRADES]
    assert LakeFile.objects.get(key=TRADES).revision == 2


def test_what_was_sent_is_made_again_to_the_byte(sent, tmp_path):
    for revision in Revision.objects.exclude(file_key=MANIFEST):
        folder = tmp_path / revision.name
        folder.mkdir()
        made = reproduce(revision, folder)
        assert made.is_same, revision
        assert made.path.read_bytes() == content_of(revision.key)


def test_what_differs_today_is_listed_by_trade(sent):
    found = {one.id: one for one in differences_today(Revision.objects.get(file_key=TRADES, number=1))}
    corrected, voided, moved = (sent[name].trade_id for name in ("corrected", "voided", "moved"))
    assert {key: one.kind for key, one in found.items() if key in (corrected, voided, moved)} == {
        corrected: "changed", voided: "removed", moved: "changed",
    }  # fmt: skip
    assert found[corrected].changes["price"] == ("7", "7.5")
    assert found[corrected].changes["realized_pnl"] == ("100", "125")
    assert found[moved].changes["executed_at"][1] == "2025-01-15T13:00:00.000000Z"
    assert [one.ticker for one in found.values() if one.kind == "added"] == ["MSFT"]
    assert differences_today(Revision.objects.get(file_key=TRADES, number=2)) == []


def test_the_command_reproduces_and_says_what_differs(sent, tmp_path):
    told = lake("reproduce", "2025-01-15", "--revision", "1", "--output", str(tmp_path / "then.csv"))
    assert "The same to the byte" in told and "4 trades differ" in told
    assert (tmp_path / "then.csv").read_bytes() == sent["first"][TRADES]
    with pytest.raises(CommandError, match="there are 1, 2"):
        lake("reproduce", "2025-01-15", "--revision", "9")


def test_the_manifest_lists_the_days_files_with_their_checksums(sent):
    told = json.loads(content_of(MANIFEST))
    for listed in told["files"]:
        assert listed["sha256"] == LakeFile.objects.get(key=listed["key"]).sha256
        assert content_of(listed["kept_as"]) == content_of(listed["key"])
    assert [listed["key"] for listed in told["files"]][0] == TRADES
    assert told["files"][0]["entries"] == {str(sent["mine"].pk): 7, str(sent["other"].pk): 4}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("make", "2999-01-01"), "2999-01-01 has not come yet"),
        (("reproduce", "zz"), "'zz' is not a day such as 2025-01-15"),
        (("check", "--since", "15.1.2025"), "'15.1.2025' is not a day such as 2025-01-15"),
        (("query", "select 1", "--rows", "-5"), "'-5' is not a number of rows"),
    ],
)
def test_the_command_says_in_words_what_it_cannot_do(db, words, told):
    with pytest.raises(CommandError, match=told):
        lake(*words)


# --- held against the book


def test_a_lake_as_it_was_written_says_what_the_book_says(sent):
    assert "1 day." in lake("check", "--since", "2025-01-15")


def test_a_byte_a_lost_file_and_a_day_behind_are_each_found(sent, alice):
    storages["lake"].delete(revision_key(TRADES, 1))
    storages["lake"].delete(ANALYSIS)
    storages["lake"].save(ANALYSIS, io.BytesIO(b"altered"))
    correct_version(latest(sent["corrected"]), {"price": Decimal("7.75")}, actor=alice)
    book(sent["mine"], "BUY", "1", "5", executed_at=at(9, DAY - dt.timedelta(days=40)))
    found = [str(finding) for finding in check_lake([DAY - dt.timedelta(days=40), DAY])]
    assert [words.split(":")[0] for words in found] == [
        "2024-12-06 behind", "2025-01-15 damaged", "2025-01-15 damaged", "2025-01-15 behind",
    ]  # fmt: skip
    with pytest.raises(CommandError, match="findings in"):
        lake("check", "--since", "2025-01-15", "--until", "2025-01-15")


def test_of_a_day_that_is_behind_the_book_of_then_is_folded_once(sent, alice, monkeypatch):
    folded = []
    monkeypatch.setattr(archive, "KnownTrades", lambda *args: folded.append(args) or KnownTrades(*args))
    correct_version(latest(sent["corrected"]), {"price": Decimal("7.75")}, actor=alice)
    assert [finding.kind for finding in check_lake([DAY])] == ["behind"]
    assert len(folded) == 1


def test_what_nobody_noted_and_an_older_revision_that_stands_are_found_and_the_latter_is_mended(sent):
    stray = object_key("trades", DAY, "parquet").replace(".parquet", " (copy).parquet")
    storages["lake"].save(stray, io.BytesIO(b"stray"))
    storages["lake"].save(revision_key(TRADES, 9), io.BytesIO(b"stray"))
    stand_again(Revision.objects.get(file_key=TRADES, number=1))
    found = [str(finding) for finding in check_lake([DAY])]
    assert found == [
        f"2025-01-15 behind: {TRADES} is not the newest that was made: run the day again",
        f"2025-01-15 unknown: {revision_key(TRADES, 9)} was never noted",
        f"2025-01-15 unknown: {stray} was never noted",
    ]
    services.make_day(DAY)
    assert content_of(TRADES) == content_of(revision_key(TRADES, 2))
    assert [finding.kind for finding in check_lake([DAY])] == ["unknown", "unknown"]


def stand_again(revision: Revision) -> None:
    """As a maker left it that was stopped for long before its last step, and killed after it."""
    files.copy(revision.key, revision.file_key)
    revisions.show(revision)


def test_a_maker_that_was_held_up_has_the_newest_stand_last(sent):
    revisions.have_stand(Revision.objects.get(file_key=TRADES, number=1))
    assert content_of(TRADES) == content_of(revision_key(TRADES, 2)) != sent["first"][TRADES]
    assert LakeFile.objects.get(key=TRADES).revision == 2
    assert list(check_lake([DAY])) == []


def test_a_revision_whose_maker_was_killed_before_it_was_put_is_missed_by_nobody(sent, alice, monkeypatch):
    put = files.put
    monkeypatch.setattr(files, "put", lambda *args: (_ for _ in ()).throw(files.LakeError("killed")))
    correct_version(latest(sent["corrected"]), {"price": Decimal("7.25")}, actor=alice)
    with pytest.raises(files.LakeError):
        services.make_day(DAY)
    monkeypatch.setattr(files, "put", put)
    correct_version(latest(sent["corrected"]), {"price": Decimal("7.75")}, actor=alice)
    services.make_day(DAY)
    abandoned = Revision.objects.filter(file_key=TRADES, is_abandoned=True).values_list("number", flat=True)
    assert (list(abandoned), LakeFile.objects.get(key=TRADES).revision) == ([3], 4)
    assert list(check_lake([DAY])) == []


def test_what_was_read_before_a_later_revision_was_made_is_not_kept_after_it(sent, tmp_path):
    first = Revision.objects.get(file_key=TRADES, number=1)
    path = tmp_path / "held-up.csv"
    path.write_bytes(sent["first"][TRADES])
    with pytest.raises(files.LakeError, match="from later entries"):
        revisions.keep(TRADES, path, first.rows, first.entries)
    assert LakeFile.objects.get(key=TRADES).revision == 2


def test_a_trade_whose_void_emptied_the_day_is_not_put_back_by_a_maker_that_was_held_up(alice, tmp_path):
    voided = book(make_account(alice), "BUY", "1", "8", executed_at=at(12))
    services.make_day(DAY)
    first, path = Revision.objects.get(file_key=TRADES), tmp_path / "held-up.csv"
    path.write_bytes(content_of(TRADES))
    void_version(latest(voided), actor=alice, reason="not ours")
    services.make_day(DAY)
    with pytest.raises(files.LakeError, match="from later entries"):
        revisions.keep(TRADES, path, first.rows, first.entries)
    last = Revision.objects.filter(file_key=TRADES).first()
    assert (last.number, last.rows, last.entries) == (2, 0, {voided.account_id: 2})
    assert list(check_lake([DAY])) == [] and reproduce(last, tmp_path).is_same


def test_of_two_makers_that_note_one_number_the_slower_tries_again(sent, tmp_path):
    first, found = Revision.objects.get(file_key=TRADES, number=1), files.Measure(1, "0" * 64)
    with pytest.raises(files.LakeError, match="noted by another meanwhile"):
        revisions.note(TRADES, None, first, 1, found, first.entries, {})


@pytest.mark.parametrize("head", [0, 2**31 - 1])
def test_a_head_that_was_put_in_by_hand_keeps_no_day_from_being_made(sent, head):
    entries = Revision.objects.get(file_key=TRADES, number=2).entries
    Account.objects.update(last_number=head)
    services.make_day(DAY)
    last = Revision.objects.filter(file_key=TRADES).first()
    assert (last.number, last.entries) == (2, entries)


def test_entries_that_were_rewritten_are_given_away_by_the_anchors(sent, monkeypatch):
    monkeypatch.setattr("analytics.services.heads_at_end_of", lambda day: {sent["mine"].pk: 4})
    day = DAY - dt.timedelta(days=3)
    services.anchor_day(day)
    assert list(check_lake([day]))[0].kind == "behind"  # traded on, and not exported
    with lifted():
        LedgerEntry.objects.filter(account=sent["mine"], number=4).update(digest="f" * 64)
    assert [finding.kind for finding in check_lake([day])] == ["behind", "anchor"]
    with pytest.raises(ValueError, match="not those that were anchored"):
        services.anchor_day(day)


@pytest.mark.usefixtures("one_day")
def test_a_day_that_is_not_over_is_not_anchored(sent):
    today = dt.datetime.now(dt.UTC).date()
    services.make_day(today)
    assert not LakeFile.objects.filter(day=today, kind="anchors").exists()


# --- the night


def test_a_late_booking_owes_its_day_and_the_later_ones_it_moves(sent, alice):
    later = DAY + dt.timedelta(days=2)
    for day in (DAY - dt.timedelta(days=3), later):
        book(sent["mine"], "SELL", "1", "9", executed_at=at(15, later))
        services.make_day(day)
    LakeFile.objects.update(made_at=timezone.now() + dt.timedelta(hours=2))
    assert late_days() == set()
    LakeFile.objects.filter(day=later).update(made_at=timezone.now() - dt.timedelta(hours=2))
    assert late_days() == {later}
    LakeFile.objects.update(made_at=timezone.now() - dt.timedelta(hours=2))
    assert late_days() == {DAY - dt.timedelta(days=3), DAY, later}
    assert {DAY - dt.timedelta(days=3), DAY, later} <= set(services.owe_night_exports(later + dt.timedelta(days=1)))


def test_what_is_late_is_found_by_four_queries_with_all_that_symbol_changes_connect(sent, django_assert_num_queries):
    act(sent["mine"], "symbol_change", ticker="AAPL", new_ticker="APPL", effective_at=at(18))
    with django_assert_num_queries(4):
        found = {(one.account, *sorted(one.tickers)) for one in recorded_lately()}
    mine, other = sent["mine"].pk, sent["other"].pk
    assert found == {(mine, "AAPL", "APPL"), (other, "AAPL"), (other, "MSFT")}


def test_what_was_long_known_is_not_looked_at_again(sent):
    LakeFile.objects.update(made_at=timezone.now() - dt.timedelta(hours=2))
    assert late_days(list(recorded_lately(timezone.now() + dt.timedelta(days=22)))) == set()


def test_a_reconciliation_says_what_it_found_and_owes_what_is_behind(sent):
    runner.load_handlers()
    owe("reconcile_lake", "lake")
    runner.run_owed(limit=1)
    job = Job.objects.get(kind="reconcile_lake")
    assert (job.state, job.result["finding_count"], job.result["owed"]) == (
        "succeeded",
        2,
        ["2025-01-12", "2025-01-13"],
    )
    assert set(Job.objects.filter(kind="export").values_list("key", flat=True)) == {"2025-01-12", "2025-01-13"}


# --- shown


def test_the_back_office_sees_a_days_revisions_and_what_differs(sent, api, client, carol):
    (trades, *_) = [
        file for file in api(carol).get("/analytics/days/2025-01-15").data["files"] if file["key"] == TRADES
    ]
    assert [(one["number"], one["key"]) for one in trades["revisions"]] == [
        (number, revision_key(TRADES, number)) for number in (2, 1)
    ]
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    first = Revision.objects.get(file_key=TRADES, number=1)
    page = client.get("/desk/reports/days/2025-01-15/", {"compare": first.pk}).content.decode()
    assert "4 trades differ" in page and "price 7 → 7.5" in page
    sent_then = client.get(f"/desk/reports/revisions/{first.pk}/")
    assert b"".join(sent_then.streaming_content) == sent["first"][TRADES]


def test_a_revision_that_knew_of_many_accounts_tells_of_some(sent, api, client, carol, monkeypatch):
    monkeypatch.setattr("analytics.reading.ENTRIES_SHOWN", 1)
    files = api(carol).get("/analytics/days/2025-01-15").data["files"]
    told = next(file for file in files if file["key"] == TRADES)["revisions"][0]
    assert (told["accounts"], told["entries"]) == (2, {str(sent["mine"].pk): 7})
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    page = client.get("/desk/reports/days/2025-01-15/").content.decode()
    assert "<summary>2 accounts</summary>" in page and "the first 1; the manifest lists all" in page


def test_a_day_that_has_grown_larger_than_a_page_can_wait_for_is_left_to_the_command(sent, client, carol, monkeypatch):
    first = Revision.objects.get(file_key=TRADES, number=1)
    monkeypatch.setattr("analytics.views.COMPARED_ROWS", first.rows)
    book(sent["other"], "BUY", "1", "8", executed_at=at(8))
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    page = client.get("/desk/reports/days/2025-01-15/", {"compare": first.pk}).content.decode()
    assert f"lake reproduce {TRADES}" in page and "trades differ" not in page


def test_for_others_there_is_no_such_day(sent, api, client, alice, carol):
    assert api(alice).get("/analytics/days/2025-01-15").status_code == 404
    client.force_login(alice, backend="tradeops.core.users.backend.RoleBackend")
    for path in ("days/2025-01-15/", f"revisions/{Revision.objects.first().pk}/"):
        assert client.get(f"/desk/reports/{path}").status_code == 404
    for day in ("2025-01-16", "20250115", "2025-13-01", "x"):
        assert api(carol).get(f"/analytics/days/{day}").status_code == 404
