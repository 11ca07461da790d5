"""An account with trades of January, closed through that month."""

from datetime import UTC, date, datetime

import pytest

from trades.control.closes import close_books
from trades.models import Account

JANUARY = date(2025, 1, 31)


def january(day: int, hour: int = 15) -> datetime:
    return datetime(2025, 1, day, hour, tzinfo=UTC)


def february(day: int) -> datetime:
    return datetime(2025, 2, day, 15, tzinfo=UTC)


def closed(account: Account, actor, day: date = JANUARY) -> Account:
    """The account as it stands after a close."""
    close_books(account, day, actor=actor)
    return Account.objects.get(pk=account.pk)


@pytest.fixture(autouse=True)
def database(db):
    pass
