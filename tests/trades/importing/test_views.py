"""The import pages: upload, look, map, import, undo; by whoever may book, and nobody else."""

import errno

import pytest
from botocore.exceptions import EndpointConnectionError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.factories import book, make_account
from tests.trades.conftest import at
from tradeops.core.jobs.runner import load_handlers, run_owed
from trades.models import ImportBatch, Trade

TEXT = "Symbol,Side,Shares held,Price,Date,Desk\nAAPL,Buy,100,10.5,01/15/2025 09:30:00,x\n"
TOLD = {
    "timezone": "America/New_York", "date_format": "%m/%d/%Y", "number_format": "plain", "fees_sign": "positive",
    "duplicates": "skip",
}  # fmt: skip


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "files")},
        }
    }
    load_handlers()


@pytest.fixture
def account(alice):
    return make_account(alice)


@pytest.fixture
def client(alice):
    return signed_in(alice)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def upload(client, account, text: str = TEXT, **more):
    file = SimpleUploadedFile("broker.csv", text.encode(), "text/csv")
    return client.post("/desk/trades/import/", {"file": file, "account": account.pk, **TOLD, **more})


def looked_at(client, account, text: str = TEXT, **more) -> str:
    """The address of an upload that was looked at."""
    address = upload(client, account, text, **more)["Location"]
    run_owed()
    return address


def columns(**chosen) -> dict:
    fields = ["ticker", "trade_type", "quantity", "price", "executed_at", ""]
    return {f"column_{place}": chosen.get(f"column_{place}", field) for place, field in enumerate(fields)}


@pytest.mark.parametrize(
    "fault", [EndpointConnectionError(endpoint_url="http://store.invalid"), OSError(errno.ENOSPC, "at store.invalid")]
)
def test_a_file_store_that_is_away_or_full_is_a_503_and_nothing_is_kept(client, account, monkeypatch, fault):
    def away(self, name, content):
        raise fault

    monkeypatch.setattr("django.core.files.storage.FileSystemStorage._save", away)
    refused = upload(client, account)
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert "store.invalid" not in refused.content.decode()
    assert not ImportBatch.objects.exists()


def test_a_file_is_uploaded_mapped_imported_and_undone(client, account):
    address = looked_at(client, account)
    page = client.get(address).content.decode()
    assert "There is no column for quantity." in page
    assert "Shares held" in page

    assert client.post(address + "check/", TOLD | columns()).status_code == 302
    run_owed()
    page = client.get(address).content.decode()
    assert "Import 1 row<" in page
    assert not Trade.objects.exists()

    assert client.post(address + "book/").status_code == 302
    assert "Importing" in client.get(address).content.decode()
    run_owed()
    page = client.get(address).content.decode()
    assert "What it did" in page
    assert Trade.objects.get().executed_at.isoformat() == "2025-01-15T14:30:00+00:00"

    answer = client.post(address + "undo/", {"reason": "wrong account"}, follow=True)
    assert "wrong account" in answer.content.decode()
    assert not Trade.objects.current().exists()


def test_who_is_owed_too_many_looks_is_told_to_wait_and_finds_the_form_as_it_was(client, account, settings):
    settings.JOBS_A_USER = 1
    reading = upload(client, account)["Location"]
    refused = upload(client, account)
    assert (refused.status_code, refused["Retry-After"], ImportBatch.objects.count()) == (429, "30", 1)
    assert "1 jobs of kind check_import are owed to you" in refused.content.decode()
    assert '<option value="America/New_York" selected>' in refused.content.decode()
    run_owed()
    assert client.get(reading).status_code == 200


def test_every_bad_row_is_shown_with_its_reason(client, account):
    text = TEXT.replace("Shares held", "Qty")
    address = looked_at(client, account, text + "<b>x</b>,Buy,0,1,01/15/2025 09:30:00,x\n")
    page = client.get(address).content.decode()
    assert "2 things to set right in 1 row" in page
    assert "It must be greater than 0." in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "Import 1 row" not in page


