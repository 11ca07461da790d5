"""The ledger page: whether the book is whole, to whom it says what differs, and who may ask."""

from decimal import Decimal

import pytest

from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job
from trades.models import Position

pytestmark = pytest.mark.django_db


def test_the_back_office_verifies_the_book_and_reads_the_result(client, chained, carol):
    client.force_login(carol)
    assert "Not verified yet" in client.get("/desk/ledger/").content.decode()
    assert client.post("/desk/ledger/verify/").status_code == 302
    assert client.post("/desk/ledger/verify/").status_code == 302
    assert Job.objects.filter(kind="verify_ledger").count() == 1
    runner.load_handlers()
    runner.run_owed()
    page = client.get("/desk/ledger/").content.decode()
    assert "1 accounts, 4 ledger entries and 1 positions agreed" in page


def test_a_difference_stands_on_the_page(client, chained, dave, alice):
    Position.objects.filter(account=chained).update(cost_basis=Decimal("1010.01"))
    client.force_login(dave)
    client.post("/desk/ledger/verify/")
    runner.load_handlers()
    runner.run_owed()
    assert "cost_basis is kept as 1010.01" in client.get("/desk/ledger/").content.decode()
    job = Job.objects.get(kind="verify_ledger")
    assert (job.state, job.result["difference_count"]) == (
        "succeeded",
        2,
    )  # cost, and so cash
    client.force_login(alice)
    page = client.get("/desk/ledger/").content.decode()
    assert "not whole" in page
    assert "1010.01" not in page


def test_a_trader_cannot_have_the_whole_book_verified(client, alice):
    client.force_login(alice)
    assert client.post("/desk/ledger/verify/").status_code == 403
    assert client.get("/desk/ledger/check_chain.py").status_code == 200
