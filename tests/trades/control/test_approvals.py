"""Four eyes: a correction by one waits for another, and is carried out as it was asked for or not at all."""

from decimal import Decimal

import pytest

from tests.factories import act, book, make_account, make_user
from tests.trades.conftest import problems, send
from tradeops.core.users.models import Role
from trades.chain import verification
from trades.control.proposals import spelled, values_of
from trades.models import Account, Activity, LedgerEntry, Proposal, Trade
from trades.services import correct_version, set_approval, void_version

from .conftest import closed, january

D = Decimal


@pytest.fixture
def guarded(account, carol) -> Account:
    return set_approval(account, True, actor=carol)


@pytest.fixture
def trade(guarded) -> Trade:
    return book(guarded, "BUY", "10", "100", executed_at=january(10))


@pytest.fixture
def erin(db):
    return make_user("erin", Role.BACK_OFFICE)


def price_of(trade) -> Decimal:
    return Trade.objects.current().get(trade_id=trade.trade_id).price


def proposed(trade, actor, **changes) -> Proposal:
    return correct_version(trade, changes or {"price": D(101)}, actor=actor, reason="slip").proposal


# Asking --------------------------------------------------------------------------------------------


def test_a_first_booking_needs_no_approval(guarded):
    assert book(guarded).version == 1
    assert act(guarded, "deposit", amount=5).version == 1


def test_a_correction_waits_and_changes_nothing(api, alice, trade):
    answer = send(api(alice), "patch", f"/trades/{trade.trade_id}", {"price": "101", "reason": "slip"})
    assert answer.status_code == 202
    body = answer.json()
    assert answer["Location"] == f"/approvals/{body['id']}"
    assert (body["target"], body["target_id"], body["target_version"]) == ("trade", trade.trade_id, 1)
    assert (body["state"], body["proposed_by"], body["reason"], body["void"]) == ("waiting", "alice", "slip", False)
    assert body["changes"] == [{"field": "price", "before": "100", "after": "101"},
                               {"field": "notional", "before": "1000", "after": "1010"}][:1]  # fmt: skip
    assert (body["decided_by"], body["decided_at"], body["entry"]) == (None, None, None)
    assert price_of(trade) == 100
    assert LedgerEntry.objects.filter(kind="correction").count() == 0
    assert api(alice).get(answer["Location"]).json() == body


