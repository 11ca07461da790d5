"""The back office's pages: closes, approvals, reconciliations."""

from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.factories import book
from trades.control.approvals import approve
from trades.models import Account, LedgerEntry, Proposal, Reconciliation, Trade
from trades.services import correct_version, set_approval, void_version

from .conftest import january


@pytest.fixture
def desk(client):
    """`desk(user)` is a browser signed in as `user`."""

    def signed_in(user):
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def proposal(account, alice, carol) -> Proposal:
    set_approval(account, True, actor=carol)
    trade = book(account, "BUY", "10", "100", executed_at=january(10))
    return correct_version(trade, {"price": Decimal("101.5")}, actor=alice, reason="the slip says so").proposal


def text_of(answer) -> str:
    return answer.content.decode()


# Closes, and the need of approval -----------------------------------------------------------------


def test_the_back_office_closes_on_the_page_and_a_trader_only_looks(desk, account, alice, carol):
    address = f"/desk/accounts/{account.pk}/closes/"
    done = desk(carol).post(address, {"day": "2025-01-31", "reason": "month end", "confirmed": "on"}, follow=True)
    assert "closed through 2025-01-31" in text_of(done)
    again = desk(carol).post(address, {"day": "2025-01-31", "confirmed": "on"})
    assert (again.status_code, "a close goes further" in text_of(again)) == (422, True)
    assert "Tick this" in text_of(desk(carol).post(address, {"day": "2025-02-01"}))
    ahead = desk(carol).post(address, {"day": "2999-01-01", "confirmed": "on"})
    assert 'id="id_day_error"' in text_of(ahead)
    seen = text_of(desk(alice).get(address))
    assert "month end" in seen
    assert "Close the books" not in seen
    assert desk(alice).post(address, {"day": "2025-02-01"}).status_code == 403
    assert LedgerEntry.objects.count() == 1


@pytest.mark.parametrize("day", ["", "31.1.", "\x00", "9" * 999])
def test_what_is_no_day_is_said_beside_the_field(desk, account, carol, day):
    answer = desk(carol).post(f"/desk/accounts/{account.pk}/closes/", {"day": day})
    assert (answer.status_code, 'id="id_day_error"' in text_of(answer)) == (422, True)


def test_the_need_of_approval_is_set_on_the_accounts_page(desk, account, alice, carol):
    assert "Have them wait for approval" in text_of(desk(carol).get(f"/desk/accounts/{account.pk}/"))
    address = f"/desk/accounts/{account.pk}/approval/"
    desk(carol).post(address, {"needs_approval": "on"})
    assert Account.objects.get().needs_approval
    assert desk(carol).post(address, {"needs_approval": "perhaps"}).status_code == 400
    assert desk(alice).post(address, {"needs_approval": "off"}).status_code == 403
    assert "Let them take effect" not in text_of(desk(alice).get(f"/desk/accounts/{account.pk}/"))
    assert Account.objects.get().needs_approval


# Approvals -------------------------------------------------------------------------------------------


def test_what_waits_is_told_to_those_who_may_decide(desk, proposal, alice, carol, dave):
    assert "1 to approve" in text_of(desk(carol).get("/desk/approvals/"))
    for user in (alice, dave):
        assert "to approve" not in text_of(desk(user).get("/desk/approvals/"))
    void_version(book(proposal.account), actor=carol)  # what carol proposes does not wait for her
    assert "1 to approve" in text_of(desk(carol).get("/desk/"))


def test_a_proposal_is_shown_with_its_differences_and_approved(desk, proposal, carol):
    address = f"/desk/approvals/{proposal.pk}/"
    page = text_of(desk(carol).get(address))
    assert "<del>100</del> <ins>101.5</ins>" in page
    assert "the slip says so" in page
    done = text_of(desk(carol).post(address, {"decision": "approve", "reason": "seen"}, follow=True))
    assert f"Proposal {proposal.pk} is approved and carried out." in done
    assert "to approve" not in done
    assert Trade.objects.current().get().price == Decimal("101.5")
    assert "by entry 3 of the ledger" in text_of(desk(carol).get(address))


def test_a_rejection_needs_its_reason(desk, proposal, carol):
    address = f"/desk/approvals/{proposal.pk}/"
    answer = desk(carol).post(address, {"decision": "reject", "reason": ""})
    assert (answer.status_code, "Say why it is rejected." in text_of(answer)) == (422, True)
    desk(carol).post(address, {"decision": "reject", "reason": "no slip"})
    assert (Proposal.objects.get().state, Trade.objects.count()) == ("rejected", 1)


def test_who_proposed_withdraws_and_is_not_offered_to_decide(desk, proposal, alice):
    address = f"/desk/approvals/{proposal.pk}/"
    page = text_of(desk(alice).get(address))
    assert ("Withdraw" in page, ">Approve<" in page) == (True, False)
    assert desk(alice).post(address, {"decision": "approve"}).status_code == 403
    desk(alice).post(address, {"decision": "withdraw"})
    assert Proposal.objects.get().state == "withdrawn"


