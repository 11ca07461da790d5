"""Position = replay: after any interleaving of bookings, corrections and voids, each stored position is the
fold of its ledger to the last digit, and what a model that knows nothing of lots says it is."""

import itertools
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.factories import book, make_account, make_user
from tradeops.core.api import Conflict
from trades import ledger, verification
from trades.models import Position, Trade
from trades.services import correct_version, void_version

from .conftest import START

pytestmark = pytest.mark.django_db
sides = st.sampled_from(["BUY", "SELL"])
tickers = st.sampled_from(["AAPL", "MSFT"])
quantities = st.sampled_from(["1", "3", "7.5", "100", "0.000000000001"])
prices = st.integers(1, 99999).map(lambda cents: str(Decimal(cents) / 100))
fees = st.sampled_from(["0", "1", "0.35"])
minutes = st.integers(0, 20)
user_numbers = itertools.count()  # all runs of the machine share one database


def moment(minute: int):
    return START + timedelta(minutes=minute)


class Book(RuleBasedStateMachine):
    """The real book beside a dict of what each trade says now."""

    def __init__(self):
        super().__init__()
        self.model: dict[int, dict] = {}

    @initialize(method=st.sampled_from([method.value for method in ledger.Method]), allows_short=st.booleans())
    def open_account(self, method, allows_short):
        self.user = make_user(f"user-{next(user_numbers)}")
        self.account = make_account(self.user, pnl_method=method, allows_short=allows_short)

    @rule(side=sides, ticker=tickers, quantity=quantities, price=prices, fee=fees, minute=minutes)
    def book(self, side, ticker, quantity, price, fee, minute):
        said = {"side": side, "ticker": ticker, "quantity": quantity, "price": price, "fees": fee, "minute": minute}
        if self.makes_new_short({**self.model, 10**9: said}):
            with pytest.raises(Conflict):
                book(self.account, side, quantity, price, ticker=ticker, fees=fee, executed_at=moment(minute))
            return
        made = book(self.account, side, quantity, price, ticker=ticker, fees=fee, executed_at=moment(minute))
        self.model[made.trade_id] = said

    @precondition(lambda self: self.model)
    @rule(data=st.data(), quantity=quantities, price=prices, ticker=tickers, minute=minutes)
    def correct(self, data, quantity, price, ticker, minute):
        trade_id = data.draw(st.sampled_from(sorted(self.model)))
        said = self.model[trade_id] | {"quantity": quantity, "price": price, "ticker": ticker, "minute": minute}
        changes = {
            "quantity": Decimal(quantity), "price": Decimal(price), "instrument_id": ticker,
            "executed_at": moment(minute),
        }  # fmt: skip
        after = self.model | {trade_id: said}
        if self.makes_new_short(after):
            with pytest.raises(Conflict):
                correct_version(self.current(trade_id), changes, actor=self.user)
        else:
            correct_version(self.current(trade_id), changes, actor=self.user)
            self.model = after

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def void(self, data):
        trade_id = data.draw(st.sampled_from(sorted(self.model)))
        after = {key: said for key, said in self.model.items() if key != trade_id}
        if self.makes_new_short(after):
            with pytest.raises(Conflict):
                void_version(self.current(trade_id), actor=self.user)
        else:
            void_version(self.current(trade_id), actor=self.user)
            self.model = after

    def current(self, trade_id: int) -> Trade:
        return Trade.objects.current().get(trade_id=trade_id)

    def makes_new_short(self, model: dict) -> bool:
        """In an account without shorts nothing ever is short, so any short is a new one."""
        if self.account.allows_short:
            return False
        for ticker in ("AAPL", "MSFT"):
            held = Fraction(0)
            for said in in_order(model, ticker):
                held += signed(said)
                if held < 0:
                    return True
        return False

    @invariant()
    def positions_are_what_the_model_says(self):
        if not hasattr(self, "account"):
            return
        kept = {position.ticker: position for position in Position.objects.filter(account=self.account)}
        for ticker in ("AAPL", "MSFT"):
            says = in_order(self.model, ticker)
            position = kept.get(ticker) or Position()
            assert Fraction(position.quantity) == sum((signed(said) for said in says), Fraction(0))
            assert Fraction(position.fees) == sum((Fraction(said["fees"]) for said in says), Fraction(0))
            # The law, which holds for every method: realized - cost of what is open = cash before fees.
            cash = -sum((signed(said) * Fraction(said["price"]) for said in says), Fraction(0))
            assert Fraction(position.realized_pnl) - Fraction(position.cost_basis) == cash

    def teardown(self):
        if hasattr(self, "account"):
            assert list(verification.account_differences(self.account)) == []


def signed(said: dict) -> Fraction:
    return Fraction(said["quantity"]) * (1 if said["side"] == "BUY" else -1)


def in_order(model: dict, ticker: str) -> list[dict]:
    fills = [(said["minute"], key, said) for key, said in model.items() if said["ticker"] == ticker]
    return [said for _, _, said in sorted(fills, key=lambda fill: fill[:2])]


class TestBook(Book.TestCase):
    settings = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
