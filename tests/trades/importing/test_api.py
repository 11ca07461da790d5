"""POST /trades/import and the imports listed: whole or not at all, safe to repeat, one's own."""

import json
import pathlib
import subprocess
import sys

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.factories import book, make_account
from trades.importing import services as imports
from trades.models import ImportBatch, LedgerEntry, Trade

HEAD = "ticker,trade_type,quantity,price,executed_at\n"
ROWS = "AAPL,BUY,100,10.5,2025-01-15T14:30:00Z\nAAPL,SELL,40,12,2025-01-16T14:30:00Z\n"


def send(client, text: str = HEAD + ROWS, query: str = "", **headers):
    return client.post(f"/trades/import{query}", text.encode(), content_type="text/csv", headers=headers)


def upload(client, text: str = HEAD + ROWS, **fields):
    file = SimpleUploadedFile("broker.csv", text.encode(), "text/csv")
    return client.post("/trades/import", {"file": file, **fields}, format="multipart")


def errors(response) -> list[tuple]:
    assert response["Content-Type"] == "application/problem+json"
    return [(error.get("row"), error["field"], error["code"]) for error in response.json()["errors"]]


def test_a_file_is_booked_and_told(api, alice):
    answer = send(api(alice)).json()
    batch = ImportBatch.objects.get()
    assert answer == {
        "imported": 2, "duplicates": 0, "rows": 2, "account": alice.accounts.get().pk, "id": batch.pk, "entry": 1,
        "ignored_columns": [], "left_out": 0,
    }  # fmt: skip
    assert [row["realized_pnl"] for row in api(alice).get("/trades/").json()["results"]] == ["60", "0"]


def test_a_form_brings_the_file_and_what_is_said_of_it(api, alice):
    text = "Underlying;Action;Qty;Price;Date;Desk\nAAPL;Bought;1.000;1,5;15/01/2025 09:30;x\n"
    response = upload(
        api(alice), text, columns=json.dumps({"Underlying": "ticker", "Desk": None}), timezone="America/New_York",
        date_format="%d/%m/%Y %H:%M", number_format="european", reason="first file",
    )  # fmt: skip
    assert (response.status_code, response.json()["ignored_columns"]) == (200, ["Desk"])
    trade = Trade.objects.get()
    assert (trade.quantity, str(trade.executed_at)) == (1000, "2025-01-15 14:30:00+00:00")
    assert (ImportBatch.objects.get().file_name, LedgerEntry.objects.get().reason) == ("broker.csv", "first file")


def test_the_same_file_again_brings_nothing(api, alice):
    client = api(alice)
    send(client)
    again = send(client).json()
    assert (again["imported"], again["duplicates"], again["entry"]) == (0, 2, None)
    twice = send(client, query="?duplicates=import").json()
    assert (twice["imported"], twice["duplicates"]) == (2, 0)


def test_a_client_trade_id_that_a_file_brought_is_a_repeat_with_the_same_values_and_refused_with_others(api, alice):
    client = api(alice)
    send(
        client,
        "ticker,trade_type,quantity,price,executed_at,client_trade_id\nAAPL,BUY,100,10.5,2025-01-15T14:30:00Z,c-1\n",
    )
    body = {"ticker": "AAPL", "trade_type": "BUY", "quantity": "100", "price": "10.50", "client_trade_id": "c-1"}
    same = client.post("/trades/", body | {"executed_at": "2025-01-15T14:30:00Z"}, format="json")
    assert same.status_code == 201, same.content
    assert (same["Idempotent-Replayed"], same.json()["id"]) == ("true", Trade.objects.get().pk)
    for other in (body, body | {"executed_at": "2025-01-15T14:30:00Z", "price": "11"}):
        answer = client.post("/trades/", other, format="json")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Trade.objects.count() == 1