def test_rows_that_are_no_trades_are_left_out_when_it_is_said(client, account):
    text = TEXT.replace("Shares held", "Qty") + "AAPL,Div Adjustment,,,01/16/2025,x\n"
    address = looked_at(client, account, text)
    assert "Rows that are no trades can be left out" in client.get(address).content.decode()
    client.post(address + "check/", TOLD | columns() | {"rows": "trades"})
    run_owed()
    page = client.get(address).content.decode()
    assert "no trades: 1 Div Adjustment" in page
    client.post(address + "book/")
    run_owed()
    page = client.get(address).content.decode()
    assert "<dt>No trades</dt><dd>1, left out</dd>" in page
    assert "purchases and sales alone" in page


def test_duplicates_are_shown_with_the_trades_they_are(client, account):
    trade = book(account, quantity="100", price="10.5", executed_at=at(0))
    text = f"ticker,trade_type,quantity,price,executed_at\nAAPL,BUY,100,10.5,{trade.executed_at.isoformat()}\n"
    page = client.get(looked_at(client, account, text, date_format="")).content.decode()
    assert f"trade {trade.trade_id}</a>" in page
    assert "The book holds all of it." in page


@pytest.mark.parametrize(
    ("days", "is_open"),
    [
        (("01/02/2025", "02/03/2025"), True),
        (("2025-01-02", "2025-13-02"), False),
        (("2025-01-02", "2025-01-03"), False),
    ],
)
def test_how_times_are_written_is_asked_for_where_the_first_cannot_be_read(client, account, days, is_open):
    text = "ticker,side,quantity,price,date\n" + "".join(f"AAPL,Buy,1,10,{day}\n" for day in days)
    page = client.get(looked_at(client, account, text, date_format="")).content.decode()
    assert ("Of the times it cannot be told how they are written" in page) == is_open


def test_what_cannot_be_uploaded_is_refused_beside_its_field(client, account):
    assert upload(client, account, timezone="Mars").status_code == 422
    assert client.post("/desk/trades/import/", TOLD | {"account": account.pk}).status_code == 422
    assert not ImportBatch.objects.exists()


def test_two_columns_said_to_be_the_same_are_refused(client, account):
    address = looked_at(client, account)
    client.post(address + "check/", TOLD | columns(column_5="price"))
    run_owed()
    assert "Several columns may be price" in client.get(address).content.decode()


def test_a_form_that_was_made_up_is_refused(client, account):
    address = looked_at(client, account)
    assert client.post(address + "check/", TOLD | columns(column_0="sideways")).status_code == 422
    assert client.post(address + "check/", {}).status_code == 422


def test_an_undoing_that_is_refused_says_why(client, account):
    account.allows_short = False
    account.save()
    address = looked_at(client, account, TEXT.replace("Shares held", "Qty"))
    client.post(address + "book/")
    run_owed()
    book(account, "SELL", quantity="50")
    answer = client.post(address + "undo/", {"reason": "x"})
    assert (answer.status_code, "would make a short in AAPL" in answer.content.decode()) == (422, True)
    assert client.post(address + "undo/", {"reason": ""}).status_code == 422


def test_a_job_that_is_under_way_is_not_disturbed(client, account):
    address = upload(client, account)["Location"]
    assert "Looking at the file" in client.get(address).content.decode()
    client.post(address + "check/", TOLD | columns())
    client.post(address + "book/")
    run_owed()
    assert not Trade.objects.exists()


def test_imports_are_seen_and_moved_by_those_who_may(client, account, bob, dave, carol):
    address = looked_at(client, account, TEXT.replace("Shares held", "Qty"))
    assert "broker.csv" in client.get("/desk/trades/import/").content.decode()
    assert signed_in(bob).get(address).status_code == 404
    assert signed_in(bob).post(address + "book/").status_code == 404
    assert signed_in(dave).get(address).status_code == 200
    assert signed_in(dave).post(address + "book/").status_code == 403
    assert signed_in(dave).post("/desk/trades/import/", TOLD).status_code == 403
    assert Client().get(address).status_code == 302
    assert signed_in(carol).post(address + "book/").status_code == 302
    run_owed()
    assert Trade.objects.get().entry.actor == carol


def test_nothing_is_uploaded_into_anothers_account(client, bob):
    assert upload(client, make_account(bob)).status_code == 422


def test_an_empty_list_says_what_an_import_is(client):
    assert "No imports yet" in client.get("/desk/trades/import/").content.decode()
