"""Position = replay: after any interleaving of bookings, corrections and voids of trades and activities, each stored
position is the fold of its ledger to the last digit, and what a model that knows nothing of lots says it is."""

import itertools
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.factories import act, book, make_account, make_user
from tradeops.core.api import Conflict
from trades import ledger
from trades.accounts.cash import Cash, cash_by_account
from trades.chain import verification
from trades.folding.reading import book_of
from trades.models import Account, Activity, ActivityKind, Position, Trade
from trades.services import correct_version, void_version

from .conftest import START

pytestmark = pytest.mark.django_db
TICKERS = ["AAPL", "MSFT"]
SIGNS = {"deposit": 1, "withdrawal": -1, "interest": 1, "fee": -1}
sides = st.sampled_from(["BUY", "SELL"])
tickers = st.sampled_from(TICKERS)
quantities = st.sampled_from(["1", "3", "7.5", "100", "0.000000000001"])
prices = st.integers(1, 99999).map(lambda cents: str(Decimal(cents) / 100))
fees = st.sampled_from(["0", "1", "0.35"])
minutes = st.integers(0, 20)
methods = st.sampled_from([method.value for method in ledger.Method])
user_numbers = itertools.count()  # all runs of the machine share one database


def moment(minute: int):
    return START + timedelta(minutes=minute)


@st.composite
def sayings(draw) -> dict:
    """An activity of any kind, as the model keeps it."""
    kind = draw(st.sampled_from(ActivityKind.values))
    says = {"kind": kind, "minute": draw(minutes)}
    if kind in SIGNS:
        return says | {"amount": draw(prices)}
    if kind == "method_change":
        return says | {"pnl_method": draw(methods)}
    says["ticker"] = draw(tickers)
    if kind == "symbol_change":
        return says | {"new_ticker": next(other for other in TICKERS if other != says["ticker"])}
    return (
        says
        | {
            "dividend": lambda: {"amount_per_unit": draw(prices)},
            "return_of_capital": lambda: {"amount_per_unit": draw(prices)},
            "split": lambda: {"ratio_new": draw(st.integers(2, 5)), "ratio_old": 1},
            "reverse_split": lambda: {"ratio_new": 1, "ratio_old": draw(st.integers(2, 5))},
            "transfer_in": lambda: {"quantity": draw(quantities), "cost_basis": draw(prices)},
            "transfer_out": lambda: {"quantity": draw(quantities)},
        }[kind]()
    )


# The model ---------------------------------------------------------------------------------------


class Impossible(Exception):
    """Something of the model cannot have happened."""


class Model:
    """Units, money and income, by what was said in order; of lots, methods and cost it knows nothing."""

    def __init__(self, said: dict[int, dict], allows_short: bool):
        self.units = dict.fromkeys(TICKERS, Fraction(0))
        self.income = dict.fromkeys(TICKERS, Fraction(0))
        self.fees = dict.fromkeys(TICKERS, Fraction(0))
        self.traded, self.money = Fraction(0), Fraction(0)
        for _, _, says in sorted(((says["minute"], key, says) for key, says in said.items()), key=lambda row: row[:2]):
            getattr(self, says["kind"], self.move_money)(says)
            if says["kind"] == "trade" and self.units[says["ticker"]] < 0 and not allows_short:
                raise Impossible

    def trade(self, says):
        self.units[says["ticker"]] += signed(says)
        self.traded -= signed(says) * Fraction(says["price"])
        self.fees[says["ticker"]] += Fraction(says["fees"])

    def move_money(self, says):
        self.money += SIGNS[says["kind"]] * Fraction(says["amount"])

    def method_change(self, says):
        """Units and money know no method."""

    def dividend(self, says):
        self.income[says["ticker"]] += self.units[says["ticker"]] * Fraction(says["amount_per_unit"])

    def return_of_capital(self, says):
        self.traded += self.units[says["ticker"]] * Fraction(says["amount_per_unit"])

    def split(self, says):
        before = self.units[says["ticker"]]
        # Kept with 12 decimals, half-even, which is how Python rounds a fraction.
        after = Fraction(round(before * says["ratio_new"] / says["ratio_old"] * 10**12), 10**12)
        if before and not after:
            raise Impossible
        self.units[says["ticker"]] = after

    reverse_split = split

    def transfer_in(self, says):
        if self.units[says["ticker"]] < 0:
            raise Impossible
        self.units[says["ticker"]] += Fraction(says["quantity"])

    def transfer_out(self, says):
        if self.units[says["ticker"]] < Fraction(says["quantity"]):
            raise Impossible
        self.units[says["ticker"]] -= Fraction(says["quantity"])

    def symbol_change(self, says):
        old, new = says["ticker"], says["new_ticker"]
        if self.units[old] * self.units[new] < 0:
            raise Impossible
        self.units[new] += self.units[old]
        self.units[old] = Fraction(0)

    @property
    def cash(self) -> Fraction:
        return self.traded + self.money + sum(self.income.values()) - sum(self.fees.values())


