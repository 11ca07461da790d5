"""Statements held against the book: as JSON and CSV, as of their time, kept as they were found."""

import json
from datetime import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.factories import act, book, make_account
from tests.trades.conftest import HUGE, problems, send
from trades.models import Account, Reconciliation
from trades.services import void_version

from .conftest import february, january

AT = "2025-01-31T23:00:00Z"


@pytest.fixture
def kept(account) -> Account:
    """End of January: 500 - 10 x 20 - 1 + 2 x 30 = 359 of cash and a dividend of 8 to come; 8 AAPL, 5 MSFT short."""
    act(account, "deposit", amount=500, effective_at=january(2))
    book(account, "BUY", "10", "20", fees="1", executed_at=january(3))
    book(account, "SELL", "2", "30", executed_at=january(6))
    book(account, "SELL", "5", "0.000000000001", ticker="MSFT", executed_at=january(7))
    act(account, "dividend", ticker="AAPL", amount_per_unit=1, effective_at=january(30), pay_at=february(7))
    book(account, "BUY", "100", "1", executed_at=february(3))
    return account


CASH = "359.000000000005"
AGREEING = [{"ticker": "AAPL", "quantity": "8"}, {"ticker": "MSFT", "quantity": -5}]


def reconciled(client, kept, **body):
    return send(client, "post", "/reconciliations/", {"account": kept.pk, "at": AT, **body})


def upload(client, account, text: str, **form):
    content = {"account": account.pk, "at": AT, "file": SimpleUploadedFile("statement.csv", text.encode()), **form}
    return client.post("/reconciliations/", content, format="multipart")


def test_a_statement_that_agrees_is_kept_without_a_break(api, alice, kept):
    answer = reconciled(api(alice), kept, cash=CASH, positions=AGREEING, note="month end")
    assert answer.status_code == 201
    body = answer.json()
    assert body == {
        "id": body["id"], "account": kept.pk, "at": AT, "known_entry": 6, "breaks": [], "note": "month end",
        "statement": {"cash": CASH, "positions": {"AAPL": "8", "MSFT": "-5"}}, "actor": "alice",
        "created_at": body["created_at"],
    }  # fmt: skip
    assert api(alice).get(f"/reconciliations/{body['id']}").json() == body
    assert api(alice).get("/reconciliations/").json()["results"] == [body]


def test_each_break_is_named(api, alice, kept):
    stated = [{"ticker": "AAPL", "quantity": "7.5"}, {"ticker": "TSLA", "quantity": "1"}]
    breaks = reconciled(api(alice), kept, cash="359", positions=stated).json()["breaks"]
    named = ("kind", "ticker", "stated", "booked", "difference")
    assert [tuple(one[name] for name in named) for one in breaks] == [
        ("cash", None, "359", CASH, "-0.000000000005"),
        ("quantity", "AAPL", "7.5", "8", "-0.5"),
        ("missing_in_statement", "MSFT", "0", "-5", "5"),
        ("missing_in_book", "TSLA", "1", "0", "1"),
    ]


def test_what_was_found_stays_as_it_was_found(api, alice, kept):
    made = reconciled(api(alice), kept, positions=AGREEING).json()
    void_version(kept.trades.first(), actor=alice)
    assert api(alice).get(f"/reconciliations/{made['id']}").json() == made


def test_a_day_stands_for_its_end_as_the_account_ends_it(api, alice):
    account = make_account(alice, time_zone="America/New_York", day_cutoff=time(17))
    book(account, "BUY", "1", "1", executed_at=january(31, 21))  # 16:00 in New York: still the 30th
    book(account, "BUY", "2", "1", executed_at=january(31, 23))
    for day, held in (("2025-01-30", "1"), ("2025-01-31", "3")):
        answer = reconciled(api(alice), account, at=day, positions=[{"ticker": "AAPL", "quantity": held}])
        assert answer.json()["breaks"] == [], answer.json()
    assert answer.json()["at"] == "2025-02-01T21:59:59.999999Z"


def test_cash_alone_or_positions_alone_are_compared_alone(api, alice, kept):
    assert reconciled(api(alice), kept, cash=CASH).json()["breaks"] == []
    assert reconciled(api(alice), kept, positions=AGREEING).json()["breaks"] == []
    assert len(reconciled(api(alice), kept, positions=[]).json()["breaks"]) == 2


# CSV ---------------------------------------------------------------------------------------------


def test_a_csv_file_states_the_same(api, alice, kept):
    answer = upload(api(alice), kept, f"Symbol,Price,Quantity\nAAPL,30,8\r\nCASH,,{CASH}\n\nMSFT,1,-5\n", note="n")
    assert (answer.status_code, answer.json()["breaks"], answer.json()["note"]) == (201, [], "n")
    assert answer.json()["statement"]["cash"] == CASH
    answer = upload(api(alice), kept, "ticker,quantity\nAAPL,8\nMSFT,-5\n", cash=CASH)
    assert answer.json()["breaks"] == []
    address = f"/reconciliations/?account={kept.pk}&at={AT}&cash={CASH}"
    answer = api(alice).post(address, "ticker,quantity\nAAPL,8\nMSFT,-5\n", content_type="text/csv")
    assert (answer.status_code, answer.json()["breaks"]) == (201, [])


