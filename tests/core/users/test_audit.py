"""The audit log of the back office: tokens, roles, and who may look."""

import pytest
from django.contrib.admin.models import LogEntry

from tests.factories import make_user
from tradeops.core.users.models import Role
from tradeops.core.users.tokens import make_token, revoke_token

pytestmark = pytest.mark.django_db


def said() -> list[tuple[str, str]]:
    rows = LogEntry.objects.order_by("pk").select_related("user")
    return [(row.user.username, row.get_change_message()) for row in rows]


def test_making_and_revoking_a_token_are_noted_once(alice):
    root = make_user("root", Role.ADMINISTRATOR)
    token, raw = make_token(alice, name="bot", scope="trade", account_id=7)
    revoke_token(token, root)
    revoke_token(token, root)
    assert said() == [("alice", "Made with the scope trade for account 7."), ("root", "Revoked.")]
    assert raw not in str(list(LogEntry.objects.values()))


def test_a_change_of_role_says_what_it_was(client, alice):
    client.force_login(make_user("root", Role.ADMINISTRATOR))
    body = {"username": "alice", "role": "back_office", "is_active": "on", "time_zone": "UTC", "theme": "dark"}
    assert client.post(f"/admin/users/user/{alice.pk}/change/", body).status_code == 302
    alice.refresh_from_db()
    assert alice.role == Role.BACK_OFFICE
    assert said() == [("root", "Role: trader, now back office. Changed too: theme.")]


@pytest.mark.parametrize("role", [Role.BACK_OFFICE, Role.AUDITOR, Role.ADMINISTRATOR])
def test_the_log_is_read_searched_and_never_changed(client, alice, role):
    make_token(alice, name="bot")
    client.force_login(make_user("eve", role))
    row = LogEntry.objects.get()
    assert "Made with the scope read for all accounts." in client.get("/admin/admin/logentry/?q=bot").content.decode()
    assert client.get("/admin/admin/logentry/add/").status_code == 403
    assert client.post(f"/admin/admin/logentry/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"/admin/admin/logentry/{row.pk}/change/", {"object_repr": "x"}).status_code == 403
    assert LogEntry.objects.get().object_repr == row.object_repr


def test_an_auditor_sees_users_and_tokens_and_changes_none(client, alice, dave):
    token, _ = make_token(alice, name="bot")
    client.force_login(dave)
    for address in ("/admin/users/user/", "/admin/users/apitoken/", f"/admin/users/user/{alice.pk}/change/"):
        assert client.get(address).status_code == 200, address
    assert client.post(f"/admin/users/user/{alice.pk}/change/", {"role": "administrator"}).status_code == 403
    client.post("/admin/users/apitoken/", {"action": "revoke", "_selected_action": [token.pk]})
    token.refresh_from_db()
    assert token.revoked_at is None
