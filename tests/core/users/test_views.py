"""Sign-in and out, the theme, preferences, and API tokens as the settings page makes them."""

import re

import pytest
from django.test import Client

from tests.factories import PASSWORD
from tradeops.core.users import limits
from tradeops.core.users.models import ApiToken, Role
from tradeops.core.users.tokens import authenticate_token, make_token

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser():
    def signed_in(user=None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return signed_in


# Signing in --------------------------------------------------------------------------


def test_signing_in_leads_to_the_page_that_was_asked_for(browser, alice):
    answer = browser().post("/desk/sign-in/", {"username": "alice", "password": PASSWORD, "next": "/desk/settings/"})
    assert (answer.status_code, answer["Location"]) == (302, "/desk/settings/")


def test_signing_in_never_leads_to_another_site(browser, alice):
    answer = browser().post(
        "/desk/sign-in/", {"username": "alice", "password": PASSWORD, "next": "https://elsewhere.example/"}
    )
    assert answer["Location"] == "/desk/"


def test_a_wrong_password_is_refused_in_words(browser, alice):
    answer = browser().post("/desk/sign-in/", {"username": "alice", "password": "wrong"})
    assert answer.status_code == 422
    assert b"correct username and password" in answer.content


def test_after_too_many_failures_even_the_right_password_waits(browser, alice):
    client = browser()
    for _ in range(limits.FAILURES_OF_A_NAME_FROM_AN_ADDRESS):
        client.post("/desk/sign-in/", {"username": "Alice ", "password": "wrong"})
    answer = client.post("/desk/sign-in/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= limits.SIGN_IN_WINDOW_SECONDS


def test_failures_for_one_name_leave_the_others_alone(browser, alice, bob):
    for _ in range(limits.FAILURES_OF_A_NAME_FROM_AN_ADDRESS):
        browser().post("/desk/sign-in/", {"username": "alice", "password": "wrong"})
    assert browser().post("/desk/sign-in/", {"username": "bob", "password": PASSWORD}).status_code == 302


def test_a_name_that_no_encoding_knows_is_merely_wrong(browser):
    answer = browser().post(
        "/desk/sign-in/", {"username": "\x00\ud800".encode("utf-8", "surrogatepass"), "password": "x"}
    )
    assert answer.status_code == 422


def test_signing_out_needs_a_post(browser, alice):
    client = browser(alice)
    assert client.get("/desk/sign-out/").status_code == 405
    assert client.post("/desk/sign-out/").status_code == 302
    assert client.get("/desk/settings/")["Location"].startswith("/desk/sign-in/")


def test_the_sign_in_page_names_demo_logins_in_demo_mode_alone(browser, settings):
    assert b"demo-trader" not in browser().get("/desk/sign-in/").content
    settings.TRADEOPS_DEMO = True
    assert b"demo-trader" in browser().get("/desk/sign-in/").content


def test_the_back_office_is_entered_through_the_same_door(browser, carol):
    answer = browser().get("/admin/jobs/job/")
    assert answer.status_code == 302
    answer = browser().get("/admin/login/?next=/admin/jobs/job/")
    assert answer["Location"] == "/desk/sign-in/?next=/admin/jobs/job/"


# Theme and preferences ------------------------------------------------------------------


def test_a_theme_chosen_signed_out_is_kept_in_a_cookie_and_drawn_by_the_server(browser):
    client = browser()
    answer = client.post("/desk/theme/", {"theme": "dark", "next": "/desk/sign-in/"})
    assert answer["Location"] == "/desk/sign-in/"
    assert b'<html lang="en" data-theme="dark">' in client.get("/desk/sign-in/").content


def test_a_theme_chosen_signed_in_is_kept_with_the_user(browser, alice):
    browser(alice).post("/desk/theme/", {"theme": "light"})
    assert b'data-theme="light"' in browser(alice).get("/desk/settings/").content


@pytest.mark.parametrize("theme", ["", "blue", '"><script>'])
def test_an_unknown_theme_is_refused(browser, theme):
    assert browser().post("/desk/theme/", {"theme": theme}).status_code == 400


@pytest.mark.parametrize("address", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""])
def test_choosing_a_theme_never_leads_to_another_site(browser, address):
    answer = browser().post("/desk/theme/", {"theme": "dark", "next": address})
    assert answer["Location"] == "/desk/"


def test_a_cookie_of_nonsense_is_only_text(browser):
    client = browser()
    client.cookies["theme"] = '"><b>'
    assert b"<b>" not in client.get("/desk/sign-in/").content


def test_preferences_are_saved(browser, alice):
    answer = browser(alice).post("/desk/settings/preferences/", {"time_zone": "Asia/Tokyo", "theme": "dark"})
    assert answer["Location"] == "/desk/settings/"
    alice.refresh_from_db()
    assert (alice.time_zone, alice.theme) == ("Asia/Tokyo", "dark")


def test_a_time_zone_that_is_none_is_refused_by_field(browser, alice):
    answer = browser(alice).post("/desk/settings/preferences/", {"time_zone": "Mars/Base", "theme": "dark"})
    assert answer.status_code == 422
    assert b"Mars/Base is not one of the available choices" in answer.content
    alice.refresh_from_db()
    assert alice.time_zone == "UTC"


@pytest.mark.parametrize("path", ["", "preferences/", "password/", "tokens/", "tokens/1/revoke/"])
def test_a_stranger_is_asked_to_sign_in(browser, path):
    method = "get" if path in ("", "password/") else "post"
    answer = getattr(browser(), method)(f"/desk/settings/{path}")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/desk/sign-in/")


def test_the_settings_page_costs_a_fixed_number_of_queries(browser, alice, django_assert_num_queries):
    client = browser(alice)
    for number in range(5):
        make_token(alice, name=f"token {number}")
    with django_assert_num_queries(4):  # session, user, tokens, accounts
        client.get("/desk/settings/")


def test_the_demo_users_keep_their_printed_passwords(browser, alice, settings):
    settings.TRADEOPS_DEMO = True
    alice.is_demo = True
    alice.save()
    assert browser(alice).get("/desk/settings/password/").status_code == 403


# API tokens ---------------------------------------------------------------------------


def test_a_new_token_is_shown_once_and_works(browser, alice):
    client = browser(alice)
    answer = client.post("/desk/settings/tokens/", {"name": "robot", "scope": "trade", "lifetime_days": "30"})
    raw = re.search(r"tops_[\w-]{40,}", answer.content.decode()).group()
    user, token = authenticate_token(raw)
    assert (user, token.name, token.scope) == (alice, "robot", "trade")
    assert token.expires_at is not None
    assert "no-store" in answer["Cache-Control"]
    assert raw not in client.get("/desk/settings/").content.decode()


def test_sending_the_form_again_makes_no_second_token(browser, alice):
    client = browser(alice)
    form = {"name": "robot", "scope": "read", "lifetime_days": "never"}
    client.post("/desk/settings/tokens/", form)
    answer = client.post("/desk/settings/tokens/", form)
    assert answer.status_code == 422
    assert b"already have a live token named robot" in answer.content
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("role", "scope"), [(Role.TRADER, "admin"), (Role.AUDITOR, "trade"), (Role.TRADER, "everything")]
)
def test_nobody_gives_a_program_more_than_they_have(browser, alice, role, scope):
    alice.role = role
    alice.save()
    answer = browser(alice).post("/desk/settings/tokens/", {"name": "x", "scope": scope, "lifetime_days": "30"})
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("field", ["name", "scope", "lifetime_days"])
def test_a_token_form_with_a_hole_names_the_field(browser, alice, field):
    form = {"name": "robot", "scope": "read", "lifetime_days": "30", field: ""}
    answer = browser(alice).post("/desk/settings/tokens/", form)
    assert answer.status_code == 422
    assert f'id="id_{field}_error"'.encode() in answer.content


def test_a_revoked_token_is_refused_from_then_on(browser, alice):
    token, raw = make_token(alice, name="robot")
    browser(alice).post(f"/desk/settings/tokens/{token.pk}/revoke/")
    assert authenticate_token(raw) is None


def test_another_users_token_is_not_there(browser, alice, bob):
    token, raw = make_token(bob, name="robot")
    assert browser(alice).post(f"/desk/settings/tokens/{token.pk}/revoke/").status_code == 404
    assert authenticate_token(raw) is not None
