"""The back office's lists: accounts through their services, and the ledger as the audit log."""

from decimal import Decimal

import pytest

from tests.factories import book
from trades.models import Account, ImportBatch, LedgerEntry
from trades.services import correct_version, set_approval

from .conftest import closed, january


@pytest.fixture
def office(client, carol):
    client.force_login(carol)
    return client


def test_the_audit_log_leads_to_what_each_entry_wrote(office, account, alice, carol):
    trade = book(account, executed_at=january(10))
    correct_version(trade, {"price": Decimal(1)}, actor=alice, reason="typing mistake")
    closed(set_approval(account, True, actor=carol), carol)
    page = office.get("/admin/trades/ledgerentry/").content.decode()
    entry = LedgerEntry.objects.get(kind="correction")
    link = f"/admin/trades/trade/?entry__id__exact={entry.pk}"
    assert link in page
    assert "closed through 2025-01-31" in page
    assert f"{entry.recorded_at:%Y-%m-%d %H:%M:%S}" in page
    shown = office.get(link).content.decode()
    assert shown.count('name="_selected_action"') == 1
    found = office.get("/admin/trades/ledgerentry/?q=typing&kind__exact=correction").content.decode()
    assert found.count('name="_selected_action"') + found.count("field-number") == 1


def test_the_need_of_approval_is_changed_through_the_ledger(office, account, carol):
    address = f"/admin/trades/account/{account.pk}/change/"
    assert office.post(address, {"name": "Renamed", "needs_approval": "on"}).status_code == 302
    stands = Account.objects.get()
    assert (stands.name, stands.needs_approval) == ("Renamed", True)
    entry = LedgerEntry.objects.get()
    assert (entry.kind, entry.actor) == ("rules", carol)
    office.post(address, {"name": "Again", "needs_approval": "on"})
    assert (Account.objects.get().name, LedgerEntry.objects.count()) == ("Again", 1)


def test_what_waits_is_decided_and_imports_are_undone_from_their_lists(office, client, account, alice, carol, dave):
    trade = book(set_approval(account, True, actor=carol), executed_at=january(10))
    proposal = correct_version(trade, {"price": Decimal(1)}, actor=alice).proposal
    batch = ImportBatch.objects.create(account=account, actor=alice, file_name="a.csv")
    for name, action, row in (("proposal", "decide", proposal), ("importbatch", "undo", batch)):
        address, body = f"/admin/trades/{name}/", {"action": action, "_selected_action": [row.pk]}
        page = {"proposal": "approvals", "importbatch": "trades/import"}[name]
        assert f"/desk/{page}/{row.pk}/" in office.get(address).content.decode()
        assert office.post(address, body)["Location"] == f"/desk/{page}/{row.pk}/"
    client.force_login(dave)
    assert 'value="decide"' not in client.get("/admin/trades/proposal/").content.decode()


def test_an_auditor_looks_at_accounts_and_changes_none(client, account, dave):
    client.force_login(dave)
    address = f"/admin/trades/account/{account.pk}/change/"
    assert client.get(address).status_code == 200
    assert client.post(address, {"name": "Mine", "needs_approval": "on"}).status_code == 403
    assert Account.objects.get().name == "Book"


def test_books_are_closed_from_the_list_of_accounts_one_at_a_time(office, account):
    answer = office.post("/admin/trades/account/", {"action": "close", "_selected_action": [account.pk]})
    assert answer["Location"] == f"/desk/accounts/{account.pk}/closes/"
