"""An owner's accounts have names of their own, whoever is first."""

import pytest

from tests.trades.conftest import problems, send
from trades import services
from trades.models import Account

pytestmark = pytest.mark.django_db


@pytest.fixture
def looks_late(monkeypatch):
    """Another request's account of the same name comes between looking and saving: none is seen before."""
    monkeypatch.setattr(Account, "validate_constraints", lambda self, exclude=None: None)


def test_a_name_that_is_taken_is_refused_by_its_field(api, alice, looks_late):
    assert send(api(alice), "post", "/accounts/", {"name": "Long"}).status_code == 201
    again = send(api(alice), "post", "/accounts/", {"name": "Long"})
    assert (again.status_code, problems(again)) == (400, {"name": "unique"})
    assert Account.objects.filter(owner=alice, name="Long").count() == 1


def test_a_name_that_is_taken_is_not_given_to_another_account(api, alice, looks_late):
    other = services.open_account(Account(owner=alice, name="Long"))
    services.open_account(Account(owner=alice, name="Short"))
    answer = send(api(alice), "patch", f"/accounts/{other.pk}", {"name": "Short"})
    assert (answer.status_code, problems(answer)) == (400, {"name": "unique"})
    other.refresh_from_db()
    assert other.name == "Long"


def test_another_owner_may_use_the_same_name(api, alice, bob):
    for user in (alice, bob):
        assert send(api(user), "post", "/accounts/", {"name": "Long"}).status_code == 201


def test_the_page_says_it_beside_the_name(client, alice):
    client.force_login(alice)
    services.open_account(Account(owner=alice, name="Long"))
    form = {"name": "Long", "currency": "USD", "kind": "real", "pnl_method": "fifo", "time_zone": "UTC"}
    page = client.post("/desk/accounts/new/", form | {"day_cutoff": "00:00", "allows_short": "on"})
    assert page.status_code == 422
    assert b"There is an account of that name already." in page.content
