"""Equity by day and profit by ticker: by hand, and against a plain count of units and money."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trades.folding.events import CashMove, Dividend, ReturnOfCapital, Split, SymbolChange, TransferIn, TransferOut
from trades.ledger import Fill
from trades.performance.equity import Equity
from trades.performance.returns import return_figures
from trades.performance.standings import Day, walk

pytestmark = pytest.mark.pure
START = datetime(2025, 1, 1, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
FIRST, SECOND = 1, 2  # two accounts


@dataclass(frozen=True)
class Point:
    price: Decimal
    at: datetime


class Closes:
    """Marks of the tests: a ticker's closes by number of day; a day without one has that of the day before."""

    def __init__(self, **closes):
        self.closes = {ticker: dict(enumerate(prices)) for ticker, prices in closes.items()}
        self.moments: dict[tuple[int, str], Point] = {}

    def close(self, place, day: date) -> Point | None:
        number = (day - START.date()).days
        known = {
            day: price for day, price in self.closes.get(place[1], {}).items() if price is not None and day <= number
        }
        return Point(Decimal(str(known[max(known)])), START + (max(known) + 1) * ONE_DAY) if known else None

    def at_flow(self, number: int, place) -> Point | None:
        return self.moments.get((number, place[1]))


def at(day: float) -> datetime:
    return START + day * ONE_DAY


def money(number: int, day: float, kind: str, amount) -> CashMove:
    return CashMove(number, at(day), kind, Decimal(str(amount)))


def fill(number: int, day: float, quantity, price, fee=0, ticker="AAPL") -> Fill:
    return Fill(number, at(day), *(Decimal(str(part)) for part in (quantity, price, fee)), ticker)


APART, AS_ONE = {FIRST: FIRST, SECOND: SECOND}, {FIRST: FIRST, SECOND: FIRST}


def valued(events, marks: Closes, days: int, first: int = 0, alike=APART) -> Equity:
    """The days from number `first` on. Events are (account, event) or events of the first account."""
    pairs = [event if isinstance(event, tuple) else (FIRST, event) for event in events]
    spans = [Day((START + day * ONE_DAY).date(), at(day), at(day + 1)) for day in range(first, first + days)]
    return Equity(walk(pairs, alike, spans), marks)


def column(equity: Equity, name: str) -> list:
    return [getattr(day, name) for day in equity.days]


# By hand ---------------------------------------------------------------------------------------


def test_the_worked_day():
    """Previous close 119, 5 held overnight; bought 3 at 121, sold 2 at 123; last 120: the day made 8."""
    events = [fill(1, 0.5, 5, 100), fill(2, 1.4, 3, 121), fill(3, 1.6, -2, 123)]
    equity = valued(events, Closes(AAPL=[119, 120]), 1, first=1)
    assert column(equity, "pnl") == [8]
    assert (equity.opening_equity, column(equity, "equity")) == (95, [103])
    assert [(one.ticker, one.pnl) for one in equity.by_ticker()] == [("AAPL", 8)]


def test_the_worked_returns():
    """1000; +10 %; deposit 1000 at mid-period; -5 %; end 1995: TWR +4.5 %, MWR -0.33324 %, Dietz -0.33333 %.

    The first part is invested and the second in cash, so that nothing must be known of a price at mid-period.
    """
    events = [
        money(1, 0, "deposit", 1000), fill(2, 0.1, 10, 100), fill(3, 14.9, -10, 110),
        money(4, 15, "deposit", 1000), fill(5, 15.1, 20, 105),
    ]  # fmt: skip
    equity = valued(events, Closes(AAPL=[100] * 14 + [110] + [105] * 14 + ["99.75"]), 30)
    figures = {name: figure.value for name, figure in return_figures(equity.valuations()).items()}
    assert figures["twr"] == pytest.approx(0.045, abs=1e-12)
    assert (round(figures["mwr"], 7), round(figures["modified_dietz"], 7)) == (-0.0033324, -0.0033333)
    assert sum(column(equity, "pnl")) == -5


def test_cash_that_earned_and_paid_on_the_day_of_a_deposit_is_cut_at_the_moment():
    events = [
        money(1, 0, "deposit", 1000), money(2, 0.2, "interest", 100),
        money(3, 0.5, "deposit", 1000), money(4, 0.8, "fee", -105),
    ]  # fmt: skip
    equity = valued(events, Closes(), 1)
    assert return_figures(equity.valuations())["twr"].value == pytest.approx(0.045, abs=1e-12)
    (day,) = equity.days
    assert (day.equity, day.cash_flow, day.pnl) == (1995, 2000, -5)
    assert (equity.by_ticker(), equity.walk.money) == ([], -5)


def test_a_dividend_is_owed_from_the_ex_date_and_cash_from_the_pay_day():
    events = [
        money(1, 0, "deposit", 1000), fill(2, 0.1, 100, 10),
        Dividend(3, at(1), "AAPL", Decimal("0.50"), at(3)),
    ]  # fmt: skip
    equity = valued(events, Closes(AAPL=[10, "9.5", "9.5", "9.5"]), 4)
    assert column(equity, "receivable") == [0, 50, 50, 0]
    assert column(equity, "cash") == [0, 0, 0, 50]
    assert column(equity, "equity") == [1000] * 4
    assert equity.by_ticker()[0].income == 50


