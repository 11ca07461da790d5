"""Closed periods: only forward, only what is over, and nothing changes them, by whatever way it comes."""

from datetime import date, time, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tests.factories import act, book, make_account
from tests.trades.conftest import problems, send
from tradeops.core.api import Conflict
from trades.chain import verification
from trades.models import LedgerEntry, Position
from trades.services import change_account, correct_version, void_version

from .conftest import JANUARY, closed, february, january


def post_close(client, account, day="2025-01-31", **body):
    return send(client, "post", f"/accounts/{account.pk}/closes", {"day": day, **body})


def test_a_close_is_an_entry_of_the_ledger_and_is_listed(api, account, carol):
    book(account, executed_at=january(10))
    made = post_close(api(carol), account, reason="month end")
    assert made.status_code == 201
    assert made.json() == {
        "entry": 2, "account": account.pk, "day": "2025-01-31", "reason": "month end", "actor": "carol",
        "recorded_at": made.json()["recorded_at"],
    }  # fmt: skip
    post_close(api(carol), account, "2025-02-28")
    rows = api(carol).get(f"/accounts/{account.pk}/closes").json()["results"]
    assert [(row["entry"], row["day"]) for row in rows] == [(3, "2025-02-28"), (2, "2025-01-31")]
    assert api(carol).get(f"/accounts/{account.pk}").json()["closed_through"] == "2025-02-28"
    assert list(verification.differences()) == []


def test_books_are_closed_only_forward(api, account, carol):
    closed(account, carol)
    for day in ("2025-01-31", "2025-01-30"):
        answer = post_close(api(carol), account, day)
        assert (answer.status_code, answer.json()["code"]) == (409, "period_closed")
        assert answer.json()["closed_through"] == "2025-01-31"
    assert LedgerEntry.objects.count() == 1


@pytest.mark.parametrize("ahead", [0, 1, 400])
def test_a_day_that_is_not_over_is_not_closed(api, account, carol, ahead):
    day = account.trade_date(timezone.now()) + timedelta(days=ahead)
    answer = post_close(api(carol), account, day.isoformat())
    assert answer.status_code == 400
    assert problems(answer) == {"day": "not_over"}
    assert not LedgerEntry.objects.exists()


@pytest.mark.parametrize(
    "day", ["", None, "２０２５-01-31", "31.1.2025", "2025-02-30", "2025-01-31T00:00:00Z", 20250131, [], "9" * 400]
)
def test_what_is_no_day_is_refused_by_name(api, account, carol, day):
    answer = send(api(carol), "post", f"/accounts/{account.pk}/closes", {"day": day})
    assert answer.status_code == 400
    assert set(problems(answer)) == {"day"}


def test_a_repeat_of_a_key_closes_once(api, account, carol):
    first = send(
        api(carol), "post", f"/accounts/{account.pk}/closes", {"day": "2025-01-31"}, **{"Idempotency-Key": "k"}
    )
    again = send(
        api(carol), "post", f"/accounts/{account.pk}/closes", {"day": "2025-01-31"}, **{"Idempotency-Key": "k"}
    )
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert first.json() == again.json()
    other = send(
        api(carol), "post", f"/accounts/{account.pk}/closes", {"day": "2025-02-01"}, **{"Idempotency-Key": "k"}
    )
    assert other.status_code == 422


def test_who_may_close(api, account, alice, bob, carol, dave):
    assert post_close(api(alice), account).status_code == 403
    assert post_close(api(bob), account).status_code == 403
    assert post_close(api(dave), account).status_code == 403
    assert post_close(api(carol, scope="trade"), account).status_code == 403
    assert api(bob).get(f"/accounts/{account.pk}/closes").status_code == 404
    assert post_close(api(carol), account).status_code == 201
    assert api(alice).get(f"/accounts/{account.pk}/closes").json()["results"][0]["actor"] == "carol"


