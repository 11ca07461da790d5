"""The activity and account pages, as a browser without JavaScript uses them."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.factories import act, book, make_account
from tests.trades.conftest import HUGE, at
from trades.models import Account, Activity, ActivityKind, LedgerEntry
from trades.services import correct_version, void_version

pytestmark = pytest.mark.django_db
PAGES = [
    "/desk/activities/", "/desk/activities/new/", "/desk/activities/new/dividend/", "/desk/activities/{id}/",
    "/desk/activities/{id}/correct/", "/desk/activities/{id}/void/", "/desk/accounts/", "/desk/accounts/new/",
    "/desk/accounts/{account}/",
]  # fmt: skip
WRITES = [page for page in PAGES if "/new/" in page or page.endswith(("correct/", "void/"))]


@pytest.fixture
def desk(client, alice):
    client.force_login(alice)
    return client


@pytest.fixture
def deposit(account):
    return act(account, "deposit", amount="1000", effective_at=at(0))


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def errors_of(response) -> dict:
    assert response.status_code == 422
    return {name: [str(error) for error in errors] for name, errors in response.context["form"].errors.items()}


def filled(page: str, row) -> str:
    return page.format(id=row.activity_id, account=row.account_id)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown_to_its_owner_and_sends_others_to_sign_in(client, deposit, page):
    address = filled(page, deposit)
    assert client.get(address)["Location"].startswith("/desk/sign-in/")
    client.force_login(deposit.account.owner)
    response = client.get(address)
    assert response.status_code == 200
    assert b"style=" not in response.content
    assert b"<script>" not in response.content


@pytest.mark.parametrize("page", [page for page in PAGES if "{" in page])
def test_a_strangers_page_is_not_found(client, deposit, bob, page):
    client.force_login(bob)
    assert client.get(filled(page, deposit)).status_code == 404
    assert client.get(page.format(id=HUGE, account=HUGE)).status_code == 404


def test_an_auditor_sees_the_pages_and_changes_nothing(client, deposit, dave):
    client.force_login(dave)
    for page in set(PAGES) - set(WRITES):
        shown = client.get(filled(page, deposit))
        assert shown.status_code == 200
        assert b"New activity" not in shown.content
    for page in WRITES:
        assert client.get(filled(page, deposit)).status_code == 403
        assert client.post(filled(page, deposit), {}).status_code in (403, 405)
    assert client.post(f"/desk/accounts/{deposit.account_id}/", {"name": "Mine"}).status_code == 403
    assert LedgerEntry.objects.count() == 1


# Lists ------------------------------------------------------------------------------------------


def test_the_list_shows_kind_money_and_what_was_done(desk, account):
    book(account, "BUY", "100", "20", executed_at=at(0))
    act(account, "withdrawal", amount="7.5", effective_at=at(1))
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=at(2))
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=at(3))
    text = text_of(desk.get("/desk/activities/"))
    assert "Withdrawal – – −7.50" in text
    assert "Dividend AAPL 0.5 a unit +50.00" in text
    assert "Split AAPL 4:1 –" in text
    only = text_of(desk.get("/desk/activities/?kind=split"))
    assert ("Split AAPL" in only, "−7.50" in only) == (True, False)


def test_an_empty_list_says_what_to_do_next(desk, account):
    assert "Book an activity" in text_of(desk.get("/desk/activities/"))
    assert "No activity matches" in text_of(desk.get("/desk/activities/?kind=fee"))


@pytest.mark.parametrize(
    "query", ["kind=gift", "account=x", "effective_after=soon", "cursor=x", "sort=1", "ticker=%00"]
)
def test_a_wrong_filter_is_said(desk, deposit, query):
    response = desk.get(f"/desk/activities/?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in text_of(response)


def test_pages_go_on_where_the_last_one_ended(desk, account):
    for minute in range(3):
        act(account, "fee", amount=minute + 1, effective_at=at(minute))
    first = desk.get("/desk/activities/?page_size=2")
    assert [row.amount for row in first.context["activities"]] == [3, 2]
    assert [row.amount for row in desk.get(first.context["next"]).context["activities"]] == [1]


@pytest.mark.parametrize(
    "page", ["/desk/activities/", "/desk/activities/{id}/", "/desk/accounts/", "/desk/accounts/{account}/"]
)
def test_the_number_of_queries_does_not_grow_with_the_book(desk, account, page):
    book(account, executed_at=at(0))
    first = act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(1))
    act(account, "reverse_split", ticker="AAPL", ratio_new=1, ratio_old=3, cash_in_lieu_price=9, effective_at=at(2))
    with CaptureQueriesContext(connection) as few:
        desk.get(filled(page, first))
    for minute in range(4):
        act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(minute))
        act(account, "deposit", amount=1, effective_at=at(minute))
        act(make_account(account.owner, f"Other {minute}"), "fee", amount=1)
    with CaptureQueriesContext(connection) as many:
        assert desk.get(filled(page, first)).status_code == 200
    assert len(many) == len(few) <= 14


# A new one --------------------------------------------------------------------------------------------

FORMS = {
    "deposit": {"amount": "1000"},
    "withdrawal": {"amount": "5"},
    "interest": {"amount": "-0.03"},
    "fee": {"amount": "5"},
    "dividend": {"ticker": "aapl", "amount_per_unit": "0.5", "pay_day": "2025-02-01"},
    "return_of_capital": {"ticker": "AAPL", "amount_per_unit": "1"},
    "split": {"ticker": "AAPL", "ratio": "4 : 1"},
    "reverse_split": {"ticker": "AAPL", "ratio": "1:4", "cash_in_lieu_price": "80"},
    "symbol_change": {"ticker": "AAPL", "new_ticker": "new"},
    "transfer_in": {"ticker": "MSFT", "quantity": "5", "cost_basis": "100", "acquired_day": "2020-05-04"},
    "transfer_out": {"ticker": "AAPL", "quantity": "5"},
    "method_change": {"pnl_method": "hifo"},
}


def test_every_kind_has_its_link_and_the_query_goes_on(desk):
    page = desk.get("/desk/activities/new/?ticker=AAPL&account=1").content.decode()
    for kind in ActivityKind.values:
        assert f'href="/desk/activities/new/{kind}/?ticker=AAPL&amp;account=1"' in page
    assert desk.get("/desk/activities/new/gift/").status_code == 404


@pytest.mark.parametrize("kind", ActivityKind.values)
def test_each_kinds_form_books_it(desk, account, kind):
    book(account, executed_at=at(-1440))
    values = FORMS[kind] | {"account": account.pk, "effective_day": "2025-01-15", "note": "n"}
    response = desk.post(f"/desk/activities/new/{kind}/", values)
    made = Activity.objects.get()
    assert response["Location"] == f"/desk/activities/{made.activity_id}/"
    assert (made.kind, made.note, made.effective_at.isoformat()) == (kind, "n", "2025-01-15T00:00:00+00:00")
    assert desk.get(response["Location"]).status_code == 200


def test_the_form_has_the_fields_of_the_kind_filled_as_the_address_says(desk, account):
    form = desk.get("/desk/activities/new/split/?ticker=AAPL&ratio=4:1&key=x").context["form"]
    assert [field.name for field in form.visible_fields()] == [
        "effective_day", "effective_time", "account", "ticker", "ratio", "cash_in_lieu_price", "note",
    ]  # fmt: skip
    assert (form["ticker"].value(), form["ratio"].value(), form["key"].value()[:5]) == ("AAPL", "4:1", "desk-")


def test_a_time_is_the_users_and_a_day_the_accounts(desk, alice):
    alice.time_zone = "Europe/Berlin"
    alice.save()
    account = make_account(alice, time_zone="America/New_York")
    values = {"amount": "5", "account": account.pk, "effective_day": "2025-01-15"}
    desk.post("/desk/activities/new/deposit/", values)
    desk.post("/desk/activities/new/fee/", values | {"effective_time": "09:30"})
    moments = [row.effective_at.isoformat() for row in Activity.objects.order_by("activity_id")]
    assert moments == ["2025-01-15T05:00:00+00:00", "2025-01-15T08:30:00+00:00"]


def test_without_a_day_it_is_now_and_without_an_account_the_first_is_made(desk, alice):
    desk.post("/desk/activities/new/deposit/", {"amount": "5"})
    made = Activity.objects.get()
    assert timezone.now() - made.effective_at < timedelta(minutes=5)
    assert made.account == Account.objects.get(owner=alice)


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("deposit", {"amount": ""}, "amount"),
        ("deposit", {"amount": "-5"}, "amount"),
        ("deposit", {"amount": "1_000"}, "amount"),
        ("deposit", {"effective_day": "0001-01-01"}, "effective_day"),
        ("deposit", {"effective_day": "9999-12-31"}, "effective_day"),
        ("deposit", {"effective_day": "2999-12-31"}, "effective_day"),
        ("deposit", {"effective_day": "", "effective_time": "10:00"}, "effective_day"),
        ("deposit", {"effective_time": "25:00"}, "effective_time"),
        ("deposit", {"account": HUGE}, "account"),
        ("deposit", {"note": "x" * 2001}, "note"),
        ("dividend", {"ticker": "../x"}, "ticker"),
        ("dividend", {"pay_day": "2024-12-31"}, "pay_day"),
        ("split", {"ratio": "1:4"}, "ratio"),
        ("split", {"ratio": "four"}, "ratio"),
        ("symbol_change", {"new_ticker": "AAPL"}, "new_ticker"),
        ("transfer_in", {"acquired_day": "2025-01-16"}, "acquired_day"),
        ("transfer_out", {"quantity": "101"}, "__all__"),
        ("method_change", {"pnl_method": "best"}, "pnl_method"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_booked(desk, account, kind, change, field):
    book(account, executed_at=at(-1440))
    values = FORMS[kind] | {"account": account.pk, "effective_day": "2025-01-15"} | change
    assert list(errors_of(desk.post(f"/desk/activities/new/{kind}/", values))) == [field]
    assert not Activity.objects.exists()


def test_a_second_click_books_nothing(desk, account):
    values = {"amount": "5", "account": account.pk, "effective_day": "2025-01-15", "key": "desk-1"}
    first, second = (desk.post("/desk/activities/new/fee/", values) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert Activity.objects.count() == 1


# One of them, and what becomes of it --------------------------------------------------------------------


def test_the_page_tells_what_it_did_and_its_story(desk, account, carol):
    book(account, "BUY", "100", "20", executed_at=at(0))
    ahead = timezone.now() + timedelta(days=5)
    dividend = act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=at(1), pay_at=ahead)
    correct_version(dividend, {"amount_per_unit": dividend.amount_per_unit * 2}, actor=carol, reason="board's letter")
    text = text_of(desk.get(f"/desk/activities/{dividend.activity_id}/"))
    assert "Units held before it 100 Income, USD +100.00 not yet paid" in text
    assert "Corrected by carol" in text
    assert "amount_per_unit 0.5 1" in text


def test_the_page_of_a_reverse_split_shows_the_fraction_sold_and_a_transfer_its_lot(desk, account):
    bought = book(account, "BUY", "10", "30", executed_at=at(0))
    split = act(
        account, "reverse_split", ticker="AAPL", ratio_new=1, ratio_old=3, cash_in_lieu_price=95, effective_at=at(1)
    )
    text = text_of(desk.get(f"/desk/activities/{split.activity_id}/"))
    assert f"Trade {bought.trade_id}" in text
    assert f"Realized by activity {split.activity_id} +1.67" in text
    arrived = act(account, "transfer_in", ticker="MSFT", quantity=5, cost_basis=50, effective_at=at(2))
    sale = book(account, "SELL", "2", "11", ticker="MSFT", executed_at=at(3))
    text = text_of(desk.get(f"/desk/activities/{arrived.activity_id}/"))
    assert "3 still open, cost 30.00" in text
    assert f"Trade {sale.trade_id}" in text
    assert f"Activity {arrived.activity_id}" in text_of(desk.get(f"/desk/trades/{sale.trade_id}/"))


def test_a_correction_with_a_reason_is_the_next_version(desk, account):
    book(account, "BUY", "100", "20", executed_at=at(0))
    split = act(account, "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=at(5), note="x")
    address = f"/desk/activities/{split.activity_id}/correct/"
    form = desk.get(address).context["form"]
    shown = {field.name: field.value() for field in form if field.value() is not None}
    assert shown["ratio"] == "2:1"
    assert list(errors_of(desk.post(address, shown))) == ["reason"]
    assert desk.post(address, shown | {"ratio": "4:1", "reason": "typing error"}).status_code == 302
    last = Activity.objects.current().get()
    assert (last.version, last.ratio, last.effective_at, last.entry.reason) == (2, "4:1", at(5), "typing error")
    stale = errors_of(desk.post(address, shown | {"ratio": "3:1", "reason": "again"}))
    assert "stands at version 2" in stale["__all__"][0]


def test_moments_that_were_not_touched_stay_to_the_microsecond(desk, alice):
    account = make_account(alice, time_zone="America/New_York")
    moment, paid = at(5) + timedelta(microseconds=7), at(6000) + timedelta(microseconds=9)
    row = act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=moment, pay_at=paid)
    address = f"/desk/activities/{row.activity_id}/correct/"
    shown = {field.name: field.value() for field in desk.get(address).context["form"] if field.value() is not None}
    desk.post(address, shown | {"amount_per_unit": "2", "reason": "r"})
    last = Activity.objects.current().get()
    assert (last.version, last.effective_at, last.pay_at) == (2, moment, paid)
    desk.post(address, shown | {"version": 2, "pay_day": "2025-01-30", "reason": "r"})
    last = Activity.objects.current().get()
    assert (last.effective_at, last.pay_at) == (moment, account.day_start(last.account.trade_date(last.pay_at)))
    assert last.pay_at.isoformat() == "2025-01-30T05:00:00+00:00"


def test_a_void_asks_for_the_reason(desk, deposit):
    address = f"/desk/activities/{deposit.activity_id}/void/"
    assert "Deposit 1000" in text_of(desk.get(address))
    assert list(errors_of(desk.post(address, {"version": 1}))) == ["reason"]
    desk.post(address, {"version": 1, "reason": "doubled"})
    last = Activity.objects.latest_versions().get()
    assert (last.is_void, last.entry.reason) == (True, "doubled")
    assert "can no longer be changed" in text_of(desk.get(address, follow=True))


def test_a_void_that_a_later_activity_forbids_is_said(desk, account):
    arrived = act(account, "transfer_in", ticker="AAPL", quantity=5, cost_basis=50, effective_at=at(0))
    act(account, "transfer_out", ticker="AAPL", quantity=5, effective_at=at(1))
    body = {"version": 1, "reason": "x"}
    refused = errors_of(desk.post(f"/desk/activities/{arrived.activity_id}/void/", body))
    assert "cannot be transferred out" in refused["__all__"][0]
    assert Activity.objects.current().count() == 2


def test_hostile_text_is_shown_as_text(desk, account):
    row = act(account, "fee", amount=1, note="<script>alert(1)</script>")
    void_version(row, actor=account.owner, reason="<script>alert(2)</script>")
    page = desk.get(f"/desk/activities/{row.activity_id}/").content
    assert b"<script>alert" not in page
    assert b"&lt;script&gt;alert(2)" in page


def test_the_page_of_a_position_shows_its_incomes_splits_and_transfers_as_of_a_time_too(desk, account):
    book(account, "BUY", "100", "20", executed_at=at(0))
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=at(10))
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=at(20))
    act(account, "symbol_change", ticker="OLD", new_ticker="AAPL", effective_at=at(30))
    act(account, "dividend", ticker="MSFT", amount_per_unit="7", effective_at=at(40))
    text = text_of(desk.get("/desk/positions/AAPL/"))
    assert "Dividend AAPL 0.5 a unit +50.00" in text
    assert "Split AAPL 4:1" in text
    assert "Symbol change OLD to AAPL" in text
    assert "7 a unit" not in text
    then = text_of(desk.get("/desk/positions/AAPL/?as_of=2025-01-15T14:45:00Z"))
    assert ("Dividend AAPL 0.5 a unit +50.00" in then, "Split AAPL" in then) == (True, False)