def test_units_that_come_and_go_are_flows_at_the_mark_of_their_day():
    events = [
        TransferIn(1, at(0.5), "AAPL", Decimal(10), Decimal(500), at(-100)),
        TransferOut(2, at(2.5), "AAPL", Decimal(4)),
    ]
    equity = valued(events, Closes(AAPL=[100, 110, 120]), 3)
    assert column(equity, "cash_flow") == [1000, 0, -480]
    assert column(equity, "pnl") == [0, 100, 100]
    assert column(equity, "equity") == [1000, 1100, 720]
    assert equity.by_ticker()[0].pnl == 200


def test_a_split_neither_makes_nor_loses():
    """The mark before it is told in the units after it, until a new one comes."""
    events = [money(1, 0, "deposit", 1000), fill(2, 0.1, 10, 100), Split(3, at(1), "AAPL", 4, 1)]
    equity = valued(events, Closes(AAPL=[100, None, 26]), 3)
    assert column(equity, "equity") == [1000, 1000, 1040]
    assert column(equity, "pnl") == [0, 0, 40]


def test_the_fraction_of_a_reverse_split_is_sold():
    """10 at 30, 1:3: 3 are left at 90, and 31.67 are paid for the third of one at 95."""
    events = [money(1, 0, "deposit", 1000), fill(2, 0.1, 10, 30), Split(3, at(1.5), "AAPL", 1, 3, Decimal(95))]
    equity = valued(events, Closes(AAPL=[30, 90]), 2)
    assert column(equity, "cash") == [700, Decimal("731.67")]
    assert column(equity, "pnl") == [0, Decimal("1.67")]


def test_a_transfer_before_a_split_of_its_day_is_told_in_its_own_units():
    events = [
        TransferIn(1, at(0.2), "AAPL", Decimal(10), Decimal(500), at(-100)), Split(2, at(0.6), "AAPL", 4, 1),
    ]  # fmt: skip
    equity = valued(events, Closes(AAPL=[25]), 1)
    assert (column(equity, "cash_flow"), column(equity, "pnl")) == ([1000], [0])


def test_a_ticker_that_was_renamed_is_one_ticker():
    events = [
        money(1, 0, "deposit", 1000), fill(2, 0.1, 10, 100, ticker="FB"),
        SymbolChange(3, at(1.5), "FB", "META"), fill(4, 2.5, -10, 130, ticker="META"),
    ]  # fmt: skip
    equity = valued(events, Closes(FB=[100, 110], META=[None, 120, 125]), 3)
    assert column(equity, "pnl") == [0, 200, 100]
    assert [(one.ticker, one.pnl) for one in equity.by_ticker()] == [("META", 300)]


def test_a_holding_without_a_price_leaves_its_days_unknown():
    events = [money(1, 0, "deposit", 1000), fill(2, 1.5, 1, 100, ticker="ZZ")]
    equity = valued(events, Closes(ZZ=[None, None, None, 120]), 4)
    assert column(equity, "equity") == [1000, None, None, 1020]
    assert column(equity, "pnl") == [0, None, None, None]
    assert column(equity, "unmarked") == [(), ("ZZ",), ("ZZ",), ()]
    assert equity.pnl == 20
    assert return_figures(equity.valuations())["twr"].value == pytest.approx(0.02)


def test_units_that_came_and_went_without_a_price_leave_their_day_unknown():
    events = [
        TransferIn(1, at(0.2), "ZZ", Decimal(10), Decimal(500), at(-100)), fill(2, 0.6, -10, 60, ticker="ZZ"),
    ]  # fmt: skip
    (day,) = valued(events, Closes(), 1).days
    assert (day.equity, day.cash_flow, day.pnl) == (600, None, None)


def test_several_accounts_are_summed_and_their_marks_are_their_own():
    events = [
        (FIRST, money(1, 0, "deposit", 1000)), (SECOND, money(2, 0.1, "deposit", 500)),
        (FIRST, fill(3, 0.2, 2, 100)), (SECOND, fill(4, 0.3, -1, 100)),
    ]  # fmt: skip
    equity = valued(events, Closes(AAPL=[110]), 1)
    assert (equity.days[0].equity, equity.days[0].cash_flow, equity.pnl) == (1510, 1500, 10)
    assert set(equity.closing_values) == {(FIRST, "AAPL"), (SECOND, "AAPL")}


def test_a_flow_is_cut_where_a_price_of_its_day_is_known():
    events = [money(1, 0, "deposit", 1000), fill(2, 0.1, 10, 100), money(3, 1.5, "deposit", 1000)]
    marks = Closes(AAPL=[100, 110, "104.5"])
    assert valued(events, marks, 3).valuations()[3].equity is None
    marks.moments[1, "AAPL"] = marks.close((FIRST, "AAPL"), START.date())
    assert valued(events, marks, 3).valuations()[3].equity is None  # the close of the day before is not of the day
    marks.moments[1, "AAPL"] = Point(Decimal(110), at(1.4))
    assert valued(events, marks, 3).valuations()[3].equity == 1100


