"""Plain functions that make one thing each, with sane defaults."""

from decimal import Decimal

from tradeops.core.users.models import Role, Scope, User
from tradeops.core.users.tokens import make_token
from trades.models import Account, Activity, Trade
from trades.services import book_activity, book_trade

PASSWORD = "correct-horse-battery"


def make_user(username: str = "alice", role: str = Role.TRADER, **extra) -> User:
    return User.objects.create_user(username, password=PASSWORD, role=role, **extra)


def bearer(user: User, scope: str = Scope.ADMIN, **extra) -> dict[str, str]:
    """Headers that sign `user` in with a fresh token."""
    _, raw = make_token(user, name="test", scope=scope, **extra)
    return {"Authorization": f"Bearer {raw}"}


def make_account(owner: User, name: str = "Book", **extra) -> Account:
    return Account.objects.create(owner=owner, name=name, **{"kind": "paper"} | extra)


def book(account: Account, side: str = "BUY", quantity="100", price="150.25", **extra) -> Trade:
    """A trade booked by the account's owner; `fees`, `executed_at`, `ticker`… as keywords."""
    ticker = extra.pop("ticker", "AAPL")
    key = extra.pop("idempotency_key", None)
    values = {"executed_at": None, "fees": Decimal(extra.pop("fees", 0))} | extra
    trade = Trade(
        account=account, instrument_id=ticker, side=side, quantity=Decimal(quantity), price=Decimal(price), **values
    )
    return book_trade(trade, actor=account.owner, idempotency_key=key).row


def act(account: Account, kind: str, **values) -> Activity:
    """An activity booked by the account's owner: `act(account, "deposit", amount=1000, effective_at=...)`."""
    ticker, new_ticker = values.pop("ticker", None), values.pop("new_ticker", None)
    for name in ("amount", "amount_per_unit", "cash_in_lieu_price", "quantity", "cost_basis"):
        if values.get(name) is not None:
            values[name] = Decimal(str(values[name]))
    activity = Activity(account=account, kind=kind, instrument_id=ticker, new_instrument_id=new_ticker, **values)
    return book_activity(activity, actor=account.owner).row
