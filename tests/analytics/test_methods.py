"""An account's day by each method of cost, with late corrections, splits, dividends and transfers, against fractions.

The second opinion knows the rules that are published (docs/book.md) and nothing of the program: it keeps a list of
lots as fractions and takes from it; what a division leaves open it rounds as the rules say, at 12 decimals half-even.
"""

import datetime as dt
import random
from decimal import Decimal
from fractions import Fraction

import pytest

from analytics.account_reading import read_account
from market.models import Mark
from tests.analytics.conftest import DAY
from tests.factories import act, book, make_account
from trades.ledger import Method
from trades.models import Account, Position, Trade
from trades.services import correct_version, void_version

BEFORE = DAY - dt.timedelta(days=1)
TICKERS = ("AAPL", "X-1", "MOVED")  # the last came by a transfer alone
MARKS = {BEFORE: Decimal("12.345"), DAY: Decimal("7.5")}
SPLIT_AT, EX_AT, PAID_AT = 6 * 60, 8 * 60, 11 * 60  # minutes of the day: 2 new for 1 old, 0.25 a unit


def moment(day: dt.date, minute: int) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(minutes=minute)


class Rows:
    """What was booked, and what corrections have left of it: (moment, number, kind, values)."""

    def __init__(self, account: Account, chance: random.Random):
        self.account, self.chance = account, chance
        self.left: dict[int, tuple] = {}
        self.rows: list[Trade] = []

    def trade(self) -> None:
        chance = self.chance
        at = moment(chance.choice((BEFORE, DAY)), chance.choice((0, 5 * 60, 7 * 60, 9 * 60 + 30, 23 * 60 + 59)))
        told = {"ticker": chance.choice(TICKERS[:2]), "side": chance.choice(("BUY", "SELL")), "executed_at": at}
        told |= {"quantity": Decimal(chance.randint(1, 400)).scaleb(-chance.choice((0, 1, 3)))}
        told |= {"price": Decimal(chance.randint(1, 10**6)).scaleb(-4), "fees": Decimal(chance.randint(0, 99)) / 100}
        self.book(told)

    def book(self, told: dict) -> None:
        row = book(self.account, **told)
        self.rows.append(row)
        self.note(row.trade_id, told)

    def note(self, number: int, told: dict) -> None:
        sign = 1 if told["side"] == "BUY" else -1
        fill = (sign * Fraction(told["quantity"]), Fraction(told["price"]), Fraction(told["fees"]))
        self.left[number] = (told["executed_at"], number, "fill", told["ticker"], *fill)

    def correct(self, row: Trade) -> None:
        at, _, _, ticker, quantity, price, fees = self.left[row.trade_id]
        side = "BUY" if quantity > 0 else "SELL"
        told = {"side": side, "ticker": ticker, "executed_at": at, "quantity": row.quantity, "fees": row.fees}
        price = self.chance.choice((row.price, row.price + 1))
        changes = {"price": price, "executed_at": moment(self.chance.choice((BEFORE, DAY)), 10 * 60)}
        correct_version(row, changes, actor=self.account.owner, reason="late")
        self.note(row.trade_id, told | changes)

    def void(self, row: Trade) -> None:
        void_version(row, actor=self.account.owner, reason="late")
        del self.left[row.trade_id]

    def act(self, kind: str, at: dt.datetime, **values) -> None:
        row = act(self.account, kind, effective_at=at, **values)
        self.left[-row.activity_id] = (at, -row.activity_id, kind, values)


class Opinion:
    """The account's days by one method, in fractions."""

    def __init__(self, method: str, events: list[tuple]):
        self.method = method
        self.lots = {ticker: [] for ticker in TICKERS}  # [quantity, cost], both signed
        self.cash, self.flows, self.receivable = Fraction(), Fraction(), []
        self.realized = {ticker: Fraction() for ticker in TICKERS}
        self.made = {ticker: Fraction() for ticker in TICKERS}  # what a ticker's events did to cash
        for event in sorted(events):
            getattr(self, event[2])(*event[3:])

    def fill(self, ticker: str, quantity: Fraction, price: Fraction, fee: Fraction) -> None:
        self.cash -= quantity * price + fee
        self.made[ticker] -= quantity * price + fee
        lots = self.lots[ticker]
        while quantity and lots and lots[0][0] * quantity < 0:
            lot = self.taken_first(lots)
            taken = min(abs(quantity), abs(lot[0])) * (1 if lot[0] > 0 else -1)
            cost = self.rounded(lot[1] * taken / lot[0]) if taken != lot[0] else lot[1]
            self.realized[ticker] += taken * price - cost
            lot[:] = [lot[0] - taken, lot[1] - cost]
            quantity += taken
            lots[:] = [lot for lot in lots if lot[0]]
        if quantity:
            self.add(ticker, quantity, quantity * price)

    def taken_first(self, lots: list) -> list:
        if self.method == "lifo":
            return lots[-1]
        if self.method == "hifo":  # what realizes least: the dearest of a long, the cheapest of a short
            return max(lots, key=lambda lot: lot[1] / lot[0] * (1 if lot[0] > 0 else -1))
        return lots[0]

    def add(self, ticker: str, quantity: Fraction, cost: Fraction) -> None:
        if self.method == "average_cost" and self.lots[ticker]:
            pool = self.lots[ticker][0]
            pool[:] = [pool[0] + quantity, pool[1] + cost]
        else:
            self.lots[ticker].append([quantity, cost])

    def rounded(self, cost: Fraction) -> Fraction:
        ends = cost.denominator
        for prime in (2, 5):
            while ends % prime == 0:
                ends //= prime
        fits = ends == 1 and (cost * 10**24).denominator == 1
        return cost if fits else Fraction(round(cost * 10**12), 10**12)

    def deposit(self, values: dict) -> None:
        self.cash += values["amount"]
        self.flows += values["amount"]

    def split(self, values: dict) -> None:
        for lot in self.lots[values["ticker"]]:
            lot[0] *= Fraction(values["ratio_new"], values["ratio_old"])

    def dividend(self, values: dict) -> None:
        ticker = values["ticker"]
        amount = self.held(ticker) * Fraction(values["amount_per_unit"])
        self.made[ticker] += amount
        self.receivable.append((values["pay_at"], amount))

    def transfer_in(self, values: dict) -> None:
        self.add(values["ticker"], Fraction(values["quantity"]), Fraction(values["cost_basis"]))
        value = Fraction(values["quantity"]) * Fraction(MARKS[DAY])
        self.flows += value
        self.made[values["ticker"]] -= value

    def held(self, ticker: str) -> Fraction:
        return sum((lot[0] for lot in self.lots[ticker]), Fraction())

    def cost(self, ticker: str) -> Fraction:
        return sum((lot[1] for lot in self.lots[ticker]), Fraction())

    def equity(self, day: dt.date) -> Fraction:
        return (
            self.cash
            + sum(amount for _, amount in self.receivable)
            + sum(map(self.held, TICKERS)) * Fraction(MARKS[day])
        )


