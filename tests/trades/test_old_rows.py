"""Reads survive what somebody once put in by SQL: odd values break no list, page or export."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.factories import act, book
from tradeops.core.users.models import User
from trades.chain import triggers
from trades.control.breaks import Statement
from trades.control.reconciling import reconcile
from trades.models import Account, Activity, LedgerEntry, Position, Proposal, Reconciliation, Trade

from .conftest import at

pytestmark = pytest.mark.django_db

ODD = [
    lambda: Trade.objects.update(executed_at=datetime(1, 1, 1, tzinfo=UTC)),
    lambda: Trade.objects.update(executed_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    lambda: Trade.objects.update(tags=",,,", strategy="=1+1\r\n", note="\u202e<script>alert(1)</script>"),
    lambda: Trade.objects.update(notional=Decimal("-1"), client_trade_id=None),
    lambda: Position.objects.update(quantity=Decimal(0), cost_basis=Decimal("5")),
    lambda: Position.objects.update(cost_basis=Decimal("9" * 36)),
    lambda: Account.objects.update(time_zone="Mars/Base", name="", currency="$$$"),
    lambda: (User.objects.update(time_zone="\u202e"), Account.objects.update(opening_method="?")),
    lambda: LedgerEntry.objects.update(kind="?", reason="\ud7ff", recorded_at=datetime(1, 1, 1, tzinfo=UTC)),
]
ADDRESSES = [
    "/trades/", "/trades/?format=csv", "/trades/stats", "/trades/{id}", "/trades/{id}/history", "/positions/",
    "/positions/AAPL", "/positions/?as_of=2030-01-01", "/positions/AAPL/explain?method=lifo",
    "/positions/AAPL/what-if?quantity=1&side=sell", "/round-trips/", "/round-trips/?format=csv",
    "/accounts/", "/desk/trades/", "/desk/trades/{id}/", "/desk/trades/{id}/correct/",
    "/desk/trades/{id}/void/", "/desk/trades/new/?ticker=AAPL&side=BUY&quantity=1&price=1", "/desk/positions/",
    "/desk/positions/AAPL/", "/desk/positions/?as_of=0001-01-01T00:00:00Z&method=lifo", "/desk/round-trips/",
    "/desk/positions/AAPL/?as_of=9999-12-31T23:59:59Z&known_at=9999-12-31T00:00:00Z", "/desk/positions/AAPL/explain/",
    "/desk/positions/AAPL/what-if/?quantity=1&side=sell", "/portfolio/history",
    "/portfolio/history?format=csv", "/portfolio/performance",
    "/desk/performance/", "/desk/",
]  # fmt: skip


def in_each_zone(odd: list) -> pytest.MarkDecorator:
    """Each in both zones on SQLite, and in turns in one of them on PostgreSQL.

    The first is of year 1, which begins in the year before it west of Greenwich.
    """
    zones, marks = ("America/New_York", "Asia/Tokyo"), {True: (), False: pytest.mark.embedded}
    pairs = [(number, side) for number in range(len(odd)) for side in range(len(zones))]
    values = [pytest.param(number, zones[side], marks=marks[number % 2 == side]) for number, side in pairs]
    return pytest.mark.parametrize(("odd", "zone"), values)


@in_each_zone(ODD)
def test_odd_rows_break_no_read(client, alice, account, odd, zone):
    alice.time_zone = zone
    alice.save()
    trade = book(account, "BUY", "10", executed_at=at(0))
    book(account, "SELL", "4", executed_at=at(1))
    book(account, "SELL", "6", executed_at=at(2))
    book(account, "BUY", "2", executed_at=at(3))
    with triggers.lifted():
        ODD[odd]()
    client.force_login(alice)
    for address in ADDRESSES:
        response = client.get(address.format(id=trade.trade_id))
        content = b"".join(response) if response.streaming else response.content
        assert response.status_code == 200, (address, content[:500])
        assert not (address.startswith("/desk/") and b"<script>alert" in content)


ODD_ACTIVITIES = [
    lambda: Activity.objects.update(effective_at=datetime(1, 1, 1, tzinfo=UTC), pay_at=datetime(1, 1, 1, tzinfo=UTC)),
    lambda: Activity.objects.update(effective_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    lambda: Activity.objects.update(amount_per_unit=None, instrument=None, note="<script>alert(1)</script>"),
    lambda: Activity.objects.update(kind="deposit", amount=None),
    lambda: Activity.objects.update(kind="split", ratio_new=0, ratio_old=1),
    lambda: Account.objects.update(time_zone="Mars/Base", name="", currency="$$$"),
]


@in_each_zone(ODD_ACTIVITIES)
def test_odd_activities_break_no_read_of_them(client, alice, account, odd, zone):
    alice.time_zone = zone
    alice.save()
    book(account, "BUY", "10", executed_at=at(0))
    row = act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=at(1), pay_at=at(2))
    with triggers.lifted():
        ODD_ACTIVITIES[odd]()
    client.force_login(alice)
    for address in (
        "/activities/", "/activities/{id}", "/activities/{id}/history", "/accounts/", "/desk/activities/",
        "/desk/activities/{id}/", "/desk/activities/{id}/correct/", "/desk/activities/{id}/void/", "/desk/accounts/",
        "/desk/accounts/{account}/",
    ):  # fmt: skip
        response = client.get(address.format(id=row.activity_id, account=account.pk))
        assert response.status_code == 200, (address, response.content[:500])
        assert not (address.startswith("/desk/") and b"<script>alert" in response.content)


ODD_PAPERS = [
    lambda: (Proposal.objects.update(target="?"), Reconciliation.objects.update(breaks=["x"])),
    lambda: (Proposal.objects.update(changes=[5]), Reconciliation.objects.update(breaks=5)),
    lambda: (Proposal.objects.update(changes={"nothing": "1"}), Reconciliation.objects.update(breaks=[{"kind": 1}])),
    lambda: (
        Proposal.objects.update(target_version=9),
        Reconciliation.objects.update(at=datetime(1, 1, 1, tzinfo=UTC)),
    ),
]


@pytest.mark.parametrize("odd", range(len(ODD_PAPERS)))
def test_odd_proposals_and_statements_break_no_read_of_them(client, alice, account, odd):
    trade = book(account, "BUY", "10", executed_at=at(0))
    proposal = Proposal.objects.create(
        account=account, target="trade", target_id=trade.trade_id, target_version=1, changes={"price": "1"},
        proposed_by=alice,
    )  # fmt: skip
    statement = reconcile(account, at(1), Statement(Decimal(5), None), actor=alice)
    client.force_login(alice)
    for found, change in ((200, lambda: None), (404, ODD_PAPERS[odd])):
        change()
        for address in ("/approvals/", "/reconciliations/", "/desk/approvals/", "/desk/reconciliations/"):
            assert client.get(address).status_code == 200, address
        for address in (f"/approvals/{proposal.pk}", f"/desk/approvals/{proposal.pk}/"):
            assert client.get(address).status_code == found, address
        for address in (f"/reconciliations/{statement.pk}", f"/desk/reconciliations/{statement.pk}/"):
            assert client.get(address).status_code == 200, address