def test_a_void_and_an_activity_wait_too(api, alice, guarded, trade):
    deposit = act(guarded, "deposit", amount=500, effective_at=january(5))
    answers = [
        send(api(alice), "delete", f"/trades/{trade.trade_id}?reason=doubled"),
        send(api(alice), "patch", f"/activities/{deposit.activity_id}", {"amount": "400"}),
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["void"] is True
    assert answers[1].json()["changes"] == [{"field": "amount", "before": "500", "after": "400"}]
    assert Trade.objects.current().count() == Activity.objects.current().count() == 1
    rows = api(alice).get("/approvals/").json()["results"]
    assert [row["id"] for row in rows] == [answers[1].json()["id"], answers[0].json()["id"]]


def test_the_back_office_waits_for_another_as_well(carol, trade):
    assert proposed(trade, carol).proposed_by == carol


def test_what_makes_no_difference_is_not_proposed(alice, trade):
    booking = correct_version(trade, {"price": D(100)}, actor=alice)
    assert (booking.proposal, booking.row.version) == (None, 1)
    assert not Proposal.objects.exists()


REFUSED = {
    "a value that cannot be": ({"price": "0"}, 400, "price"),
    "an unknown field": ({"prize": "1"}, 400, "prize"),
    "a short": ({"quantity": "1"}, 409, "short_not_allowed"),
    "a closed day": ({"executed_at": "2025-01-01T00:00:00Z"}, 409, "period_closed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_refused_is_refused_at_once(api, alice, carol, case):
    account = make_account(alice, allows_short=False)
    trade = book(account, "BUY", "10", "100", executed_at=january(10))
    book(account, "SELL", "9", "100", executed_at=january(11))
    closed(set_approval(account, True, actor=carol), carol, january(2).date())
    body, status, named = REFUSED[case]
    answer = send(api(alice), "patch", f"/trades/{trade.trade_id}", body)
    assert answer.status_code == status, answer.content
    assert named in (set(problems(answer)) if status == 400 else {answer.json()["code"]})
    assert not Proposal.objects.exists()
    assert list(verification.differences()) == []


def test_a_stale_version_proposes_nothing(api, alice, trade):
    answer = send(api(alice), "patch", f"/trades/{trade.trade_id}", {"price": "1"}, **{"If-Match": '"2"'})
    assert answer.status_code == 412
    assert not Proposal.objects.exists()


def test_of_one_trade_one_proposal_waits(api, alice, carol, trade):
    first = proposed(trade, alice)
    answer = send(api(carol), "delete", f"/trades/{trade.trade_id}")
    assert (answer.status_code, answer.json()["code"], answer.json()["proposal"]) == (409, "proposal_waiting", first.pk)


@pytest.mark.parametrize("is_still_guarded", [True, False])
def test_a_key_that_a_correction_was_proposed_under_books_nothing_else(api, alice, carol, trade, is_still_guarded):
    key = {"Idempotency-Key": "k"}
    assert send(api(alice), "patch", f"/trades/{trade.trade_id}", {"price": "101"}, **key).status_code == 202
    set_approval(trade.account, is_still_guarded, actor=carol)
    fill = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY", "account": trade.account_id}
    deposit = {"kind": "deposit", "amount": 1, "account": trade.account_id}
    for address, body in (("/trades/", fill), ("/activities/", deposit)):
        answer = send(api(alice), "post", address, body, **key)
        assert answer.status_code == 422
    assert (Trade.objects.count(), Activity.objects.count()) == (1, 0)


def test_neither_a_file_nor_a_row_of_one_nor_a_close_takes_that_key(api, alice, carol, trade):
    key = {"Idempotency-Key": "k"}
    send(api(alice), "patch", f"/trades/{trade.trade_id}", {"price": "101"}, **key)
    row, whole = "AAPL,BUY,1,1,2025-01-15T14:30:00Z", "ticker,trade_type,quantity,price,executed_at"
    for text, headers in ((f"{whole}\n{row}\n", key), (f"{whole},client_trade_id\n{row},k\n", {})):
        answer = api(alice).post("/trades/import", text, content_type="text/csv", headers=headers)
        told = answer.json().get("errors", [answer.json()])[0]
        assert (answer.status_code, told["code"]) == (422, "idempotency_key_reused")
    close = send(api(carol), "post", f"/accounts/{trade.account_id}/closes", {"day": "2025-01-31"}, **key)
    assert (close.status_code, close.json()["code"]) == (422, "idempotency_key_reused")
    assert LedgerEntry.objects.filter(account=trade.account).count() == 2


def test_a_void_and_a_correction_that_says_nothing_do_not_share_a_key(api, alice, trade):
    key = {"Idempotency-Key": "k"}
    assert send(api(alice), "delete", f"/trades/{trade.trade_id}", **key).status_code == 202
    answer = send(api(alice), "patch", f"/trades/{trade.trade_id}", {}, **key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_repeat_of_a_key_proposes_once_and_is_answered_alike_ever_after(api, alice, carol, trade):
    address, body, key = f"/trades/{trade.trade_id}", {"price": "101"}, {"Idempotency-Key": "k"}
    first, second = (send(api(alice), "patch", address, body, **key) for _ in range(2))
    assert (first.status_code, second.status_code, second["Idempotent-Replayed"]) == (202, 202, "true")
    assert first.json() == second.json()
    assert send(api(alice), "patch", address, {"price": "102"}, **key).status_code == 422
    send(api(carol), "post", f"/approvals/{first.json()['id']}/approve", {})
    third = send(api(alice), "patch", address, body, **key)
    assert (third.status_code, third.json()["state"]) == (202, "approved")
    assert Trade.objects.filter(trade_id=trade.trade_id).count() == 2


VALUES = {
    Trade: {
        "instrument_id": "MSFT", "side": "SELL", "quantity": D("0.000000000001"), "price": D("99.5"), "fees": D(0),
        "executed_at": january(11).replace(microsecond=7), "strategy": "", "tags": ",a,b,", "note": "ü\n",
    },
    Activity: {
        "amount": D("-5"), "pay_at": None, "ratio_new": 4, "ratio_old": 1, "acquired_at": january(3),
        "pnl_method": "lifo", "new_instrument_id": None, "note": "",
    },
}  # fmt: skip


@pytest.mark.parametrize("model", VALUES, ids=lambda model: model.__name__)
def test_what_is_proposed_comes_back_as_it_was_asked_for(model):
    proposal = Proposal(target=model._meta.model_name, changes=spelled(VALUES[model]))
    assert values_of(proposal) == VALUES[model]
    assert {name: type(value) for name, value in values_of(proposal).items() if name != "side"} == {
        name: type(value) for name, value in VALUES[model].items() if name != "side"
    }


# Deciding ----------------------------------------------------------------------------------------------


def test_another_approves_and_the_correction_is_theirs(api, alice, carol, trade):
    proposal = proposed(trade, alice)
    answer = send(api(carol), "post", f"/approvals/{proposal.pk}/approve", {"reason": "seen the slip"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["state"], body["decided_by"], body["decision_reason"]) == ("approved", "carol", "seen the slip")
    assert body["changes"] == [{"field": "price", "before": "100", "after": "101"}]
    entry = LedgerEntry.objects.get(number=body["entry"])
    assert (entry.kind, entry.actor, entry.reason) == ("correction", carol, "Proposed by alice: slip: seen the slip")
    assert price_of(trade) == 101
    assert list(verification.differences()) == []


def test_a_proposed_void_is_carried_out(alice, carol, api, trade):
    proposal = void_version(trade, actor=alice, reason="doubled").proposal
    assert send(api(carol), "post", f"/approvals/{proposal.pk}/approve", {}).status_code == 200
    assert not Trade.objects.current().exists()
    assert LedgerEntry.objects.last().kind == "void"


def test_a_proposed_adjustment_is_booked_when_it_is_approved(api, alice, carol, guarded, trade):
    closed(guarded, carol)
    answer = send(api(alice), "delete", f"/trades/{trade.trade_id}", {"adjustment": True, "reason": "never"})
    assert (answer.status_code, answer.json()["adjustment"]) == (202, True)
    assert Trade.objects.count() == 1
    answer = send(api(carol), "post", f"/approvals/{answer.json()['id']}/approve", {})
    entry = LedgerEntry.objects.get(number=answer.json()["entry"])
    assert (entry.kind, entry.adjustment.target_id, entry.actor) == ("adjustment", trade.trade_id, carol)
    assert list(verification.differences()) == []


def test_nobody_decides_on_their_own(api, carol, trade):
    proposal = proposed(trade, carol)
    for decision in ("approve", "reject"):
        answer = send(api(carol), "post", f"/approvals/{proposal.pk}/{decision}", {"reason": "x"})
        assert answer.status_code == 403
    assert Proposal.objects.get().state == "waiting"


def test_a_rejection_says_why_and_leaves_all_as_it_is(api, alice, carol, trade):
    proposal = proposed(trade, alice)
    for body, code in (({}, "required"), ({"reason": " "}, "blank")):
        assert problems(send(api(carol), "post", f"/approvals/{proposal.pk}/reject", body)) == {"reason": code}
    answer = send(api(carol), "post", f"/approvals/{proposal.pk}/reject", {"reason": "the slip says 100"})
    assert (answer.json()["state"], answer.json()["decision_reason"]) == ("rejected", "the slip says 100")
    assert price_of(trade) == 100
    assert proposed(trade, alice).state == "waiting"  # and it may be asked for again


def test_who_proposed_withdraws_and_nobody_else(api, alice, carol, trade):
    proposal = proposed(trade, alice)
    assert send(api(carol), "post", f"/approvals/{proposal.pk}/withdraw", {}).status_code == 403
    answer = send(api(alice), "post", f"/approvals/{proposal.pk}/withdraw", {"reason": "my mistake"})
    assert (answer.json()["state"], answer.json()["decided_by"]) == ("withdrawn", "alice")


@pytest.mark.parametrize("decision", ["approve", "reject", "withdraw"])
def test_what_is_decided_is_decided(api, alice, carol, trade, decision):
    proposal = proposed(trade, alice)
    send(api(carol), "post", f"/approvals/{proposal.pk}/reject", {"reason": "no"})
    client = api(alice if decision == "withdraw" else carol)
    answer = send(client, "post", f"/approvals/{proposal.pk}/{decision}", {"reason": "x"})
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "not_waiting", "rejected")


def test_where_the_trade_has_moved_on_the_proposal_stays(api, alice, carol, erin, guarded, trade):
    proposal = proposed(trade, alice)
    set_approval(guarded, False, actor=carol)
    correct_version(trade, {"quantity": D(11)}, actor=erin)
    answer = send(api(carol), "post", f"/approvals/{proposal.pk}/approve", {})
    assert (answer.status_code, answer.json()["code"], answer.json()["version"]) == (409, "moved_on", 2)
    assert Proposal.objects.get().state == "waiting"
    assert price_of(trade) == 100


def test_where_the_book_refuses_it_by_now_the_proposal_stays(api, alice, carol, guarded, trade):
    proposal = proposed(trade, alice)
    closed(guarded, carol)
    answer = send(api(carol), "post", f"/approvals/{proposal.pk}/approve", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "period_closed")
    assert Proposal.objects.get().state == "waiting"


def test_a_long_reason_leaves_the_proposers_name_in_the_entry(api, alice, carol, trade):
    proposal = correct_version(trade, {"price": D(1)}, actor=alice, reason="x" * 500).proposal
    assert send(api(carol), "post", f"/approvals/{proposal.pk}/approve", {"reason": "y" * 500}).status_code == 200
    reason = LedgerEntry.objects.last().reason
    assert reason.startswith("Proposed by alice: xxx")
    assert len(reason) == 500


# Who may ---------------------------------------------------------------------------------------------------


def test_who_sees_and_decides(api, alice, bob, carol, dave, trade):
    proposal = proposed(trade, alice)
    assert api(bob).get("/approvals/").json()["results"] == []
    assert api(bob).get(f"/approvals/{proposal.pk}").status_code == 404
    assert send(api(bob), "post", f"/approvals/{proposal.pk}/approve", {}).status_code == 403
    assert send(api(bob), "post", f"/approvals/{proposal.pk}/withdraw", {}).status_code == 404
    assert send(api(alice), "post", f"/approvals/{proposal.pk}/approve", {}).status_code == 403
    assert api(dave).get(f"/approvals/{proposal.pk}").status_code == 200
    assert send(api(dave), "post", f"/approvals/{proposal.pk}/approve", {}).status_code == 403
    assert send(api(carol, scope="trade"), "post", f"/approvals/{proposal.pk}/approve", {}).status_code == 403
    assert Proposal.objects.get().state == "waiting"


@pytest.mark.parametrize(
    ("query", "count"), [("", 2), ("?state=waiting", 1), ("?state=rejected", 1), ("?account={account}", 2),
                         ("?account=999999", 0)]
)  # fmt: skip
def test_lists_are_filtered(api, alice, carol, guarded, trade, query, count):
    first = proposed(trade, alice)
    send(api(carol), "post", f"/approvals/{first.pk}/reject", {"reason": "no"})
    proposed(trade, alice)
    answer = api(carol).get(f"/approvals/{query.format(account=guarded.pk)}")
    assert len(answer.json()["results"]) == count


@pytest.mark.parametrize("query", ["state=lost", "account=x", "account=0", "page_size=0", "cursor=x", "stat=waiting"])
def test_what_a_list_does_not_know_is_refused_by_name(api, alice, query):
    answer = api(alice).get(f"/approvals/?{query}")
    assert answer.status_code == 400
    assert set(problems(answer)) == {query.partition("=")[0]}


def test_a_list_costs_a_fixed_number_of_queries(api, alice, carol, guarded, django_assert_max_num_queries):
    for day in range(1, 9):
        proposed(book(guarded, executed_at=january(day)), alice, price=D(day))
    client = api(carol)
    with django_assert_max_num_queries(4):  # token, its use, proposals, trades
        assert len(client.get("/approvals/").json()["results"]) == 8


# The rule itself -------------------------------------------------------------------------------------------


def test_the_back_office_says_so_and_the_ledger_keeps_it(api, account, alice, carol, dave):
    address = f"/accounts/{account.pk}"
    for client in (api(alice), api(dave), api(carol, scope="trade")):
        assert send(client, "patch", address, {"needs_approval": True}).status_code == 403
    assert send(api(carol), "patch", address, {"needs_approval": True}).json()["needs_approval"] is True
    send(api(carol), "patch", address, {"needs_approval": True})
    send(api(carol), "patch", address, {"needs_approval": False})
    said = list(LedgerEntry.objects.values_list("kind", "actor__username", "reason"))
    assert said == [
        ("rules", "carol", "Corrections need another's approval from now on."),
        ("rules", "carol", "Corrections no longer need approval from now on."),
    ]
    assert list(verification.differences()) == []


def test_it_is_not_chosen_when_an_account_is_opened(api, alice):
    answer = send(api(alice), "post", "/accounts/", {"name": "New", "needs_approval": True})
    assert problems(answer) == {"needs_approval": "unknown_field"}