def check(account: Account, left: list[tuple]) -> None:
    """Holds what is told of the day against what fractions say."""
    opening = Opinion(account.pnl_method, [event for event in left if event[0].date() < DAY])
    now = Opinion(account.pnl_method, left)
    account.refresh_from_db()
    told, _ = read_account(account, account.last_number, DAY)
    expected = {"opening_equity": opening.equity(BEFORE), "closing_equity": now.equity(DAY)}
    expected |= {"cash_flow": now.flows - opening.flows}
    owed = sum((amount for at, amount in now.receivable if at.date() > DAY), Fraction())
    expected |= {
        "receivable": owed,
        "cash": now.equity(DAY) - owed - sum(map(now.held, TICKERS)) * Fraction(MARKS[DAY]),
    }
    expected |= {"pnl": expected["closing_equity"] - expected["opening_equity"] - expected["cash_flow"]}
    assert {name: Fraction(getattr(told, name)) for name in expected} == expected
    for line in told.lines:
        ticker = line.ticker
        expected = {"quantity": now.held(ticker), "previous_quantity": opening.held(ticker)}
        expected |= {
            "exposure": now.held(ticker) * Fraction(MARKS[DAY]),
            "previous_exposure": opening.held(ticker) * Fraction(MARKS[BEFORE]),
        }
        made = now.made[ticker] - opening.made[ticker]
        expected |= {"day_pnl": expected["exposure"] - expected["previous_exposure"] + made}
        assert {name: Fraction(getattr(line, name)) for name in expected} == expected, ticker
        assert Fraction(line.traded.realized_pnl) == now.realized[ticker] - opening.realized[ticker], ticker
    held = {row.instrument_id: row for row in Position.objects.filter(account=account)}
    assert {ticker: Fraction(row.cost_basis) for ticker, row in held.items()} == {t: now.cost(t) for t in held}
    assert {ticker: Fraction(row.realized_pnl) for ticker, row in held.items()} == {t: now.realized[t] for t in held}


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("method", [method.value for method in Method])
def test_a_day_by_each_method_is_what_fractions_say(alice, method, seed):
    account, chance = make_account(alice, pnl_method=method), random.Random(seed)
    book_of = Rows(account, chance)
    for _ in range(14):
        book_of.trade()
    for day, price in MARKS.items():
        for ticker in TICKERS:
            at = moment(day, 20 * 60)
            Mark.objects.create(instrument_id=ticker, price=price, at=at, made_by=alice)
    book_of.act("deposit", moment(DAY, 60), amount=5000)
    book_of.act("split", moment(DAY, SPLIT_AT), ticker="AAPL", ratio_new=2, ratio_old=1)
    dividend = {"ticker": "X-1", "amount_per_unit": "0.25", "pay_at": moment(DAY, PAID_AT + 24 * 60 * (seed % 2))}
    book_of.act("dividend", moment(DAY, EX_AT), **dividend)
    book_of.act("transfer_in", moment(DAY, EX_AT + 1), ticker="MOVED", quantity="300", cost_basis="100")
    sold = {"ticker": "MOVED", "side": "SELL", "executed_at": moment(DAY, PAID_AT), "fees": Decimal(1)}
    book_of.book(sold | {"quantity": Decimal("70.7"), "price": Decimal(3)})
    check(account, list(book_of.left.values()))
    book_of.correct(book_of.rows[2])
    book_of.correct(book_of.rows[7])
    book_of.void(book_of.rows[5])
    check(account, list(book_of.left.values()))
