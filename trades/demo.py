"""A believable book for the demo trader: a month of trades near the simulator's prices, with a typing error
that was corrected, a doubled booking that was voided, a short, some closed round trips, a split, and money put in."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from django.utils import timezone

from tradeops.core.users.models import User

from .models import Account, Activity, Trade
from .services import book_activity, book_trade, correct_version, default_account, void_version

# days ago, time (UTC), side, ticker, quantity, price, fees, strategy, tags
ROWS = [
    (31, "14:32:07", "BUY", "AAPL", "120", "219.84", "1.20", "core", ("long term",)),
    (31, "14:40:51", "BUY", "MSFT", "60", "412.05", "1.00", "core", ("long term",)),
    (30, "15:05:18", "BUY", "NVDA", "50", "525.68", "2.00", "momentum", ()),
    (29, "16:21:44", "BUY", "KO", "150", "68.15", "1.00", "income", ("dividend",)),
    (27, "14:31:02", "BUY", "TSLA", "40", "371.30", "1.00", "momentum", ("earnings",)),
    (26, "19:48:30", "SELL", "TSLA", "40", "384.95", "1.00", "momentum", ("earnings",)),
    (24, "14:35:55", "BUY", "AMZN", "80", "214.20", "1.00", "core", ()),
    (23, "15:12:09", "SELL", "NVDA", "80", "137.85", "1.00", "momentum", ()),
    (22, "17:02:33", "BUY", "JPM", "50", "246.71", "1.00", "income", ("dividend",)),
    (20, "14:45:12", "SELL", "NFLX", "15", "901.40", "1.00", "pairs", ("short",)),
    (19, "18:20:26", "BUY", "XOM", "100", "110.62", "1.00", "", ()),
    (17, "15:55:41", "BUY", "AAPL", "80", "224.10", "1.00", "core", ("long term",)),
    (16, "14:33:19", "SELL", "XOM", "100", "107.94", "1.00", "", ()),
    (15, "16:08:07", "BUY", "META", "25", "598.75", "1.00", "core", ()),
    (13, "15:31:50", "SELL", "AAPL", "70", "230.66", "1.00", "core", ("rebalance",)),
    (12, "14:50:02", "BUY", "GOOGL", "90", "184.37", "1.00", "core", ()),
    (10, "17:40:15", "BUY", "NVDA", "60", "134.08", "1.00", "momentum", ()),
    (9, "14:38:44", "SELL", "TSLA", "30", "398.20", "1.00", "pairs", ("short",)),
    (8, "15:22:31", "BUY", "JNJ", "70", "150.48", "1.00", "income", ("dividend",)),
    (6, "19:10:58", "BUY", "NFLX", "5", "879.15", "1.00", "pairs", ("short",)),
    (5, "14:44:37", "SELL", "MSFT", "20", "427.90", "1.00", "core", ("rebalance",)),
    (3, "16:35:20", "BUY", "TSLA", "10", "386.05", "1.00", "pairs", ("short",)),
    (2, "15:02:46", "BUY", "AMZN", "12.5", "217.83", "0.35", "core", ("savings plan",)),
    (1, "14:31:33", "SELL", "META", "10", "616.20", "1.00", "core", ("rebalance",)),
]
# days ago, time (UTC), kind, what it says; a dividend is paid two days from now
ACTIVITIES = [
    (32, "09:00:00", "deposit", {"amount": "180000"}),
    (25, "00:00:00", "split", {"instrument_id": "NVDA", "ratio_new": 4, "ratio_old": 1}),
    (14, "09:00:00", "deposit", {"amount": "25000"}),
    (11, "13:30:00", "dividend", {"instrument_id": "KO", "amount_per_unit": "0.51"}),
    (7, "10:15:00", "withdrawal", {"amount": "8000"}),
    (2, "21:00:00", "interest", {"amount": "36.42"}),
    (2, "21:00:00", "fee", {"amount": "9.90", "note": "Market data"}),
]
WRONG = (18, "15:15:15", "BUY", "MSFT", "30", "481.60", "1.00", "core", ())  # meant 418.60
DOUBLED = (4, "18:01:09", "BUY", "JPM", "10", "251.35", "1.00", "income", ())


def prices_paid(today: date) -> dict[str, dict[date, Decimal]]:
    """What the demo deals at, by ticker and day: the prices of its past go through it."""
    paid: dict[str, dict[date, Decimal]] = {}
    for days_ago, _, _, ticker, _, price, *_ in ROWS:
        paid.setdefault(ticker, {})[today - timedelta(days=days_ago)] = Decimal(price)
    return paid


def splits(today: date) -> dict[str, tuple[date, Decimal]]:
    """The demo's splits, one a ticker: the day, and how many units one became."""
    booked = [(days_ago, said) for days_ago, _, kind, said in ACTIVITIES if kind == "split"]
    return {
        said["instrument_id"]: (today - timedelta(days=days_ago), Decimal(said["ratio_new"]) / said["ratio_old"])
        for days_ago, said in booked
    }


def load_demo(user: User) -> Account:
    """Books the demo's trades into the user's first account, once, and returns the account."""
    account = default_account(user)
    if account.last_number:
        return account
    today = timezone.now().date()
    for row in sorted([*ROWS, WRONG, DOUBLED], key=lambda row: (-row[0], row[1])):
        booked = book_row(account, user, row, today)
        if row is WRONG:
            wrong = booked
    again = book_row(account, user, DOUBLED, today)
    correct_version(wrong, {"price": Decimal("418.60")}, actor=user, reason="Digits swapped; the broker says 418.60.")
    void_version(again, actor=user, reason="Booked twice.")
    for row in ACTIVITIES:
        book_activity_row(account, user, row, today)
    return account


def book_row(account: Account, user: User, row: tuple, today) -> Trade:
    days_ago, clock, side, ticker, quantity, price, fees, strategy, tags = row
    trade = Trade(
        account=account,
        instrument_id=ticker,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fees=Decimal(fees),
        executed_at=moment(today, days_ago, clock),
        strategy=strategy,
    )
    trade.tag_list = list(tags)
    return book_trade(trade, actor=user).row


def book_activity_row(account: Account, user: User, row: tuple, today: date) -> None:
    days_ago, clock, kind, said = row
    values = {name: Decimal(value) if name.startswith("amount") else value for name, value in said.items()}
    if kind == "dividend":
        values["pay_at"] = moment(today, -2, clock)
    activity = Activity(account=account, kind=kind, effective_at=moment(today, days_ago, clock), **values)
    book_activity(activity, actor=user)


def moment(today: date, days_ago: int, clock: str) -> datetime:
    return datetime.combine(today - timedelta(days=days_ago), time.fromisoformat(clock), UTC)
