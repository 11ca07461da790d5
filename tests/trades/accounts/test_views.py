"""The account pages, as a browser without JavaScript uses them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.factories import act, book
from tests.trades.activities.test_views import errors_of, text_of
from tests.trades.conftest import at
from trades.models import Account

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, alice):
    client.force_login(alice)
    return client


def test_accounts_show_their_cash_and_what_is_owed(desk, account):
    act(account, "deposit", amount="5000", effective_at=at(0))
    book(account, "BUY", "100", "20", executed_at=at(1))
    ahead = timezone.now() + timedelta(days=5)
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=at(2), pay_at=ahead)
    assert "USD 3,000.00 50.00" in text_of(desk.get("/desk/accounts/"))
    text = text_of(desk.get(f"/desk/accounts/{account.pk}/"))
    assert "Cash, USD 3,000.00" in text
    assert "Receivable, USD 50.00" in text


def test_an_account_is_opened_with_its_rules_and_renamed(desk, alice):
    values = {"name": "Long term", "kind": "paper", "currency": "EUR", "pnl_method": "average_cost",
              "time_zone": "Europe/Berlin", "day_cutoff": "17:00"}  # fmt: skip
    made = desk.post("/desk/accounts/new/", values)
    account = Account.objects.get(name="Long term")
    assert made["Location"] == f"/desk/accounts/{account.pk}/"
    assert (account.owner, account.allows_short, account.opening_method) == (alice, False, "average_cost")
    assert errors_of(desk.post("/desk/accounts/new/", values)).keys() == {"name"}
    assert errors_of(desk.post("/desk/accounts/new/", values | {"currency": "euro"})).keys() == {"currency"}
    desk.post(made["Location"], {"name": "Pension", "pnl_method": "lifo"})
    account.refresh_from_db()
    assert (account.name, account.pnl_method) == ("Pension", "average_cost")
    assert errors_of(desk.post(made["Location"], {"name": ""})).keys() == {"name"}


def test_a_changed_method_is_told_on_the_page_of_the_account(desk, account):
    act(account, "method_change", pnl_method="lifo", effective_at=at(0))
    text = text_of(desk.get(f"/desk/accounts/{account.pk}/"))
    assert "2025-01-15 14:30 Last in, first out" in text


def test_without_accounts_the_page_says_what_to_do(desk):
    assert "No accounts yet" in text_of(desk.get("/desk/accounts/"))
    assert desk.get("/desk/accounts/?sort=1").status_code == 400
