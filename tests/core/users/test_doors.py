"""Who gets in: tokens, scopes, demo mode, roles."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tests.factories import PASSWORD, bearer, make_user
from tradeops.core.users.demo import DEMO_TRADER, load_demo
from tradeops.core.users.models import ApiToken, Role
from tradeops.core.users.tokens import authenticate_token, make_token, revoke_token

ADDRESS = "/trades/"


def test_a_token_is_kept_hashed_and_signs_in(alice):
    token, raw = make_token(alice, name="bot", scope="trade")
    assert raw not in str(ApiToken.objects.filter(pk=token.pk).values().get())
    assert authenticate_token(raw) == (alice, token)


@pytest.mark.parametrize("raw", ["", "tops_", "x" * 10_000, "\ud800", "tops_\x00"])
def test_a_wrong_token_signs_nobody_in(db, raw):
    assert authenticate_token(raw) is None


def test_a_revoked_or_expired_token_signs_nobody_in(alice):
    token, raw = make_token(alice, name="bot")
    revoke_token(token, alice)
    assert authenticate_token(raw) is None
    _, old = make_token(alice, name="old", expires_at=timezone.now() - timedelta(seconds=1))
    assert authenticate_token(old) is None


def test_an_inactive_users_token_signs_nobody_in(alice):
    _, raw = make_token(alice, name="bot")
    alice.is_active = False
    alice.save()
    assert authenticate_token(raw) is None


def test_a_demo_users_token_signs_in_in_demo_mode_alone(db, settings):
    _, raw = make_token(load_demo(), name="bot")
    assert authenticate_token(raw) is None
    settings.TRADEOPS_DEMO = True
    assert authenticate_token(raw)[0].username == DEMO_TRADER[0]


def test_without_credentials_the_api_answers_401_as_a_problem(client, db):
    answer = client.get(ADDRESS)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["status"] == 401
    assert answer["X-Request-ID"] == answer.json()["request_id"]


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer x y", "Token abc"])
def test_a_malformed_authorization_is_401(client, db, header):
    assert client.get(ADDRESS, headers={"Authorization": header}).status_code == 401


def test_a_read_token_reads_and_does_not_write(api, alice):
    reader = api(alice, "read")
    assert reader.get(ADDRESS).status_code == 200
    assert reader.post(ADDRESS, {}, format="json").status_code == 403


def test_a_session_needs_its_csrf_token_to_write(alice):
    browser = Client(enforce_csrf_checks=True)
    assert browser.login(username="alice", password=PASSWORD)
    answer = browser.post(ADDRESS, {}, content_type="application/json")
    assert answer.status_code == 403


# Demo mode


def test_in_demo_mode_this_machine_acts_as_the_demo_trader(client, db, settings):
    settings.TRADEOPS_DEMO = True
    load_demo()
    assert client.get(ADDRESS).status_code == 200
    answer = Client(enforce_csrf_checks=True).post(ADDRESS, {}, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver:1234"},
        {"Authorization": "Bearer wrong"},
        {"X-Forwarded-For": "192.0.2.7"},  # through a proxy or a tunnel on this machine
        {"Forwarded": "for=192.0.2.7"},
    ],
)
def test_in_demo_mode_another_sites_request_is_nobodys(client, db, settings, headers):
    settings.TRADEOPS_DEMO = True
    load_demo()
    assert client.get(ADDRESS, headers=headers).status_code == 401


def test_in_demo_mode_another_machine_is_nobody(client, db, settings):
    settings.TRADEOPS_DEMO = True
    load_demo()
    assert client.get(ADDRESS, REMOTE_ADDR="192.0.2.7").status_code == 401


def test_without_demo_mode_nobody_acts_as_the_demo_trader_or_signs_in_as_one(client, db):
    load_demo()
    assert client.get(ADDRESS).status_code == 401
    assert not client.login(username=DEMO_TRADER[0], password=DEMO_TRADER[1])


# Roles


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.TRADER, 302), (Role.BACK_OFFICE, 200), (Role.AUDITOR, 200), (Role.ADMINISTRATOR, 200)],
)
def test_the_back_office_is_for_those_who_work_there(client, db, role, status):
    make_user("eve", role)
    client.login(username="eve", password=PASSWORD)
    assert client.get("/admin/").status_code == status


@pytest.mark.parametrize("role", [Role.BACK_OFFICE, Role.AUDITOR])
def test_users_and_schedules_are_the_administrators(db, role):
    user = make_user("eve", role)
    assert not user.has_perm("users.change_user")
    assert not user.has_perm("django_celery_beat.change_periodictask")


def test_an_auditor_changes_nothing(dave):
    assert dave.has_perm("jobs.view_job")
    assert not dave.has_perm("jobs.change_job")
    assert not dave.may_book


# What every request passes


@pytest.mark.parametrize("path", ["/health", "/health/", "/trades", "/trades/", "/docs/", "/schema/"])
def test_an_address_answers_with_or_without_its_slash(api, alice, path):
    assert api(alice).get(path).status_code == 200


def test_post_works_on_both_spellings(api, alice):
    assert api(alice).post("/trades", {}, format="json").status_code == 400


def test_an_encoded_body_is_415(api, alice):
    answer = api(alice).post(ADDRESS, b"x", content_type="application/json", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_a_body_over_the_bound_is_413(api, alice, settings):
    body = b'"' + b"x" * settings.JSON_MAX_BYTES + b'"'
    answer = api(alice).post(ADDRESS, body, content_type="application/json")
    assert answer.status_code == 413


def test_a_callers_request_id_comes_back_when_it_is_safe(client, db):
    assert client.get("/health", headers={"X-Request-ID": "deploy-12345"})["X-Request-ID"] == "deploy-12345"
    assert "\n" not in client.get("/health", headers={"X-Request-ID": "a<script>"})["X-Request-ID"]


def test_an_unknown_address_is_a_problem_for_a_program_and_a_page_for_a_browser(client, db):
    assert client.get("/nothing/here")["Content-Type"] == "application/problem+json"
    page = client.get("/nothing/here", headers={"Accept": "text/html"})
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_every_answer_has_a_strict_content_security_policy(client, db):
    policy = client.get("/desk/sign-in/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_another_users_token_header_is_not_the_session(api, alice, bob):
    answer = api(alice).get("/accounts/")
    other = api().get("/accounts/", headers=bearer(bob))
    assert answer.status_code == other.status_code == 200
    assert {row["id"] for row in answer.json()["results"]}.isdisjoint({row["id"] for row in other.json()["results"]})
