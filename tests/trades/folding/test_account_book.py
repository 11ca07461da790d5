"""Splits, dividends, transfers and changes of name: the worked cases of the rules, and the law."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trades.folding.account_book import AccountBook, fold_account
from trades.folding.events import (
    CashMove,
    Dividend,
    MethodChange,
    ReturnOfCapital,
    Split,
    SymbolChange,
    TransferIn,
    TransferOut,
    place_of,
)
from trades.ledger import EXACT, Fill, Method, RuleBroken, total

pytestmark = pytest.mark.pure
D = Decimal
START = datetime(2025, 1, 6, 15, tzinfo=UTC)


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def fill(number: int, quantity, price, fee=0, ticker="AAPL") -> Fill:
    return Fill(number, at(number), D(quantity), D(price), D(fee), ticker)


def book_of(*events, method=Method.FIFO) -> AccountBook:
    return fold_account(sorted(events, key=place_of), method)


def lots_of(book: AccountBook, ticker="AAPL") -> list[tuple]:
    return [(lot.quantity, lot.cost) for lot in book.of(ticker).holding.lots]


# Splits ---------------------------------------------------------------------------------------


def test_a_split_multiplies_units_and_leaves_cost_by_average():
    events = [fill(1, 10, 100), fill(2, 6, 130), Split(3, at(3), "AAPL", 4, 1), fill(4, -50, 35)]
    before = book_of(*events[:3], method=Method.AVERAGE_COST).of("AAPL").holding
    assert (before.quantity, before.cost) == (64, 1780)
    after = book_of(*events, method=Method.AVERAGE_COST).of("AAPL").holding
    assert (after.realized_pnl, after.quantity, after.cost) == (D("359.375"), 14, D("389.375"))


def test_a_split_keeps_the_lots_apart_first_in_first_out():
    book = book_of(fill(1, 10, 100), fill(2, 6, 130), Split(3, at(3), "AAPL", 4, 1), fill(4, -50, 35))
    holding = book.of("AAPL").holding
    assert (holding.realized_pnl, holding.quantity, holding.cost) == (425, 14, 455)


@pytest.mark.parametrize("method", list(Method))
def test_the_fraction_of_a_reverse_split_is_sold_for_cash(method):
    book = book_of(fill(1, 10, 30), Split(2, at(2), "AAPL", 1, 3, D(95)), method=method)
    holding = book.of("AAPL").holding
    (sold,) = book.of("AAPL").realizations
    assert (sold.proceeds, sold.cost, sold.pnl, sold.closed_by) == (D("31.67"), 30, D("1.67"), 2)
    assert (holding.quantity, holding.cost, holding.realized_pnl) == (3, 270, D("1.67"))
    assert book.cash == D("-300") + D("31.67")


def test_the_fraction_of_a_short_is_bought_back():
    book = book_of(fill(1, -10, 30), Split(2, at(2), "AAPL", 1, 3, D(95)))
    holding = book.of("AAPL").holding
    assert (holding.quantity, holding.cost, holding.realized_pnl) == (-3, -270, D("-1.67"))


def test_cash_in_lieu_is_the_same_whatever_precision_the_thread_works_at():
    with localcontext(prec=4):
        book = book_of(fill(1, 10, 30), Split(2, at(2), "AAPL", 1, 3, D("9500.05")))
    (sold,) = book.of("AAPL").realizations
    assert sold.proceeds == D("3166.68")  # 10 become 3 and a third, which is sold at 9500.05


def test_a_reverse_split_that_leaves_less_than_one_closes_the_position():
    book = book_of(fill(1, 5, 10), Split(2, at(2), "AAPL", 1, 10, D(120)))
    assert (book.of("AAPL").holding.quantity, book.of("AAPL").holding.cost) == (0, 0)
    assert book.of("AAPL").holding.realized_pnl == 10
    assert [trip.closed_by for trip in book.of("AAPL").round_trips] == [2]


def test_units_of_a_split_that_does_not_end_sum_to_the_position():
    book = book_of(fill(1, 1, 30), fill(2, 1, 31), fill(3, 1, 32), Split(4, at(4), "AAPL", 1, 7))
    holding = book.of("AAPL").holding
    assert holding.quantity == D("0.428571428571")
    assert sum(lot.quantity for lot in holding.lots) == holding.quantity
    assert holding.cost == 93


def test_a_split_that_would_leave_nothing_is_refused():
    with pytest.raises(RuleBroken) as refused:
        book_of(fill(1, "0.000000000001", 1), Split(2, at(2), "AAPL", 1, 1000))
    assert (refused.value.code, refused.value.event_id) == ("nothing_left", 2)


# Income ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "income"), [(100, 50), (-100, -50)])
def test_a_long_receives_a_dividend_and_a_short_pays_it(quantity, income):
    book = book_of(fill(1, quantity, 20), Dividend(2, at(2), "AAPL", D("0.50"), at(5)))
    holding = book.of("AAPL").holding
    assert (holding.income, abs(holding.cost)) == (income, 2000)
    assert (book.receivable(at(4)), book.receivable(at(5))) == (income, 0)


def test_units_bought_on_the_ex_date_have_no_right_to_the_dividend():
    dividend = Dividend(2, at(1), "AAPL", D(1), at(1))
    same_time = Fill(3, at(1), D(5), D(10), D(0), "AAPL")
    assert book_of(fill(1, 10, 10), dividend, same_time).of("AAPL").holding.income == 10


def test_a_stock_dividend_is_a_split_of_eleven_for_ten():
    holding = book_of(fill(1, 100, 20), Split(2, at(2), "AAPL", 11, 10)).of("AAPL").holding
    assert (holding.quantity, holding.cost) == (110, 2000)


def test_a_return_of_capital_lowers_cost_and_realizes_what_is_beyond_it():
    once = book_of(fill(1, 100, 20), ReturnOfCapital(2, at(2), "AAPL", D("0.25"))).of("AAPL").holding
    assert (once.cost, once.realized_pnl, once.income) == (1975, 0, 0)
    more = book_of(fill(1, 100, 20), ReturnOfCapital(2, at(2), "AAPL", D("20.5")))
    assert (more.of("AAPL").holding.cost, more.of("AAPL").holding.realized_pnl, more.cash) == (0, 50, 50)


# Moves between accounts and names ----------------------------------------------------------------


def test_transferred_units_bring_their_cost_and_go_first_when_they_are_older():
    transfer = TransferIn(2, at(2), "AAPL", D(10), D(50), datetime(2020, 1, 1, tzinfo=UTC))
    book = book_of(fill(1, 10, 100), transfer, fill(3, -10, 110))
    assert book.of("AAPL").holding.realized_pnl == 1050
    assert lots_of(book) == [(10, 1000)]
    assert book.cash == -1000 + 1100


def test_units_that_are_transferred_out_leave_at_cost_and_realize_nothing():
    book = book_of(fill(1, 10, 100), fill(2, 10, 120), TransferOut(3, at(3), "AAPL", D(15)))
    holding = book.of("AAPL").holding
    assert (holding.realized_pnl, holding.quantity, holding.cost, holding.transferred_cost) == (0, 5, 600, -1600)


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([fill(1, 10, 100), TransferOut(2, at(2), "AAPL", D(11))], "not_held"),
        ([fill(1, -10, 100), TransferOut(2, at(2), "AAPL", D(1))], "not_held"),
        ([fill(1, -10, 100), TransferIn(2, at(2), "AAPL", D(1), D(1), at(1))], "held_short"),
        ([fill(1, -1, 100), fill(2, 1, 9, ticker="NEW"), SymbolChange(3, at(3), "AAPL", "NEW")], "opposite_sides"),
    ],
)
def test_what_cannot_have_happened_is_refused_by_name(events, code):
    with pytest.raises(RuleBroken) as refused:
        book_of(*events)
    assert refused.value.code == code


def test_a_symbol_change_takes_lots_and_round_trip_along():
    book = book_of(fill(1, 10, 100, 1), SymbolChange(2, at(2), "AAPL", "NEW"), fill(3, -10, 110, 1, ticker="NEW"))
    old, new = book.of("AAPL"), book.of("NEW")
    assert (old.holding.quantity, old.holding.cost, new.holding.quantity) == (0, 0, 0)
    assert new.holding.realized_pnl == 100
    (trip,) = new.round_trips
    assert (trip.trip.opened_by, trip.closed_by, trip.net_pnl) == (1, 3, 98)
    assert book.cash == 98


def test_a_change_of_method_holds_from_its_day_on():
    first = [fill(1, 100, 10), fill(2, 100, 12)]
    change = MethodChange(3, at(3), Method.AVERAGE_COST)
    assert book_of(*first, change, fill(4, -50, 15)).of("AAPL").holding.realized_pnl == 200
    assert (
        book_of(*first, fill(3, -50, 15), MethodChange(4, at(4), Method.AVERAGE_COST)).of("AAPL").holding.realized_pnl
        == 250
    )


# The law ---------------------------------------------------------------------------------------


def amounts(low, high, places=2):
    return st.decimals(low, high, places=places, allow_nan=False)


@st.composite
def accounts(draw) -> list:
    """Events of two tickers and their money, none of which needs what is not there."""
    events = []
    for number in range(1, draw(st.integers(1, 14)) + 1):
        ticker = draw(st.sampled_from(["AAPL", "MSFT"]))
        kind = draw(st.sampled_from("fill fill fill fill cash dividend capital split in method symbol".split()))
        when = at(number)
        events.append(
            {
                "fill": lambda n=number, t=ticker: fill(
                    n, draw(amounts(-50, 50).filter(bool)), draw(amounts("0.01", 200)), draw(amounts(0, 3)), t
                ),
                "cash": lambda n=number, w=when: CashMove(
                    n, w, draw(st.sampled_from(["deposit", "withdrawal", "interest", "fee"])), draw(amounts(-99, 99))
                ),
                "dividend": lambda n=number, w=when, t=ticker: Dividend(n, w, t, draw(amounts("0.01", 2)), w),
                "capital": lambda n=number, w=when, t=ticker: ReturnOfCapital(n, w, t, draw(amounts("0.01", 90))),
                "split": lambda n=number, w=when, t=ticker: Split(
                    n, w, t, draw(st.integers(1, 7)), draw(st.integers(1, 7)),
                    draw(st.none() | amounts("0.01", 300)),
                ),
                "in": lambda n=number, w=when, t=ticker: TransferIn(n, w, t, D(5), draw(amounts(0, 500)), at(-n)),
                "method": lambda n=number, w=when: MethodChange(n, w, draw(st.sampled_from(list(Method)))),
                "symbol": lambda n=number, w=when: SymbolChange(n, w, "AAPL", "MSFT"),
            }[kind]()
        )  # fmt: skip
    return events


@settings(max_examples=300, deadline=None)
@given(accounts(), st.sampled_from(list(Method)), amounts("0.01", 500), amounts("0.01", 500))
def test_the_law_holds_after_every_event(events, method, one, other):
    """realized + unrealized + income - fees = cash + market value - what came from outside."""
    book, marks, refused = AccountBook(method), {"AAPL": one, "MSFT": other}, 0
    for event in events:
        try:
            book.apply(event)
        except RuleBroken:
            refused += 1
            continue
        holdings = {ticker: folded.holding for ticker, folded in book.tickers.items()}
        value = total(EXACT.multiply(held.quantity, marks[ticker]) for ticker, held in holdings.items())
        money = book.money
        outside = total(money.get(kind, D(0)) for kind in ("deposit", "withdrawal"))
        outside += total(held.transferred_cost for held in holdings.values())
        made = total(held.realized_pnl for held in holdings.values()) + value
        made -= total(held.cost for held in holdings.values()) + total(held.fees for held in holdings.values())
        made += total(held.income for held in holdings.values())
        made += total(money.get(kind, D(0)) for kind in ("interest", "fee"))
        assert made == EXACT.add(book.cash, value) - outside
        for held in holdings.values():
            assert held.quantity == total(lot.quantity for lot in held.lots)
            assert held.cost == total(lot.cost for lot in held.lots)
            assert bool(held.quantity) == bool(held.trip)


@settings(max_examples=200, deadline=None)
@given(accounts(), st.sampled_from(list(Method)))
def test_every_realization_is_in_the_sum(events, method):
    book = AccountBook(method)
    for event in events:
        try:
            book.apply(event)
        except RuleBroken:
            continue
    for folded in book.tickers.values():
        assert total(one.pnl for one in folded.realizations) == folded.holding.realized_pnl
        assert total(income.amount for income in folded.incomes) == folded.holding.income