def test_rows_that_are_no_trades_can_be_left_out_and_are_counted(api, alice):
    client, head = api(alice), "Symbol,Action,Quantity,Price,Date\n"
    rows = ["AAPL,Buy,1,10,2025-01-15T14:30:00Z", "AAPL,Qualified Dividend,,,2025-01-15", ",MoneyLink Transfer,,,x"]
    text = head + "\n".join([*rows, rows[1], ",,,,Total", "AAPL,Sell,1,11,2025-01-16T14:30:00Z\n"])
    assert send(client, text).status_code == 422
    ahead = send(client, text, "?rows=trades&dry_run=true").json()
    assert (ahead["imported"], ahead["duplicates"], ahead["left_out"], ahead["rows"]) == (2, 0, 4, 6)
    assert ahead["left_out_rows"] == [
        {"words": "Qualified Dividend", "rows": 2}, {"words": "MoneyLink Transfer", "rows": 1},
        {"words": "nothing", "rows": 1},
    ]  # fmt: skip
    assert send(client, text, "?rows=trades").json()["left_out"] == 4
    assert client.get("/trades/imports").json()["results"][0]["left_out"] == 4
    both = "ticker,trade_type,type,quantity,price,executed_at\nAAPL,BUY,Shares of stock,1,1,2025-01-15T14:30:00Z\n"
    answer = send(client, both, "?rows=trades")  # it says that it is a purchase: a slip is not left out in silence
    assert (answer.status_code, errors(answer)) == (422, [(2, "type", "invalid_choice")])


NAMED = "ticker,trade_type,quantity,price,executed_at,fees,client_trade_id,note\n"


def test_a_row_that_says_otherwise_than_the_trade_of_its_id_is_refused(api, alice):
    client = api(alice)
    first = "AAPL,BUY,100,10.5,2025-01-15T14:30:00Z,1,c-1,x\n"
    send(client, NAMED + first)
    trade = Trade.objects.get()
    other = NAMED + "MSFT,BUY,1,1,2025-01-15T14:30:00Z,0,c-2,\n" + first.replace("10.5", "11").replace(",x", ",y")
    for query in ("", "?dry_run=true", "?duplicates=import"):
        answer = send(client, other, query)
        assert (answer.status_code, errors(answer)) == (422, [(3, "client_trade_id", "idempotency_key_reused")])
        words = f"Trade {trade.trade_id} bears it and says otherwise: price '10.5', note 'x'."
        assert answer.json()["errors"][0]["message"] == words
    client.patch(f"/trades/{trade.trade_id}", {"price": "11"}, format="json")
    for said in (first, first.replace("10.5", "11")):  # as it was first, and as it is now
        assert send(client, NAMED + said).json()["duplicates"] == 1
    without = "ticker,trade_type,quantity,price,executed_at,client_trade_id\nAAPL,BUY,100,11,2025-01-15T14:30:00Z,c-1\n"
    assert send(client, without).json()["duplicates"] == 1  # it says nothing of fees and notes
    assert Trade.objects.current().count() == 1


def test_a_row_does_not_take_the_key_of_another_act(api, alice):
    client = api(alice)
    deposit = {"kind": "deposit", "amount": "5"}
    client.post("/activities/", deposit, format="json", headers={"Idempotency-Key": "c-1"})
    answer = send(client, NAMED + "AAPL,BUY,100,10.5,2025-01-15T14:30:00Z,1,c-1,x\n")
    assert (answer.status_code, errors(answer)) == (422, [(2, "client_trade_id", "idempotency_key_reused")])


def test_a_dry_run_tells_and_does_nothing(api, alice):
    account = make_account(alice)
    book(account, quantity="100", price="10.5", executed_at=None)
    client = api(alice)
    send(client, HEAD + ROWS.splitlines()[0])
    known = Trade.objects.latest("pk").pk
    answer = send(client, query="?dry_run=true").json()
    assert (answer["dry_run"], answer["imported"], answer["duplicates"]) == (True, 1, 1)
    assert answer["duplicate_rows"] == [{"row": 2, "trade": known, "activity": None}]
    assert (answer["position_count"], answer["positions"][0]["quantity"]) == (1, "160")
    assert answer["positions"][0]["quantity_before"] == "200"
    assert (Trade.objects.count(), ImportBatch.objects.count()) == (2, 1)


