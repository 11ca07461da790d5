"""The daily analysis, by hand and against brute force."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.reports import Fill, analyze, parse_fill, read_report

pytestmark = pytest.mark.pure

DAY = dt.date(2025, 1, 15)


def fill(ticker, side, quantity, price, fees="0", realized="0"):
    return Fill(ticker, side == "BUY", *(Decimal(text) for text in (quantity, price, fees, realized)))


def test_a_day_worked_by_hand():
    report = analyze(
        DAY,
        [
            fill("AAPL", "BUY", "100", "150", "1"),
            fill("AAPL", "SELL", "50", "156", "1.50", "300"),
            fill("AAPL", "BUY", "50", "144"),
            fill("MSFT", "SELL", "0.5", "400.10"),
        ],
    )
    apple, microsoft = report.rows()
    assert apple == {
        "date": DAY,
        "ticker": "AAPL",
        "trades": 3,
        "buys": 2,
        "sells": 1,
        "volume": Decimal(200),
        "buy_volume": Decimal(150),
        "sell_volume": Decimal(50),
        "notional": Decimal(30000),
        "vwap": Decimal(150),
        "open": Decimal(150),
        "high": Decimal(156),
        "low": Decimal(144),
        "close": Decimal(144),
        "fees": Decimal("2.50"),
        "realized_pnl": Decimal(300),
        "net_pnl": Decimal("297.50"),
    }
    assert (microsoft["ticker"], microsoft["notional"], microsoft["vwap"]) == (
        "MSFT",
        Decimal("200.05"),
        Decimal("400.1"),
    )
    assert report.trades == 4


def test_an_empty_day_has_no_lines():
    assert analyze(DAY, []).rows() == []


def test_a_price_that_does_not_end_is_rounded_once_half_even():
    report = analyze(DAY, [fill("A", "BUY", "1", "1"), fill("A", "BUY", "2", "2")])
    assert report.rows()[0]["vwap"] == Decimal("1.666666666667")


def test_tickers_are_sorted_by_name():
    report = analyze(DAY, [fill(ticker, "BUY", "1", "1") for ticker in ("B", "A.X", "A", "Z9")])
    assert [row["ticker"] for row in report.rows()] == ["A", "A.X", "B", "Z9"]


def test_the_largest_booked_numbers_stay_exact():
    largest = "9" * 16 + "." + "9" * 12
    report = analyze(DAY, [fill("A", "BUY", largest, largest)] * 3)
    assert report.rows()[0]["notional"] == Fraction(Decimal(largest)) ** 2 * 3


amounts = st.decimals(min_value="0.000000000001", max_value=10**9, places=12)
fills = st.builds(
    Fill, st.sampled_from("ABC"), st.booleans(), amounts, amounts, amounts, st.decimals(-(10**9), 10**9, places=24)
)


@given(st.lists(fills, max_size=30))
def test_the_report_equals_brute_force(day):
    for row in analyze(DAY, day).rows():
        mine = [fill for fill in day if fill.ticker == row["ticker"]]
        volume = sum(Fraction(fill.quantity) for fill in mine)
        notional = sum(Fraction(fill.quantity) * Fraction(fill.price) for fill in mine)
        assert row["trades"] == len(mine) == row["buys"] + row["sells"]
        assert (row["volume"], row["notional"]) == (volume, notional)
        assert abs(Fraction(row["vwap"]) - notional / volume) <= Fraction(1, 2 * 10**12)
        assert row["low"] == min(fill.price for fill in mine)
        assert row["high"] == max(fill.price for fill in mine)
        assert (row["open"], row["close"]) == (mine[0].price, mine[-1].price)
        assert row["realized_pnl"] == sum(Fraction(fill.realized_pnl) for fill in mine)
        assert row["net_pnl"] == Fraction(row["realized_pnl"]) - Fraction(row["fees"])


ROW = {"ticker": "A", "trade_type": "BUY", "quantity": "1", "price": "2.5", "fees": "0", "realized_pnl": "-3"}


def test_a_row_becomes_a_fill():
    assert parse_fill(2, ROW) == fill("A", "BUY", "1", "2.5", "0", "-3")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trade_type": "HOLD"}, "line 7: trade_type must be BUY or SELL, not 'HOLD'"),
        ({"ticker": ""}, "line 7: ticker is empty"),
        ({"quantity": "0"}, "line 7: quantity must be above 0"),
        ({"price": "-1"}, "line 7: price must be above 0"),
        ({"price": ""}, "line 7: price is not a plain decimal"),
        ({"price": "1e9"}, "line 7: price is not a plain decimal"),
        ({"price": "NaN"}, "line 7: price is not a plain decimal"),
        ({"price": "1_000"}, "line 7: price is not a plain decimal"),
        ({"price": "１"}, "line 7: price is not a plain decimal"),
        ({"fees": "--1"}, "line 7: fees is not a plain decimal"),
        ({"quantity": "9" * 29}, "line 7: quantity is not a plain decimal"),
    ],
)
def test_a_damaged_row_is_refused_with_line_and_column(change, message):
    with pytest.raises(ValueError, match=message):
        parse_fill(7, ROW | change)


def test_a_trades_file_is_read_by_the_names_of_its_columns():
    lines = "note,price,quantity,fees,realized_pnl,trade_type,ticker\nx,2,3,0.1,0,SELL,TSLA\n".splitlines(keepends=True)
    assert read_report(DAY, lines).rows()[0]["notional"] == Decimal(6)
