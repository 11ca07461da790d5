"""A lake of its own for each test, in a local folder or in the bucket of the services world, and a day of trades."""

import datetime as dt
import itertools
from decimal import Decimal

import pytest
from django.core.files.storage import storages

from analytics.day_files import make_trades, working_folder
from analytics.day_trades import CurrentTrades
from analytics.revisions import keep_all
from market.models import Instrument
from tests.factories import make_user
from trades.models import Account, LedgerEntry, Realization, Trade

DAY = dt.date(2025, 1, 15)


@pytest.fixture(autouse=True)
def lake(request, settings, tmp_path):
    """The storage of the lake, empty."""
    if request.node.get_closest_marker("pure"):
        return None
    if settings.S3_BUCKET_NAME:
        storage = storages["lake"]
        client = storage.connection.meta.client
        if not any(found["Name"] == storage.bucket_name for found in client.list_buckets()["Buckets"]):
            client.create_bucket(Bucket=storage.bucket_name)
        storage.bucket.objects.all().delete()
        return storage
    folder = {"location": tmp_path / "lake", "allow_overwrite": True}
    settings.STORAGES = settings.STORAGES | {"lake": settings.STORAGES["lake"] | {"OPTIONS": folder}}
    return storages["lake"]


def export_trades(day: dt.date) -> None:
    """Puts the day's trades into the lake, and not their analysis."""
    with working_folder() as folder:
        keep_all(make_trades(folder, CurrentTrades(day)))


@pytest.fixture
def signed_in(client):
    def sign_in(user):
        client.force_login(user, backend="tradeops.core.users.backend.RoleBackend")
        return client

    return sign_in


@pytest.fixture
def book(db):
    """`book(ticker, side, quantity, price, at, …)` writes a trade into the book of one account."""
    numbers = itertools.count(1)
    owner = make_user("owner")
    account = Account.objects.create(owner=owner, name="Main")

    def write(ticker, side, quantity, price, at, **extra):
        number = next(numbers)
        Instrument.objects.get_or_create(ticker=ticker)
        entry = LedgerEntry.objects.create(
            account=account, number=number, recorded_at=at, actor=owner, kind="booking", digest=f"{number:064}"
        )
        quantity, price = Decimal(quantity), Decimal(price)
        fields = {"quantity": quantity, "price": price, "notional": quantity * price, "side": side, "executed_at": at}
        fields |= {"trade_id": number, "entry": entry, "account": account, "instrument_id": ticker}
        return Trade.objects.create(**fields | extra)

    return write


@pytest.fixture
def day_of_trades(book):
    """Three trades of the day, one of them realizing 25.50, between two that belong to its neighbors."""
    midnight = dt.datetime.combine(DAY, dt.time(), dt.UTC)
    book("AAPL", "BUY", "9", "9", midnight - dt.timedelta(microseconds=1))
    bought = book("AAPL", "BUY", "100", "150.25", midnight, fees=Decimal("1.5"), note="=1+1", tag_list=["swing", "a b"])
    sold = book("AAPL", "SELL", "10", "152.80", midnight + dt.timedelta(hours=15))
    book("BRK.B", "BUY", "0.000000000001", "400", midnight + dt.timedelta(days=1, microseconds=-1))
    book("AAPL", "BUY", "9", "9", midnight + dt.timedelta(days=1))
    Realization.objects.create(
        account=sold.account,
        instrument_id="AAPL",
        closed_by=sold.trade_id,
        closed_at=sold.executed_at,
        opened_by=bought.trade_id,
        opened_at=bought.executed_at,
        quantity=10,
        cost=Decimal("1502.5"),
        proceeds=1528,
        pnl=Decimal("25.5"),
    )