BAD_FILES = {
    "": [(1, "missing_column")],
    "ticker,price\nAAPL,1\n": [(1, "missing_column")],
    "ticker,symbol,quantity\nA,A,1\n": [(1, "duplicate_column")],
    "ticker,quantity\nAAPL,8\nAAPL,8\n": [(3, "duplicate")],
    "ticker,quantity\nCASH,8\nCASH,8\n": [(3, "duplicate")],
    "ticker,quantity\naapl,1e999\nAAPL,8\nMSFT,many\n": [(2, "ticker"), (2, "invalid"), (4, "invalid")],
    "ticker,quantity\nAAPL\n": [(2, "ragged")],
    'ticker,quantity\n"AAPL,8\n': [(2, "malformed")],
    "ticker,quantity\nAAPL,\x00\n": [(2, "nul")],
    "ticker,quantity\nAAPL,１\n": [(2, "invalid")],
    "ticker,quantity\nAAPL," + "9" * 80 + "\n": [(2, "max_digits")],
}


@pytest.mark.parametrize("text", BAD_FILES, ids=range(len(BAD_FILES)))
def test_a_bad_file_keeps_nothing_and_names_the_rows(api, alice, kept, text):
    answer = upload(api(alice), kept, text)
    assert answer.status_code in (400, 422), answer.content
    if answer.status_code == 422:
        found = [(one["row"], one["code"]) for one in answer.json()["errors"]]
        assert len(found) == len(BAD_FILES[text])
        assert [row for row, _ in found] == [row for row, _ in BAD_FILES[text]]
    assert not Reconciliation.objects.exists()


def test_cash_is_given_once(api, alice, kept):
    assert problems(upload(api(alice), kept, "ticker,quantity\nCASH,1\n", cash="1")) == {"cash": "duplicate"}


def test_a_file_beyond_what_a_statement_can_be_is_refused(api, alice, kept):
    rows = "".join(f"T{number},1\n" for number in range(10_001))
    answer = upload(api(alice), kept, "ticker,quantity\n" + rows)
    assert [(one["row"], one["code"]) for one in answer.json()["errors"]] == [(10_002, "too_many_rows")]
    assert upload(api(alice), kept, "ticker,quantity\n" + "x" * 5_000_000).status_code == 413


# What is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "positions"), ({"cash": None}, "positions"), ({"cash": "x"}, "cash"), ({"cash": HUGE * 3}, "cash"),
        ({"cash": 1, "at": "2999-01-01T00:00:00Z"}, "at"), ({"cash": 1, "at": "1800-01-01T00:00:00Z"}, "at"),
        ({"cash": 1, "at": "2025-01-31T23:00:00"}, "at"), ({"cash": 1, "at": "9999-12-31"}, "at"),
        ({"cash": 1, "at": 7}, "at"), ({"cash": 1, "account": 10**6}, "account"),
        ({"cash": 1, "account": HUGE}, "account"),
        ({"positions": {}}, "positions"), ({"positions": [1]}, "positions"), ({"positions": ["AAPL"]}, "positions"),
        ({"positions": [None]}, "positions"),
        ({"positions": [{"ticker": "aapl", "quantity": 1}]}, "positions"),
        ({"positions": [{"ticker": "AAPL"}]}, "positions"),
        ({"positions": [{"ticker": "AAPL", "quantity": 1, "price": 1}]}, "positions"),
        ({"positions": [{"ticker": "AAPL", "quantity": 1}] * 2}, "positions"),
        ({"cash": 1, "note": "x" * 501}, "note"), ({"cash": 1, "kind": "x"}, "kind"),
    ],
)  # fmt: skip
def test_bad_input_is_named(api, alice, kept, body, field):
    answer = reconciled(api(alice), kept, **body)
    assert answer.status_code == 400, answer.content
    assert {name.partition(".")[0] for name in problems(answer)} == {field}
    assert not Reconciliation.objects.exists()


@pytest.mark.parametrize("query", ["account=x", "page_size=0", "cursor=x", "state=waiting"])
def test_what_a_list_does_not_know_is_refused_by_name(api, alice, query):
    assert set(problems(api(alice).get(f"/reconciliations/?{query}"))) == {query.partition("=")[0]}


def test_who_may_reconcile_and_see_it(api, alice, bob, carol, dave, kept):
    made = reconciled(api(alice), kept, cash=1).json()
    assert reconciled(api(carol), kept, cash=1).status_code == 201
    assert reconciled(api(dave), kept, cash=1).status_code == 403
    assert problems(reconciled(api(bob), kept, cash=1)) == {"account": "does_not_exist"}
    assert api(bob).get("/reconciliations/").json()["results"] == []
    assert api(bob).get(f"/reconciliations/{made['id']}").status_code == 404
    assert len(api(dave).get(f"/reconciliations/?account={kept.pk}").json()["results"]) == 2


def test_left_out_the_account_is_the_first_and_the_time_is_now(api, alice, kept):
    answer = api(alice).post("/reconciliations/", json.dumps({"cash": 1}), content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["account"] == kept.pk
    assert answer.json()["breaks"][0]["booked"] == "267.000000000005"  # 359 - 100 + the dividend of 8
