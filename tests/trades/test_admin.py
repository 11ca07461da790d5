"""The back office: the book is looked at, and changed through its services alone."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import act, book, make_account, make_user
from tradeops.core.users.models import Role
from trades.models import Account, Activity, Trade
from trades.services import void_version

from .conftest import at

pytestmark = pytest.mark.django_db
BOOK = [
    "ledgerentry", "keptanswer", "trade", "activity", "position", "lot", "realization", "roundtrip", "income",
    "daytotal", "importbatch", "proposal", "reconciliation", "adjustment",
]  # fmt: skip


@pytest.fixture
def office(client, carol):
    client.force_login(carol)
    return client


@pytest.fixture
def trade(account):
    first = book(account, "BUY", executed_at=at(0), idempotency_key="k")
    book(account, "SELL", "40", executed_at=at(1))
    return first


def test_every_model_of_the_book_has_its_place():
    shown = {model for model in admin.site._registry if model._meta.app_label == "trades"}
    assert shown == set(apps.get_app_config("trades").get_models())


@pytest.mark.parametrize("name", [*BOOK, "account"])
@pytest.mark.parametrize("query", ["", "?q=AAPL", "?q=12", "?q=" + "9" * 30, "?q=x&p=2", "?nothing=1"])
def test_lists_are_shown_searched_and_bounded(office, trade, name, query):
    assert office.get(f"/admin/trades/{name}/{query}").status_code in (200, 302)


@pytest.mark.parametrize("name", BOOK)
def test_no_row_of_the_book_can_be_added_changed_or_removed(office, trade, name):
    row = apps.get_model("trades", name).objects.first()
    assert office.get(f"/admin/trades/{name}/add/").status_code == 403
    if row is not None:
        assert office.get(f"/admin/trades/{name}/{row.pk}/delete/").status_code == 403
        assert office.post(f"/admin/trades/{name}/{row.pk}/change/", {"note": "x"}).status_code == 403


def test_trades_are_voided_with_a_reason(office, trade, carol):
    body = {"action": "void", "_selected_action": [trade.pk]}
    asked = office.post("/admin/trades/trade/", body)
    assert b"1 current trade will be taken out" in asked.content
    assert Trade.objects.current().count() == 2
    assert office.post("/admin/trades/trade/", body | {"reason": ""}).status_code == 200
    assert office.post("/admin/trades/trade/", body | {"reason": "doubled"}).status_code == 302
    last = Trade.objects.latest_versions().get(trade_id=trade.trade_id)
    assert (last.is_void, last.entry.actor, last.entry.reason) == (True, carol, "doubled")


def test_a_void_that_a_rule_forbids_is_said(office, alice):
    account = make_account(alice, allows_short=False)
    bought = book(account, "BUY", executed_at=at(0))
    book(account, "SELL", executed_at=at(1))
    body = {"action": "void", "_selected_action": [bought.pk], "reason": "x"}
    assert "does not allow" in office.post("/admin/trades/trade/", body, follow=True).content.decode()
    assert Trade.objects.current().count() == 2


def test_what_is_not_current_is_not_voided_again(office, trade, carol):
    void_version(trade, actor=carol, reason="doubled")
    versions = list(Trade.objects.filter(trade_id=trade.trade_id).values_list("pk", flat=True))
    answer = office.post("/admin/trades/trade/", {"action": "void", "_selected_action": versions}, follow=True)
    assert "None of the chosen versions is a current one." in answer.content.decode()
    assert Trade.objects.filter(trade_id=trade.trade_id).count() == 2


def test_one_trade_is_corrected_on_the_desk(office, trade):
    body = {"action": "correct", "_selected_action": [trade.pk]}
    assert office.post("/admin/trades/trade/", body)["Location"] == f"/desk/trades/{trade.trade_id}/correct/"
    both = list(Trade.objects.values_list("pk", flat=True))
    assert office.post("/admin/trades/trade/", body | {"_selected_action": both})["Location"].endswith("/trade/")


def test_activities_are_voided_with_a_reason_and_corrected_on_the_desk(office, account, carol):
    deposit = act(account, "deposit", amount=5)
    address = "/admin/trades/activity/"
    body = {"action": "void", "_selected_action": [deposit.pk]}
    assert f"/desk/activities/{deposit.activity_id}/" in office.get(address).content.decode()
    asked = office.post(address, body).content
    assert b"1 current activity will be taken out" in asked
    assert b"deposit 5" in asked
    correct = office.post(address, body | {"action": "correct"})
    assert correct["Location"] == f"/desk/activities/{deposit.activity_id}/correct/"
    assert office.post(address, body | {"reason": "doubled"}).status_code == 302
    last = Activity.objects.latest_versions().get()
    assert (last.is_void, last.entry.actor, last.entry.reason) == (True, carol, "doubled")


def test_an_auditor_looks_and_has_no_actions(client, dave, trade):
    client.force_login(dave)
    page = client.get("/admin/trades/trade/")
    assert page.status_code == 200
    assert b'name="action"' not in page.content
    client.post("/admin/trades/trade/", {"action": "void", "_selected_action": [trade.pk], "reason": "x"})
    assert Trade.objects.current().count() == 2


def test_of_an_account_the_name_alone_changes(office, account):
    office.post(f"/admin/trades/account/{account.pk}/change/", {"name": "New", "kind": "real", "pnl_method": "lifo"})
    stands = Account.objects.get(pk=account.pk)
    assert (stands.name, stands.kind, stands.pnl_method) == ("New", "paper", "fifo")


def test_an_account_is_opened_for_a_trader(client, alice):
    client.force_login(make_user("root", Role.ADMINISTRATOR))
    body = {"owner": alice.pk, "name": "Paper", "currency": "USD", "kind": "paper", "pnl_method": "fifo",
            "allows_short": "on", "time_zone": "UTC", "day_cutoff": "00:00"}  # fmt: skip
    assert client.post("/admin/trades/account/add/", body).status_code == 302
    assert alice.accounts.get().kind == "paper"


@pytest.mark.parametrize("name", ["trade", "position", "ledgerentry"])
def test_the_number_of_queries_does_not_grow_with_the_book(office, account, name):
    book(account, executed_at=at(0))
    with CaptureQueriesContext(connection) as first:
        office.get(f"/admin/trades/{name}/")
    for minute in range(4):
        book(account, ticker=f"T{minute}", executed_at=at(minute))
    with CaptureQueriesContext(connection) as later:
        office.get(f"/admin/trades/{name}/")
    assert len(later) == len(first)
