"""What the tests of the book share: the seed's body, moments, and requests as programs send them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import make_account
from trades.models import Account

START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)
SEED_BODY = {"ticker": "AAPL", "quantity": 100, "price": 150.25, "trade_type": "BUY"}
HUGE = "9" * 30


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


@pytest.fixture
def account(alice) -> Account:
    return make_account(alice)


def post(client, body, **headers):
    return client.post("/trades/", json.dumps(body), content_type="application/json", headers=headers or None)


def send(client, method, address, body=None, **headers):
    content = {} if body is None or method == "get" else {"data": json.dumps(body), "content_type": "application/json"}
    return getattr(client, method)(address, headers=headers or None, **content)


def problems(response) -> dict:
    assert response["Content-Type"] == "application/problem+json", response.content
    return {error["field"]: error["code"] for error in response.json()["errors"]}