def signed(says: dict) -> Fraction:
    return Fraction(says["quantity"]) * (1 if says["side"] == "BUY" else -1)


def columns(says: dict) -> dict:
    """What a saying changes of a version, by the columns' names."""
    names = {"ticker": "instrument_id", "new_ticker": "new_instrument_id"}
    at = "executed_at" if says["kind"] == "trade" else "effective_at"
    decimals = ("quantity", "price", "fees", "amount", "amount_per_unit", "cost_basis")
    values = {
        names.get(name, name): Decimal(value) if name in decimals else value
        for name, value in says.items()
        if name not in ("kind", "minute")
    }
    return values | {at: moment(says["minute"])}


# The machine --------------------------------------------------------------------------------------


class Book(RuleBasedStateMachine):
    """The real book beside what each trade and activity says now."""

    def __init__(self):
        super().__init__()
        self.said: dict[int, dict] = {}

    @initialize(method=methods, allows_short=st.booleans())
    def open_account(self, method, allows_short):
        self.user = make_user(f"user-{next(user_numbers)}")
        self.account = make_account(self.user, pnl_method=method, allows_short=allows_short)

    @rule(side=sides, ticker=tickers, quantity=quantities, price=prices, fee=fees, minute=minutes)
    def book(self, side, ticker, quantity, price, fee, minute):
        says = {
            "kind": "trade", "side": side, "ticker": ticker, "quantity": quantity, "price": price, "fees": fee,
            "minute": minute,
        }  # fmt: skip
        self.do(
            10**9,
            says,
            lambda: book(self.account, side, quantity, price, ticker=ticker, fees=fee, executed_at=moment(minute)),
        )

    @rule(says=sayings())
    def act(self, says):
        values = {name: value for name, value in says.items() if name not in ("kind", "minute")}
        self.do(10**9, says, lambda: act(self.account, says["kind"], effective_at=moment(says["minute"]), **values))

    @precondition(lambda self: self.said)
    @rule(data=st.data(), quantity=quantities, price=prices, ticker=tickers, minute=minutes)
    def correct(self, data, quantity, price, ticker, minute):
        key = data.draw(st.sampled_from(sorted(self.said)))
        before = self.said[key]
        offered = {"quantity": quantity, "price": price, "minute": minute, "amount": price, "amount_per_unit": price}
        if before["kind"] != "symbol_change":
            offered["ticker"] = ticker
        says = before | {name: value for name, value in offered.items() if name in before}
        self.do(key, says, lambda: correct_version(self.current(key), columns(says), actor=self.user))

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def void(self, data):
        key = data.draw(st.sampled_from(sorted(self.said)))
        self.do(key, None, lambda: void_version(self.current(key), actor=self.user))

    def do(self, key: int, says: dict | None, change) -> None:
        """Makes the change in the book and in the model: it is refused in both, or in none."""
        after = {other: kept for other, kept in self.said.items() if other != key} | ({key: says} if says else {})
        try:
            Model(after, self.account.allows_short)
        except Impossible:
            with pytest.raises(Conflict):
                change()
            return
        done = change()
        if key == 10**9:
            after[done.identity] = after.pop(key)
        self.said = after

    def current(self, key: int):
        model = Trade if self.said[key]["kind"] == "trade" else Activity
        return model.objects.current().get(**{model.IDENTITY: key})

    @invariant()
    def the_book_is_what_the_model_says(self):
        if not hasattr(self, "account"):
            return
        model = Model(self.said, self.account.allows_short)
        kept = {position.ticker: position for position in Position.objects.filter(account=self.account)}
        for ticker in TICKERS:
            position = kept.get(ticker) or Position()
            assert Fraction(position.quantity) == model.units[ticker]
            assert Fraction(position.income) == model.income[ticker]
            assert Fraction(position.fees) == model.fees[ticker]
        now = timezone.now()
        cash = cash_by_account([self.account], now).get(self.account.pk, Cash())
        assert Fraction(cash.cash) == model.cash
        folded = book_of(Account.objects.get(pk=self.account.pk))
        assert (cash.cash + cash.receivable, cash.receivable) == (folded.cash, folded.receivable(now))

    def teardown(self):
        if hasattr(self, "account"):
            assert list(verification.account_differences(self.account)) == []


class TestBook(Book.TestCase):
    settings = settings(max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