def test_a_day_on_which_nothing_could_move_is_no_session():
    events = [money(1, 0, "deposit", 1000), fill(2, 0.1, 1, 100), money(3, 4.5, "fee", -1)]
    equity = valued(events, Closes(AAPL=[100, 101, None, None, None, 102]), 6)
    assert column(equity, "is_session") == [True, True, False, False, True, True]


# Laws ----------------------------------------------------------------------------------------------

numbers = st.decimals(-50, 50, places=2).filter(bool)
prices = st.decimals(1, 300, places=2)
moments = st.floats(0, 9.99).map(lambda day: round(day, 3))
tickers = st.sampled_from(["A", "B"])
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), moments, tickers, numbers, prices),
        st.tuples(st.just("money"), moments, st.sampled_from(["deposit", "interest"]), numbers, prices),
        st.tuples(st.just("dividend"), moments, tickers, prices, prices),
        st.tuples(st.just("capital"), moments, tickers, st.decimals("0.01", "0.10", places=2), prices),
        st.tuples(st.just("split"), moments, tickers, st.sampled_from([2, 4, 5]), prices),
    ),
    max_size=25,
)


def event_of(number: int, happening: tuple):
    kind, day, name, amount, price = happening
    if kind == "fill":
        return fill(number, day, amount, price, abs(amount) / 10, name)
    if kind == "money":
        return money(number, day, name, amount)
    if kind == "dividend":
        return Dividend(number, at(day), name, amount, at(day + 2))
    if kind == "capital":
        return ReturnOfCapital(number, at(day), name, amount)
    return Split(number, at(day), name, amount, 1)


def counted(events, end: datetime) -> tuple[Decimal, dict[str, Decimal], Decimal]:
    """Cash (what is owed within), units and flows, counted plainly."""
    cash = flows = Decimal(0)
    units = {"A": Decimal(0), "B": Decimal(0)}
    for event in events:
        if event.at >= end:
            continue
        if isinstance(event, Fill):
            units[event.ticker] += event.quantity
            cash -= event.quantity * event.price + event.fee
        elif isinstance(event, CashMove):
            cash += event.amount
            flows += event.amount if event.kind == "deposit" else 0
        elif isinstance(event, Split):
            units[event.ticker] *= event.new
        else:
            cash += units[event.ticker] * event.amount_per_unit
    return cash, units, flows


@given(happenings, st.lists(prices, min_size=10, max_size=10), st.lists(prices, min_size=10, max_size=10))
def test_every_day_is_the_plain_count_and_both_ways_to_the_profit_meet(found, closes_a, closes_b):
    events = [event_of(number, one) for number, one in enumerate(sorted(found, key=lambda one: one[1]), 1)]
    equity = valued(events, Closes(A=closes_a, B=closes_b), 10)
    for number, day in enumerate(equity.days):
        cash, units, _ = counted(events, at(number + 1))
        assert day.cash + day.receivable == cash
        assert day.equity == cash + units["A"] * closes_a[number] + units["B"] * closes_b[number]
    assert sum(day.pnl for day in equity.days) == equity.days[-1].equity - counted(events, at(10))[2] == equity.pnl
    assert sum(one.pnl for one in equity.by_ticker()) + equity.walk.money == equity.pnl


@given(happenings, st.lists(prices, min_size=10, max_size=10), st.integers(1, 9))
def test_a_later_beginning_shows_the_same_days(found, closes, first):
    events = [event_of(number, one) for number, one in enumerate(sorted(found, key=lambda one: one[1]), 1)]
    marks = Closes(A=closes, B=closes)
    whole, part = valued(events, marks, 10), valued(events, marks, 10 - first, first=first)
    assert part.opening_equity == whole.days[first - 1].equity
    assert part.days == whole.days[first:]
    assert sum(one.pnl for one in part.by_ticker()) + part.walk.money == part.pnl


@given(happenings, st.lists(st.sampled_from([FIRST, SECOND]), min_size=25, max_size=25), st.lists(prices, min_size=10))
def test_accounts_that_are_marked_alike_are_worth_as_one_what_they_are_apart(found, owners, closes):
    events = [event_of(number, one) for number, one in enumerate(sorted(found, key=lambda one: one[1]), 1)]
    pairs = [
        (account, event)
        for event, owner in zip(events, owners, strict=False)
        for account in ([FIRST, SECOND] if isinstance(event, Split) else [owner])  # a split is everybody's
    ]
    marks = Closes(A=closes, B=closes)
    apart, as_one = valued(pairs, marks, 10), valued(pairs, marks, 10, alike=AS_ONE)
    assert as_one.days == apart.days
    assert as_one.by_ticker() == apart.by_ticker()
    assert as_one.valuations() == apart.valuations()