def test_one_bad_row_imports_nothing_and_says_where(api, alice):
    response = send(
        api(alice), HEAD + ROWS + "AAPL,HOLD,1,1,2025-01-16T14:30:00Z\nAAPL,BUY,x,-1,2025-01-16T14:30:00Z\n"
    )
    assert response.status_code == 422
    assert errors(response) == [
        (4, "trade_type", "invalid_choice"),
        (5, "quantity", "invalid"),
        (5, "price", "min_value"),
    ]
    body = response.json()
    assert (body["code"], body["error_count"], body["bad_rows"]) == ("import_refused", 3, 2)
    assert body["errors"][1] == {
        "field": "quantity", "code": "invalid", "message": "A valid number is required.", "row": 5,
        "column": "quantity", "value": "x",
    }  # fmt: skip
    assert (Trade.objects.count(), ImportBatch.objects.count(), LedgerEntry.objects.count()) == (0, 0, 0)


def test_a_short_is_refused_by_its_row(api, alice):
    account = make_account(alice, allows_short=False)
    text = HEAD + ROWS + "AAPL,SELL,100,12,2025-01-17T14:30:00Z\nMSFT,BUY,1,1,2025-01-17T14:30:00Z\n"
    for query in ("", "&dry_run=true"):
        response = send(api(alice), text, f"?account={account.pk}{query}")
        assert (response.status_code, errors(response)) == (422, [(4, "ticker", "short_not_allowed")])
    assert Trade.objects.count() == 0


def test_rows_of_a_closed_day_are_refused(api, alice):
    account = make_account(alice)
    account.closed_through = "2025-01-15"
    account.save()
    for query in ("", "?dry_run=true"):
        assert errors(send(api(alice), query=query)) == [(2, "executed_at", "period_closed")]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?timezone=Mars/Olympus", "timezone"),
        ("?date_format=%25Q", "date_format"),
        ("?columns=x", "columns"),
        ("?columns=[1]", "columns"),
        ('?columns={"a":"sideways"}', "columns"),
        ("?number_format=roman", "number_format"),
        ("?fees_sign=up", "fees_sign"),
        ("?duplicates=maybe", "duplicates"),
        ("?rows=some", "rows"),
        ("?dry_run=perhaps", "dry_run"),
        ("?account=0", "account"),
        ("?account=999999", "account"),
        ("?colums={}", "colums"),
        ("?account=1&account=2", "account"),
    ],
)
def test_what_cannot_be_said_of_a_file_is_refused_by_name(api, alice, query, field):
    response = send(api(alice), query=query)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)


def test_a_request_without_one_file_is_refused(api, alice):
    client = api(alice)
    assert send(client, "").json()["errors"][0]["field"] == "file"
    assert client.post("/trades/import", {}, format="multipart").json()["errors"][0]["field"] == "file"
    files = [SimpleUploadedFile("a.csv", b"x"), SimpleUploadedFile("b.csv", b"x")]
    assert client.post("/trades/import", {"file": files}, format="multipart").status_code == 400
    assert client.post("/trades/import", {"a": files[0]}, format="multipart").json()["errors"][0]["field"] == "a"
    assert client.post("/trades/import", {"a": 1}, format="json").status_code == 415


@pytest.mark.parametrize(
    "text", ["\n", "a,b\n1,2\n", '"', HEAD, "\0", "\ufeff", HEAD + '"', "a" * 70_000, HEAD + "\x1f\x8b" * 100]
)
def test_what_is_no_file_of_trades_is_refused(api, alice, text):
    assert send(api(alice), text).status_code == 422


# Keys ---------------------------------------------------------------------------------------------


def test_a_repeat_with_the_key_is_answered_as_the_first_was(api, alice):
    client = api(alice)
    first = send(client, **{"Idempotency-Key": "file-1"})
    again = send(client, **{"Idempotency-Key": "file-1"})
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (again["Idempotent-Replayed"], Trade.objects.count()) == ("true", 2)


def test_a_key_used_with_another_file_is_refused(api, alice):
    client = api(alice)
    send(client, **{"Idempotency-Key": "file-1"})
    for text, query in ((HEAD + ROWS.replace("100", "101"), ""), (HEAD + ROWS, "?duplicates=import")):
        response = send(client, text, query, **{"Idempotency-Key": "file-1"})
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_a_refused_file_does_not_use_its_key_up(api, alice):
    client = api(alice)
    assert send(client, HEAD + "x", **{"Idempotency-Key": "file-1"}).status_code == 422
    assert send(client, **{"Idempotency-Key": "file-1"}).json()["imported"] == 2


