"""Rate limits: counted by token, told in headers, off in the demo, and never in a trade's way."""

import pytest
from django.core.cache import cache

from tests.factories import PASSWORD
from tradeops.core.users import limits


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(limits, "REQUESTS_A_WINDOW", 3)
    monkeypatch.setattr(limits, "FAILURES_OF_A_NAME_FROM_AN_ADDRESS", 3)


@pytest.fixture(autouse=True)
def a_still_clock(monkeypatch):
    monkeypatch.setattr(limits.time, "time", lambda: 1_800_000_010.0)


def test_over_the_limit_is_429_with_retry_after(api, alice, bob, small_limits):
    client = api(alice)
    answers = [client.get("/trades/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[-1]["Content-Type"] == "application/problem+json"
    assert answers[-1]["Retry-After"] == str(limits.WINDOW_SECONDS - 1_800_000_010 % 60)
    assert api(bob).get("/trades/").status_code == 200


def test_the_demo_is_not_limited(client, db, settings, small_limits):
    settings.TRADEOPS_DEMO = True
    assert limits.count("anyone", 0) is None


def test_a_cache_that_is_away_refuses_nobody(api, alice, small_limits, monkeypatch):
    def away(*_, **__):
        raise ConnectionError("away")

    monkeypatch.setattr(cache, "incr", away)
    client = api(alice)
    assert [client.get("/trades/").status_code for _ in range(5)] == [200] * 5


def test_guessing_passwords_is_slowed_and_the_owner_elsewhere_is_not(client, alice, small_limits):
    def sign_in(password, address):
        return client.post(
            "/desk/sign-in/", {"username": "alice", "password": password}, REMOTE_ADDR=address
        ).status_code

    assert [sign_in("wrong", "192.0.2.1") for _ in range(4)] == [422, 422, 422, 429]
    assert sign_in(PASSWORD, "192.0.2.1") == 429
    assert sign_in(PASSWORD, "192.0.2.2") == 302
