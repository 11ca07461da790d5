"""What a day made so far, out of what is kept: the same as the fold of each whole book says."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.factories import act, book, make_account
from trades.models import Account, Position
from trades.performance.history import Books, read_history
from trades.performance.standings import Day
from trades.positions.day_pnl import day_pnl
from trades.positions.holdings import held_together

from .test_past import state_price

pytestmark = pytest.mark.django_db
START, NOW = datetime(2025, 1, 15, tzinfo=UTC), datetime(2025, 1, 15, 15, 0, tzinfo=UTC)
TODAY = Day(date(2025, 1, 15), START, NOW)


def on(day: int, hour: int) -> datetime:
    return datetime(2025, 1, day, hour, tzinfo=UTC)


@pytest.mark.parametrize("unusual", [False, True])
def test_a_day_of_several_books_is_the_sum_of_their_histories(alice, unusual, django_assert_max_num_queries):
    accounts = [make_account(alice, name, kind=kind) for name, kind in (("A", "paper"), ("B", "paper"), ("C", "real"))]
    for ticker, before, last in (("AAPL", "150", "155"), ("MSFT", "400", "390")):
        state_price(before, on(14, 20), alice, ticker)
        state_price(last, on(15, 14), alice, ticker)
    for number, account in enumerate(accounts, 1):
        book(account, "BUY", f"{number}0", "140", executed_at=on(14, 15), ticker="AAPL")
        book(account, "SELL", f"{number}5", "152", executed_at=on(15, 9), fees="0.07", ticker="AAPL")
        book(account, "BUY", f"{number}", "395", executed_at=on(15, 10), fees="1", ticker="MSFT")
        act(account, "deposit", amount=500, effective_at=on(15, 11))
        act(account, "interest", amount="1.5", effective_at=on(15, 12))
    if unusual:  # this book is folded
        act(accounts[1], "split", ticker="AAPL", ratio_new=2, ratio_old=1, effective_at=on(15, 13))
    held = held_together(Position.objects.filter(account__in=accounts), NOW)
    with django_assert_max_num_queries(30):
        made = day_pnl(Account.objects.all(), held, TODAY)
    whole = [read_history(Books([account]), TODAY.day, TODAY.day, NOW).equity.pnl for account in accounts]
    assert made == sum(whole, Decimal(0)) != 0