# Undoing, and whose it is ---------------------------------------------------------------------------


def test_an_import_is_undone_once(api, alice):
    client = api(alice)
    batch = send(client).json()["id"]
    undone = client.post(f"/trades/imports/{batch}/undo", {"reason": "wrong file"}, format="json")
    assert (undone.status_code, undone.json()["state"], undone.json()["undone_by"]) == (200, "undone", 2)
    assert client.get("/trades/").json()["results"] == []
    again = client.post(f"/trades/imports/{batch}/undo", {}, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "undone")


def test_an_undoing_with_a_key_is_answered_alike(api, alice):
    client = api(alice)
    batch = send(client).json()["id"]
    address, headers = f"/trades/imports/{batch}/undo", {"Idempotency-Key": "undo-1"}
    first, again = (client.post(address, {}, format="json", headers=headers) for _ in range(2))
    assert (again.status_code, again.content) == (200, first.content)
    assert again["Idempotent-Replayed"] == "true"


def test_an_undoing_that_makes_a_short_is_refused(api, alice):
    account = make_account(alice, allows_short=False)
    client = api(alice)
    batch = send(client, HEAD + ROWS.splitlines()[0], f"?account={account.pk}").json()["id"]
    sale = book(account, "SELL", quantity="50", price="12")
    response = client.post(f"/trades/imports/{batch}/undo", {}, format="json")
    assert (response.status_code, response.json()["trades"]) == (409, [sale.trade_id])
    assert client.get(f"/trades/imports/{batch}").json()["state"] == "imported"


def test_an_undoing_in_a_closed_period_is_refused(api, alice):
    client = api(alice)
    answer = send(client).json()
    account = alice.accounts.get()
    account.closed_through = "2025-01-15"
    account.save()
    response = client.post(f"/trades/imports/{answer['id']}/undo", {}, format="json")
    assert (response.status_code, response.json()["code"]) == (409, "period_closed")


def test_imports_are_listed_to_those_who_see_the_account(api, alice, bob, dave, carol):
    batch = send(api(alice)).json()["id"]
    assert [row["id"] for row in api(alice).get("/trades/imports/").json()["results"]] == [batch]
    assert api(alice).get(f"/trades/imports/{batch}").json()["file_sha256"].isalnum()
    assert [row["id"] for row in api(dave).get("/trades/imports/?state=imported").json()["results"]] == [batch]
    assert api(bob).get("/trades/imports/").json()["results"] == []
    assert api(bob).get(f"/trades/imports/{batch}").status_code == 404
    assert api(bob).post(f"/trades/imports/{batch}/undo", {}, format="json").status_code == 404
    assert api(dave).post(f"/trades/imports/{batch}/undo", {}, format="json").status_code == 403
    assert api(carol).post(f"/trades/imports/{batch}/undo", {}, format="json").status_code == 200


def test_nobody_else_imports_into_an_account(api, alice, bob, dave):
    account = make_account(alice)
    assert send(api(bob), query=f"?account={account.pk}").status_code == 400
    assert send(api(dave), query=f"?account={account.pk}").status_code == 403
    assert send(api()).status_code == 401
    assert send(api(alice, scope="read")).status_code == 403


def test_a_file_of_any_size_costs_the_same_number_of_queries(api, alice, django_assert_max_num_queries):
    client = api(alice)
    rows = "".join(f"AAPL,BUY,{place},10.5,2025-01-15T14:30:00Z\n" for place in range(1, 1200))
    with django_assert_max_num_queries(45):
        assert send(client, HEAD + rows).json()["imported"] == 1199


def test_pyarrow_is_loaded_by_who_reads_a_file_alone():
    program = "import sys, tradeops.asgi, tradeops.urls; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_body_of_csv_is_kept_on_disk_while_it_is_read(api, alice, monkeypatch):
    files, whole = [], imports.import_file

    def watched(batch, file, **more):
        files.append(file)
        return whole(batch, file, **more)

    monkeypatch.setattr(imports, "import_file", watched)
    send(api(alice))
    assert [pathlib.Path(file.name).is_absolute() for file in files] == [True]
