"""The API in a browser: each address offers a form of what it takes, to whoever may send it."""

import re

import pytest

from tests.factories import book, make_account


@pytest.fixture
def fields(client, carol):
    """`fields(address)` are the names of the inputs offered there, by media type."""
    client.force_login(carol)

    def offered(address: str) -> dict[str, set[str]]:
        page = client.get(address, headers={"Accept": "text/html"}).content.decode()
        found = re.findall(r'data-api-fields="([^"]+)">(.*?)</fieldset>', page, re.DOTALL)
        return {media_type: set(re.findall(r'name="(\w+)"', inputs)) for media_type, inputs in found}

    return offered


def test_each_address_of_the_book_offers_its_fields(fields, alice):
    account = make_account(alice)
    trade = book(account)
    json = "application/json"
    assert fields("/trades/")[json] >= {"ticker", "quantity", "price", "trade_type", "account", "client_trade_id"}
    assert fields(f"/trades/{trade.trade_id}")[json] >= {"price", "reason", "adjustment"}
    assert fields("/activities/")[json] >= {"kind", "amount", "ratio", "effective_at"}
    assert fields("/accounts/")[json] >= {"name", "currency", "pnl_method"}
    assert fields(f"/accounts/{account.pk}/closes") == {json: {"day", "reason"}}
    assert fields("/trades/imports/1/undo") == {json: {"reason"}}
    assert fields("/approvals/1/reject") == {json: {"reason"}}
    imported = fields("/trades/import")["multipart/form-data"]
    assert imported >= {"file", "account", "columns", "timezone", "date_format", "duplicates", "dry_run"}
    held = fields("/reconciliations/")
    assert (held[json] >= {"positions", "cash"}, "file" in held["multipart/form-data"]) == (True, True)


def test_who_only_reads_is_offered_no_form(client, dave):
    client.force_login(dave)
    page = client.get("/trades/", headers={"Accept": "text/html"}).content.decode()
    assert "data-api-form" not in page
