"""What is made in columns is what is made one by one, row for row."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.factories import book, make_account
from tests.trades.conftest import at
from trades.chain import verification
from trades.folding import bulk_derived, columns, refolding
from trades.folding.columns import read_fills
from trades.models import DayTotal, Lot, Position, Realization, RoundTrip, Trade
from trades.services import book_trade, correct_version

MODELS = (Lot, Realization, RoundTrip, DayTotal, Position)


@pytest.fixture
def account(alice):
    return make_account(alice)


def kept(account) -> dict:
    names = {model: [f.attname for f in model._meta.concrete_fields if not f.primary_key] for model in MODELS}
    return {
        model: sorted(model.objects.filter(account=account).values_list(*names[model]), key=str) for model in MODELS
    }


def book_many(account, ticker: str, seed: int, count: int) -> None:
    chance, moment = random.Random(seed), at(0)
    for _ in range(count):
        moment += timedelta(minutes=chance.randint(0, 900), microseconds=chance.randint(0, 999_999))
        quantity, price = Decimal(chance.randint(1, 4000)).scaleb(-2), Decimal(chance.randint(1, 90_000)).scaleb(-3)
        trade = Trade(
            account=account, instrument_id=ticker, side=chance.choice(["BUY", "SELL"]), quantity=quantity,
            price=price, fees=Decimal(chance.randint(0, 300)).scaleb(-2), executed_at=moment,
        )  # fmt: skip
        book_trade(trade, actor=account.owner)


@pytest.mark.parametrize(("seed", "at_once"), [(1, 7), (2, 100_000)])
def test_rows_made_in_columns_are_those_made_one_by_one(account, seed, at_once, monkeypatch):
    monkeypatch.setattr(bulk_derived, "AT_ONCE", at_once)
    for name in ("ROWS_AT_ONCE", "WRITTEN_AT_ONCE"):
        monkeypatch.setattr(columns, name, at_once)
    for ticker in ("AAPL", "MSFT"):
        book_many(account, ticker, seed, 40)
    one_by_one = kept(account)
    assert len(one_by_one[Realization]) > 10
    assert len(one_by_one[RoundTrip]) > 2
    bulk_derived.refold_tickers(account, {"AAPL": 40, "MSFT": 40}, None)
    assert kept(account) == one_by_one
    assert list(verification.account_differences(account)) == []


def test_tickers_are_folded_in_groups_of_so_many_fills(monkeypatch):
    monkeypatch.setattr(bulk_derived, "AT_ONCE", 10)
    counts = {"A": 4, "B": 6, "C": 1, "D": 30, "E": 0, "F": 10}
    assert list(bulk_derived.grouped(counts)) == [["A", "B"], ["C"], ["D"], ["E", "F"]]


def test_a_book_of_many_fills_is_folded_in_columns(account, monkeypatch):
    book_many(account, "AAPL", 3, 12)
    monkeypatch.setattr(bulk_derived, "FROM_FILLS", 10)
    folded = []
    whole = bulk_derived.refold_tickers
    monkeypatch.setattr(bulk_derived, "refold_tickers", lambda *parts: folded.append(parts) or whole(*parts))
    trade = Trade.objects.current().in_order().first()
    correct_version(trade, {"price": Decimal("3.5"), "instrument_id": "MSFT"}, actor=account.owner)
    assert [counts for _, counts, _ in folded] == [{"AAPL": 11, "MSFT": 1}]
    assert list(verification.account_differences(account)) == []


def test_numbers_too_large_for_columns_are_folded_one_by_one(account, monkeypatch):
    book(account, quantity="9999999999999999", price="0.000000000001", executed_at=at(0))
    book(account, "SELL", quantity="1", price="999999.25", executed_at=at(2))
    monkeypatch.setattr(bulk_derived, "FROM_FILLS", 1)
    refolding.refold(account, ["AAPL"])
    assert list(verification.account_differences(account)) == []


def test_a_big_profit_with_a_split_fee_is_exact(account):
    book(account, quantity="40", price="1.05", fees="1.05", executed_at=at(0))
    book(account, "SELL", quantity="130", price="900000.25", fees="1.05", executed_at=at(1))  # 40/130 of a fee
    book(account, "BUY", quantity="200", price="900000", fees="0.01", executed_at=at(2))
    one_by_one = kept(account)
    assert len(one_by_one[RoundTrip]) == 2
    bulk_derived.refold_tickers(account, {"AAPL": 3}, None)
    assert kept(account) == one_by_one


def test_a_short_is_refused_in_columns_too(alice, monkeypatch):
    account = make_account(alice, allows_short=False)
    first = book(account, quantity="10", executed_at=at(0))
    book(account, "SELL", quantity="10", executed_at=at(1))
    monkeypatch.setattr(bulk_derived, "FROM_FILLS", 1)
    with pytest.raises(Exception, match="would make a short"):
        correct_version(first, {"quantity": Decimal(9)}, actor=alice)
    assert list(verification.account_differences(account)) == []


def test_shorts_are_found_in_columns_as_they_are_one_by_one(account, monkeypatch):
    book_many(account, "AAPL", 1, 40)
    one_by_one = refolding.shorts_in(account, ["AAPL"])
    assert 0 < len(one_by_one) < 40
    monkeypatch.setattr(bulk_derived, "FROM_FILLS", 1)
    assert refolding.shorts_in(account, ["AAPL"]) == one_by_one


def test_fills_are_read_as_they_were_booked(account):
    book(account, quantity="1.5", price="10.25", fees="0.125", executed_at=at(0))
    book(account, "SELL", quantity="2", price="11", executed_at=at(1))
    fills = read_fills(account, "AAPL")
    assert (fills.quantity.tolist(), fills.quantity_places) == ([15, -20], 1)
    assert (fills.price.tolist(), fills.price_places) == ([1025, 1100], 2)
    assert (fills.fee.tolist(), fills.fee_places) == ([125, 0], 3)
    assert [bulk_derived.moment(time) for time in fills.times] == [at(0), at(1)]
