"""The table of roles: written once, said on one page, followed by every door."""

from pathlib import Path

import pytest

from tests.factories import make_account, make_user
from tests.faults.addresses import all_patterns
from tradeops.core.users.roles import ALL, IN_AN_ACCOUNT, NO, OWN, TABLE, Action, Reach, Role, Scope

PAGE = Path(__file__).resolve().parents[3] / "docs" / "roles.md"
READING = {Action.READ, Action.SEE_OFFICE, Action.SEE_USERS}


@pytest.mark.pure
def test_the_page_of_roles_says_what_the_table_says():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and line.count("|") == 7]
    head, _, *said = rows
    assert head == "| what | trader | back office | auditor | administrator | token scope |"
    expected = [
        f"| {action.label} | {' | '.join(reaches)} | `{scope}` |" for action, (scope, *reaches) in TABLE.items()
    ]
    assert said == expected


@pytest.mark.pure
def test_every_action_stands_in_the_table():
    assert set(TABLE) == set(Action)


@pytest.mark.pure
def test_an_auditor_reads_everything_and_writes_nothing():
    auditor = 1 + Role.values.index(Role.AUDITOR)
    assert {action for action, row in TABLE.items() if row[auditor] is not NO} == READING
    assert all(TABLE[action][auditor] is ALL for action in READING)


@pytest.mark.pure
def test_only_reading_is_covered_by_a_read_token():
    assert {action for action, (scope, *_) in TABLE.items() if scope == Scope.READ} == READING


@pytest.mark.django_db
@pytest.mark.parametrize("action", sorted(Action))
@pytest.mark.parametrize("role", sorted(Role))
def test_a_user_may_do_what_the_table_says_in_own_and_other_accounts(alice, role, action):
    user = make_user("eve", role)
    own, other = make_account(user), make_account(alice)
    reach = TABLE[action][1 + Role.values.index(role)]
    assert user.may(action) is (reach is not Reach.NONE)
    assert user.may(action, own) is (reach is not Reach.NONE)
    assert user.may(action, other) is (reach is Reach.ALL)


@pytest.mark.django_db
@pytest.mark.parametrize("role", sorted(Role))
def test_a_bound_user_reaches_one_account_and_what_is_done_in_it(alice, role):
    user = make_user("eve", role)
    account, second, other = make_account(user), make_account(user, "Second"), make_account(alice)
    user.bound_account_id = account.pk
    for action in Action:
        reach = TABLE[action][1 + Role.values.index(role)]
        assert user.may(action, account) is (action in IN_AN_ACCOUNT and reach in (OWN, ALL))
        assert not user.may(action, second)
        assert not user.may(action, other)
        assert not user.may_in_all(action)


def test_every_address_that_writes_says_what_it_writes():
    """One that forgets would be let in as booking."""
    silent = []
    for route, pattern in all_patterns():
        view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
        writes = any(hasattr(view, method) for method in ("post", "put", "patch", "delete"))
        if writes and hasattr(view, "get_permissions") and not hasattr(view, "writes"):
            silent.append(route)
    assert silent == []
