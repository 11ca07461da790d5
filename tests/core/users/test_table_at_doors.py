"""The table of roles at the doors: each action, tried at each address that does it, as every role and with every scope.

What is refused is asked about, not how: a body that could not be booked is sent where it is only looked at after that.
"""

import pytest
from django.test import Client

from tests.factories import book, make_account, make_user
from tradeops.core.users.roles import IN_AN_ACCOUNT, TABLE, Action, Reach, Role, Scope, reach_of, scope_needed
from trades.models import ImportBatch, Proposal, Reconciliation

API = {
    Action.READ: ["get /trades/{trade}", "get /trades/{trade}/history", "get /accounts/{account}",
                  "get /accounts/{account}/closes", "get /trades/imports/{batch}", "get /approvals/{proposal}",
                  "get /reconciliations/{reconciliation}"],
    Action.BOOK: ["put /trades/{trade}", "patch /trades/{trade}", "delete /trades/{trade}",
                  "post /trades/imports/{batch}/undo"],
    Action.OPEN_ACCOUNT: ["patch /accounts/{account}"],
    Action.CLOSE_BOOKS: ["post /accounts/{account}/closes"],
    Action.APPROVE: ["post /approvals/{proposal}/approve", "post /approvals/{proposal}/reject"],
}  # fmt: skip
PAGES = {
    Action.READ: ["get /desk/trades/{trade}/", "get /desk/accounts/{account}/", "get /desk/accounts/{account}/closes/",
                  "get /desk/trades/import/{batch}/", "get /desk/approvals/{proposal}/",
                  "get /desk/reconciliations/{reconciliation}/"],
    Action.BOOK: ["get /desk/trades/{trade}/correct/", "post /desk/trades/{trade}/correct/",
                  "post /desk/trades/{trade}/void/", "post /desk/trades/import/{batch}/check/",
                  "post /desk/trades/import/{batch}/book/", "post /desk/trades/import/{batch}/undo/",
                  "post /desk/approvals/{proposal}/", "post /desk/trades/import/{batch}/discard/"],
    Action.RECONCILE: ["post /desk/reconciliations/{reconciliation}/again/"],
    Action.OPEN_ACCOUNT: ["post /desk/accounts/{account}/"],
    Action.CLOSE_BOOKS: ["post /desk/accounts/{account}/closes/"],
    Action.SET_APPROVAL: ["post /desk/accounts/{account}/approval/"],
}  # fmt: skip
# What is done in no account that the address names.
OF_NONE = {
    Action.BOOK: ["post /trades/", "post /activities/", "post /trades/import", "post /desk/trades/new/",
                  "post /desk/trades/import/"],
    Action.RECONCILE: ["post /reconciliations/", "post /desk/reconciliations/"],
    Action.OPEN_ACCOUNT: ["post /accounts/", "post /desk/accounts/new/"],
    Action.RUN: ["post /algorithm/run", "post /algorithm/sweeps", "post /analytics/process"],
    Action.STATE_PRICE: ["post /tickers/AAPL/bars"],
    Action.KEEP_ALERTS: ["post /alerts/"],
}  # fmt: skip
OFFICE = {
    Action.SEE_OFFICE: ["get /admin/trades/trade/", "get /admin/trades/ledgerentry/", "get /admin/jobs/job/"],
    Action.KEEP_OFFICE: ["get /admin/trades/account/add/", "get /admin/market/instrument/add/"],
    Action.SEE_USERS: ["get /admin/users/user/", "get /admin/users/apitoken/"],
    Action.ADMINISTER: ["get /admin/users/user/add/", "get /admin/django_celery_beat/periodictask/add/"],
}  # fmt: skip
REFUSED = 403


@pytest.fixture(autouse=True)
def database(db):
    pass


def named_rows(owner) -> dict[str, int]:
    """One of everything that an address names, in an account of `owner`."""
    account = make_account(owner)
    trade = book(account)
    proposal = Proposal.objects.create(account=account, target="trade", target_id=trade.trade_id, target_version=1,
                                       is_void=True, proposed_by=make_user(f"by {owner}"))  # fmt: skip
    batch = ImportBatch.objects.create(account=account, actor=owner, file_name="a.csv")
    held = Reconciliation.objects.create(
        account=account,
        actor=owner,
        at=trade.executed_at,
        known_entry=1,
        breaks=[],
        statement={"cash": "1", "positions": None},
    )
    return {
        "account": account.pk, "trade": trade.trade_id, "proposal": proposal.pk, "batch": batch.pk,
        "reconciliation": held.pk,
    }  # fmt: skip


def status(client, door: str, rows: dict[str, int]) -> int:
    """Of an empty request: what is refused for its content was not refused at the door."""
    method, address = door.format(**rows).split(" ")
    body = {} if method == "get" or address.startswith("/desk") else {"data": "{}", "content_type": "application/json"}
    return getattr(client, method)(address, **body).status_code


def signed_in(user) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def owned(user, role: str):
    """Rows of the user's own, booked while they might."""
    user.role = Role.TRADER
    rows = named_rows(user)
    user.role = role
    user.save()
    return rows


def is_as_said(found: int, role: str, action: Action, *, own: bool) -> bool:
    """Whether the table explains the answer: 403 for what the role does nowhere, 404 for what it does not see."""
    is_nowhere = reach_of(role, action) is Reach.NONE
    if not own and reach_of(role, Action.READ) is Reach.OWN:
        return found == 404 or (found == REFUSED and is_nowhere)
    return found != 404 and (found == REFUSED) is is_nowhere


@pytest.mark.parametrize("role", sorted(Role))
def test_each_address_follows_the_table_in_own_and_in_others_accounts(alice, role):
    user = make_user("eve", role)
    others, own = named_rows(alice), owned(user, role)
    browser, wrong = signed_in(user), []
    for action, listed in [*API.items(), *PAGES.items()]:
        for door, rows in [(door, rows) for door in listed for rows in (own, others)]:
            found = status(browser, door, rows)
            if not is_as_said(found, role, action, own=rows is own):
                wrong.append((door, "own" if rows is own else "another's", found))
    assert wrong == []


@pytest.mark.parametrize("role", sorted(Role))
def test_each_address_of_no_account_and_of_the_office_follows_the_table(role):
    browser, wrong = signed_in(make_user("eve", role)), []
    for action, listed in OF_NONE.items():
        wrong += [
            (door, found)
            for door in listed
            if ((found := status(browser, door, {})) == REFUSED) != (reach_of(role, action) is Reach.NONE)
        ]
    for action, listed in OFFICE.items():
        # Who has no business in the back office at all is led to sign in.
        wrong += [
            (door, found)
            for door in listed
            if ((found := status(browser, door, {})) == 200) != (reach_of(role, action) is Reach.ALL)
        ]
    assert wrong == []


@pytest.mark.parametrize("scope", [Scope.READ, Scope.TRADE])
def test_a_token_is_refused_what_its_scope_does_not_cover(api, scope):
    user = make_user("eve", Role.ADMINISTRATOR)
    rows, program = named_rows(user), api(user, scope)
    for action, listed in API.items():
        for door in listed:
            assert (status(program, door, rows) == REFUSED) is not scope.covers(scope_needed(action)), door
    for action, listed in OF_NONE.items():
        for door in (door for door in listed if "/desk/" not in door):
            assert (status(program, door, {}) == REFUSED) is not scope.covers(scope_needed(action)), door


@pytest.mark.pure
def test_every_action_is_tried_at_a_door():
    assert API.keys() | PAGES.keys() | OF_NONE.keys() | OFFICE.keys() == set(TABLE) >= IN_AN_ACCOUNT
