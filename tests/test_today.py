"""What Today says of the book: at the marks, by the day, and never at a simulated price for real money."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from market.models import Bar, Instrument, Mark, Quote, Source
from market.ticks import MICROS, StoredTicks
from tests.factories import act
from tradeops.today import Book, book_of, prices_of
from trades.models import Account, AccountKind, Trade
from trades.performance.history import Books, read_history
from trades.services import book_trade

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 1, 15, 15, 0, tzinfo=UTC)
MORNING = datetime(2025, 1, 15, 9, 0, tzinfo=UTC)
YESTERDAY = datetime(2025, 1, 14, 15, 0, tzinfo=UTC)


def open_demo_account(user, name="Demo", kind=AccountKind.DEMO, currency="USD", **rules) -> Account:
    return Account.objects.create(owner=user, name=name, kind=kind, currency=currency, **rules)


def quote(ticker: str, price: str, previous_close: str) -> Quote:
    instrument, _ = Instrument.objects.get_or_create(ticker=ticker)
    return Quote.objects.create(
        instrument=instrument,
        price=Decimal(price),
        previous_close=Decimal(previous_close),
        change_percentage=0.0,
        average_5m=Decimal(price),
        samples_5m=1,
        volume=0,
        at=NOW,
        source=Source.SIMULATED,
        seq=1,
    )


def book(account, side, quantity, price, at, fees="0", ticker="AAPL") -> None:
    instrument, _ = Instrument.objects.get_or_create(ticker=ticker)
    trade = Trade(
        account=account,
        instrument=instrument,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fees=Decimal(fees),
        executed_at=at,
    )
    book_trade(trade, actor=account.owner)


def test_a_position_held_since_yesterday_makes_the_move_since_the_close(alice):
    account = open_demo_account(alice)
    quote("AAPL", "155", "150")
    book(account, "BUY", "100", "140", YESTERDAY, fees="1")
    seen = book_of(alice, NOW)
    assert seen.day_pnl == Decimal("500")
    assert seen.unrealized_pnl == Decimal("1500")
    assert seen.equity == Decimal("1499")  # 155 * 100 - 140 * 100 - 1
    assert seen.cash == Decimal("-14001")


def test_what_was_traded_today_counts_from_its_own_price_and_after_fees(alice):
    account = open_demo_account(alice)
    quote("AAPL", "155", "150")
    book(account, "BUY", "100", "140", YESTERDAY)
    book(account, "BUY", "10", "152", NOW, fees="2")  # +3 each
    book(account, "SELL", "60", "154", NOW, fees="1")  # +4 each, against the close
    seen = book_of(alice, NOW)
    assert seen.day_pnl == Decimal(40 * 5 + 10 * 3 + 60 * 4 - 3)


def test_a_position_closed_today_still_counts_for_the_day(alice):
    account = open_demo_account(alice)
    quote("AAPL", "155", "150")
    book(account, "BUY", "100", "140", YESTERDAY)
    book(account, "SELL", "100", "151", NOW)
    seen = book_of(alice, NOW)
    assert (seen.day_pnl, seen.open_count, seen.realized_pnl) == (Decimal(100), 0, Decimal(1100))


def test_the_book_is_that_of_the_first_accounts_currency(alice):
    for name, currency in (("First", "USD"), ("Euros", "EUR"), ("Second", "USD")):
        open_demo_account(alice, name, currency=currency)
    seen = book_of(alice, NOW)
    assert (seen.currency, seen.account_count) == ("USD", 2)


def test_a_simulated_price_never_values_real_money(alice):
    account = open_demo_account(alice, kind=AccountKind.REAL)
    quote("AAPL", "155", "150")
    book(account, "BUY", "100", "140", YESTERDAY)
    seen = book_of(alice, NOW)
    assert (seen.unmarked, seen.equity) == (["AAPL"], None)
    assert seen.largest[0].valuation.market_value is None
    assert (seen.day_pnl, seen.unrealized_pnl) == (Decimal(0), Decimal(0))


def test_the_largest_positions_come_first_and_those_without_a_price_last(alice):
    account = open_demo_account(alice)
    for ticker, side, quantity in (("A", "BUY", "900"), ("B", "BUY", "1"), ("C", "SELL", "5")):
        book(account, side, quantity, "10", YESTERDAY, ticker=ticker)
    for ticker in ("B", "C"):
        quote(ticker, "10", "10")
    assert [position.ticker for position in book_of(alice, NOW).largest] == ["C", "B", "A"]


def test_accounts_of_another_currency_are_not_summed_in(alice):
    account = open_demo_account(alice)
    other = open_demo_account(alice, name="Euro", currency="EUR")
    quote("AAPL", "155", "150")
    book(account, "BUY", "1", "150", YESTERDAY)
    book(other, "BUY", "100", "150", YESTERDAY)
    seen = book_of(alice, NOW)
    assert (seen.currency, seen.account_count, seen.open_count) == ("USD", 1, 1)


def test_what_a_tick_moves_is_the_net_of_all_accounts(alice):
    first, second = open_demo_account(alice), open_demo_account(alice, name="Second")
    real = open_demo_account(alice, name="Real", kind=AccountKind.REAL)
    quote("AAPL", "155.50", "150")
    for account, side, quantity in ((first, "BUY", "100"), (second, "SELL", "40"), (real, "BUY", "7")):
        book(account, side, quantity, "150", YESTERDAY)
    assert book_of(alice, NOW).holdings == {"AAPL": ["60", "155.5"]}


def test_a_trader_sees_their_own_book_and_the_back_office_all(alice, bob, carol):
    quote("AAPL", "155", "150")
    for user in (alice, bob):
        book(open_demo_account(user), "BUY", "1", "150", YESTERDAY)
    assert [book_of(user, NOW).open_count for user in (alice, bob, carol)] == [1, 1, 2]


def test_without_accounts_there_is_an_empty_book(alice):
    assert book_of(alice, NOW) == Book()


def test_a_line_keeps_the_last_price_of_every_two_seconds():
    ticks = StoredTicks(
        tickers=("AAPL", "TSLA"),
        seqs=np.arange(5),
        indexes=np.array([0, 0, 1, 0, 0]),
        times=np.array([1000, 4000, 4100, 5999, 6000]),
        prices=np.array([9, 150, 200, 151, 152]) * MICROS,
        volumes=np.zeros(5, dtype=np.int64),
    )
    assert prices_of(ticks, "AAPL", since_ms=2000) == "151 152"
    assert prices_of(ticks, "NVDA", since_ms=2000) == ""


# The day's P&L, against its history ---------------------------------------------------------------


def close(ticker: str, day: datetime, price: str) -> None:
    """The daily bar of `day`, uploaded."""
    Instrument.objects.ensure([ticker])
    start = day.replace(hour=0, minute=0)
    prices = dict.fromkeys(("open", "high", "low", "close"), Decimal(price))
    span = {"start": start, "ends_at": start + timedelta(days=1)}
    Bar.objects.create(instrument_id=ticker, timeframe="1d", source="upload", is_final=True, **prices, **span)


def todays_history(account) -> Decimal:
    """What the fold of the whole book says of the same day."""
    return read_history(Books([account]), NOW.date(), NOW.date(), NOW).equity.pnl


def test_the_worked_day(alice):
    """Previous close 119, 5 held overnight; bought 3 at 121, sold 2 at 123; last 120: the day made 8."""
    account = open_demo_account(alice)
    quote("AAPL", "120", "119")
    book(account, "BUY", "5", "100", YESTERDAY)
    close("AAPL", YESTERDAY, "119")
    book(account, "BUY", "3", "121", MORNING)
    book(account, "SELL", "2", "123", MORNING)
    assert book_of(alice, NOW).day_pnl == Decimal(8) == todays_history(account)


def test_dividends_interest_and_fees_of_the_day_count_and_deposits_do_not(alice):
    account = open_demo_account(alice)
    quote("AAPL", "155", "150")
    book(account, "BUY", "100", "140", YESTERDAY)
    close("AAPL", YESTERDAY, "150")
    act(account, "deposit", amount=5000, effective_at=MORNING)
    later = NOW + timedelta(days=9)
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.50", effective_at=MORNING, pay_at=later)
    act(account, "interest", amount="3.21", effective_at=MORNING)
    act(account, "fee", amount="1.01", effective_at=MORNING)
    seen = book_of(alice, NOW)
    assert seen.day_pnl == Decimal("552.20") == todays_history(account)
    assert (seen.cash, seen.receivable) == (Decimal("-8997.80"), Decimal(50))
    assert seen.equity == seen.cash + 50 + 15500


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("split", {"ratio_new": 4, "ratio_old": 1}),
        ("transfer_in", {"quantity": 10, "cost_basis": 20}),
        ("transfer_out", {"quantity": 30}),
        ("return_of_capital", {"amount_per_unit": "0.25"}),
        ("symbol_change", {"new_ticker": "NEW"}),
    ],
)
def test_what_changes_units_without_a_trade_neither_makes_nor_loses(alice, kind, values):
    """All but what is paid: the price of the last trade of the day is that of yesterday, in the units of today."""
    account = open_demo_account(alice)
    book(account, "BUY", "100", "140", YESTERDAY)
    close("AAPL", YESTERDAY, "150")
    act(account, kind, ticker="AAPL", effective_at=MORNING, **values)
    price = "37.5" if kind == "split" else "150"
    for ticker in ("AAPL", "NEW"):
        quote(ticker, price, price)
    made = Decimal(25) if kind == "return_of_capital" else Decimal(0)
    assert book_of(alice, NOW).day_pnl == made == todays_history(account)


def test_a_price_from_before_an_older_split_is_told_in_units_of_today(alice):
    account = open_demo_account(alice, kind=AccountKind.REAL)
    book(account, "BUY", "10", "100", YESTERDAY - timedelta(days=9))
    close("AAPL", YESTERDAY - timedelta(days=8), "100")
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=YESTERDAY - timedelta(days=5))
    seen = book_of(alice, NOW)
    assert (seen.day_pnl, seen.equity) == (Decimal(0), Decimal(0))


def test_the_day_of_every_account_is_that_of_its_history(alice):
    accounts = [open_demo_account(alice, name, kind) for name, kind in (("A", "paper"), ("B", "real"), ("C", "demo"))]
    for ticker, before, last in (("AAPL", "150", "155"), ("MSFT", "400", "390"), ("KO", "60", "61")):
        close(ticker, YESTERDAY, before)
        close(ticker, NOW - timedelta(days=7), "1")
        Mark.objects.create(instrument_id=ticker, at=NOW - timedelta(minutes=1), price=Decimal(last), made_by=alice)
    for number, account in enumerate(accounts, 1):
        book(account, "BUY", f"{number}0", "140", YESTERDAY, ticker="AAPL")
        book(account, "SELL", f"{number}5", "152", MORNING, fees="0.07", ticker="AAPL")
        book(account, "SELL", f"{number}", "395", MORNING, fees="1", ticker="MSFT")
    act(accounts[1], "transfer_in", ticker="KO", quantity=7, cost_basis=20, effective_at=MORNING)
    assert book_of(alice, NOW).day_pnl == sum(todays_history(account) for account in accounts) != 0


@pytest.mark.parametrize("is_folded", [False, True])
def test_the_day_of_one_account_is_its_own(alice, is_folded):
    account = open_demo_account(alice, time_zone="America/New_York")
    close("AAPL", YESTERDAY, "150")
    quote("AAPL", "155", "150")
    book(account, "BUY", "10", "140", NOW.replace(hour=3))  # still yesterday in New York
    book(account, "BUY", "1", "152", MORNING)
    if is_folded:
        act(account, "transfer_in", ticker="AAPL", quantity=2, cost_basis=20, effective_at=MORNING)
    seen = book_of(alice, NOW)
    assert seen.day_pnl == Decimal(10 * 5 + 3) == todays_history(account)
    assert seen.day_began_at == NOW.replace(hour=5)


def test_several_accounts_share_the_day_of_utc(alice):
    account = open_demo_account(alice, time_zone="America/New_York")
    open_demo_account(alice, "Second")
    quote("AAPL", "155", "150")
    book(account, "BUY", "10", "140", NOW.replace(hour=3))
    seen = book_of(alice, NOW)
    assert (seen.day_pnl, seen.day_began_at) == (Decimal(10 * 15), NOW.replace(hour=0))