def test_a_day_is_the_accounts_own(alice, carol):
    """In New York, with a day that begins at 17:00, the 30th goes on through the afternoon of the 31st."""
    account = make_account(alice, time_zone="America/New_York", day_cutoff=time(17))
    account = closed(account, carol, date(2025, 1, 30))
    book(account, executed_at=january(31, 22).replace(minute=30))  # 17:30 in New York
    with pytest.raises(Conflict, match="closed through 2025-01-30: 2025-01-30"):
        book(account, executed_at=january(31, 21).replace(minute=30))


# Every way to a closed day --------------------------------------------------------------------------


@pytest.fixture
def shut(account, carol):
    """January has a purchase, a dividend and a deposit; February a sale and a deposit."""
    rows = {
        "buy": book(account, "BUY", "10", "100", executed_at=january(10)),
        "dividend": act(account, "dividend", ticker="AAPL", amount_per_unit="1", effective_at=january(15)),
        "deposit": act(account, "deposit", amount="500", effective_at=january(5)),
        "sale": book(account, "SELL", "4", "110", executed_at=february(3)),
        "later_deposit": act(account, "deposit", amount="50", effective_at=february(4)),
    }
    return closed(account, carol), rows


WAYS = {
    "a late trade": lambda account, rows: book(account, executed_at=january(31)),
    "a late trade in a new ticker": lambda account, rows: book(account, ticker="NEW", executed_at=january(1)),
    "a late activity": lambda account, rows: act(account, "fee", amount="1", effective_at=january(31)),
    "a late split": lambda account, rows: act(
        account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=january(20)
    ),
    "a late change of method": lambda account, rows: change_account(
        account, actor=account.owner, method="lifo", effective_at=january(20)
    ),
    "a correction": lambda account, rows: correct_version(rows["buy"], {"price": Decimal(99)}, actor=account.owner),
    "a void": lambda account, rows: void_version(rows["buy"], actor=account.owner),
    "a correction out of it": lambda account, rows: correct_version(
        rows["buy"], {"executed_at": february(1)}, actor=account.owner
    ),
    "a correction into it": lambda account, rows: correct_version(
        rows["sale"], {"executed_at": january(20)}, actor=account.owner
    ),
    "an activity's correction": lambda account, rows: correct_version(
        rows["deposit"], {"amount": Decimal(1)}, actor=account.owner
    ),
    "an activity's void": lambda account, rows: void_version(rows["dividend"], actor=account.owner),
    "an activity's correction into it": lambda account, rows: correct_version(
        rows["later_deposit"], {"effective_at": january(31)}, actor=account.owner
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_changes_a_closed_day(shut, way):
    account, rows = shut
    before = list(Position.objects.values())
    with pytest.raises(Conflict) as refused:
        WAYS[way](account, rows)
    assert refused.value.extra["code"] == "period_closed"
    ways_out = ("Date it after 2025-01-31", "Book the change as an adjustment", "Void what is of open days by itself")
    assert any(way_out in str(refused.value.detail) for way_out in ways_out)
    assert LedgerEntry.objects.count() == 6
    assert list(Position.objects.values()) == before


def test_what_is_not_counted_may_still_be_set_right(shut):
    account, rows = shut
    assert correct_version(rows["buy"], {"note": "by phone", "strategy": "swing"}, actor=account.owner).row.version == 2
    assert list(verification.differences()) == []


def test_the_open_period_stays_open(shut):
    account, rows = shut
    book(account, executed_at=february(1))
    correct_version(rows["sale"], {"price": Decimal(111)}, actor=account.owner)
    void_version(rows["later_deposit"], actor=account.owner)
    change_account(account, actor=account.owner, method="lifo", effective_at=february(1))
    assert list(verification.differences()) == []


def test_a_close_and_the_books_day_tell_the_verifier_when_they_differ(account, carol):
    account = closed(account, carol)
    type(account).objects.filter(pk=account.pk).update(closed_through=JANUARY - timedelta(days=1))
    (found,) = verification.differences()
    assert "as closed through 2025-01-30" in found
    assert date(2025, 1, 31).isoformat() in found