@pytest.mark.parametrize("decision", ["", "delete", "\x00"])
def test_a_decision_that_there_is_not_changes_nothing(desk, proposal, carol, decision):
    assert desk(carol).post(f"/desk/approvals/{proposal.pk}/", {"decision": decision}).status_code == 422
    assert Proposal.objects.get().state == "waiting"


def test_one_decided_meanwhile_is_said(desk, proposal, carol, alice):
    address = f"/desk/approvals/{proposal.pk}/"
    approve(proposal, actor=carol)
    answer = desk(carol).post(address, {"decision": "approve"})
    assert (answer.status_code, "is approved" in text_of(answer)) == (422, True)


def test_the_list_is_filtered_and_refuses_what_it_does_not_know(desk, proposal, carol):
    browser = desk(carol)
    assert f"Proposal {proposal.pk}" in text_of(browser.get("/desk/approvals/?state=waiting"))
    assert "None of these" in text_of(browser.get("/desk/approvals/?state=rejected"))
    assert browser.get("/desk/approvals/?state=lost").status_code == 400
    assert browser.get("/desk/approvals/?stat=waiting").status_code == 400


# Reconciliations ----------------------------------------------------------------------------------------


def compared(browser, account, **fields):
    return browser.post("/desk/reconciliations/", {"account": account.pk, **fields}, follow=True)


def test_a_pasted_statement_shows_its_breaks_with_the_way_to_their_trades(desk, account, alice):
    book(account, "BUY", "10", "100", executed_at=january(10))
    page = text_of(compared(desk(alice), account, day="2025-01-31", cash="5", text="ticker,quantity\nAAPL,9\nMSFT,1\n"))
    assert "3 breaks" in page
    assert "missing in the book" in page
    assert "executed_after=2025-01-28&amp;executed_before=2025-02-03" in page
    assert "3" in text_of(desk(alice).get("/desk/reconciliations/"))


def test_an_uploaded_statement_that_agrees_is_said_to(desk, account, alice):
    book(account, "BUY", "10", "100", executed_at=january(10))
    file = SimpleUploadedFile("statement.csv", b"ticker,quantity\nAAPL,10\nCASH,-1000\n")
    assert "agrees with the book to the last digit" in text_of(compared(desk(alice), account, file=file))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "State the cash, the positions, or both."),
        ({"cash": "much"}, "A valid number is required."),
        ({"text": "ticker,price\nAAPL,1\n"}, "There is no column for quantity."),
        ({"text": "ticker,quantity\nAAPL,1\nAAPL,1\n"}, "Row 3: AAPL is stated twice."),
        ({"text": "ticker,quantity\nCASH,1\n", "cash": "1"}, "The statement has it in its row CASH."),
        ({"cash": "1", "day": "2999-01-01"}, "It must lie after 1900 and not in the future."),
        ({"cash": "1", "day": "9999-12-31"}, "Enter a valid date."),
        ({"account": "1000000", "cash": "1"}, "is not one of the available choices"),
    ],
)
def test_what_cannot_be_compared_is_said_and_not_kept(desk, account, alice, fields, said):
    answer = desk(alice).post("/desk/reconciliations/", {"account": account.pk} | fields)
    assert (answer.status_code, said in text_of(answer)) == (422, True), text_of(answer)
    assert not Reconciliation.objects.exists()


def test_a_statement_is_compared_again_after_the_book_was_set_right(desk, account, alice, dave):
    kept = compared(desk(alice), account, text="ticker,quantity\nAAPL,10\n", day="2025-01-31").redirect_chain[0][0]
    assert "1 break<" in text_of(desk(alice).get(kept))
    book(account, "BUY", "10", "100", executed_at=january(10))
    assert desk(dave).post(f"{kept}again/").status_code == 403
    assert "agrees with the book" in text_of(desk(alice).post(f"{kept}again/", follow=True))
    assert "1 break<" in text_of(desk(alice).get(kept))


def test_an_auditor_looks_and_compares_nothing(desk, account, dave):
    assert b">Compare<" not in desk(dave).get("/desk/reconciliations/").content
    assert desk(dave).post("/desk/reconciliations/", {"account": account.pk, "cash": "1"}).status_code == 403


# Doors -----------------------------------------------------------------------------------------------------


def test_a_stranger_finds_nothing_and_nobody_is_let_in(desk, client, proposal, alice, bob):
    kept = compared(desk(alice), proposal.account, cash="1")
    addresses = [
        f"/desk/accounts/{proposal.account_id}/closes/", f"/desk/approvals/{proposal.pk}/", kept.redirect_chain[0][0],
    ]  # fmt: skip
    for address in addresses:
        assert desk(bob).get(address).status_code == 404
    assert (
        desk(bob).post(f"/desk/accounts/{proposal.account_id}/approval/", {"needs_approval": "off"}).status_code == 404
    )
    client.logout()
    for address in [*addresses, "/desk/approvals/", "/desk/reconciliations/"]:
        assert client.get(address)["Location"].startswith("/desk/sign-in/")
