"""Returns and ratios: worked by hand, by the laws they keep, and against plain loops over fractions."""

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trades.performance.returns import (
    Reason,
    Risk,
    Span,
    Valuation,
    capital_span,
    drawdown_curve,
    find_log_growth,
    return_figures,
    risk_figures,
    value_pnl,
)

pytestmark = pytest.mark.pure
START = datetime(2025, 1, 1, tzinfo=UTC)


def at(days: float, equity, flow=0, **extra) -> Valuation:
    """The account's worth so many days after the start, and what moved then."""
    moment = START + timedelta(days=days)
    money = [None if amount is None else Decimal(str(amount)) for amount in (equity, flow)]
    return Valuation(moment, moment.date(), *money, **extra)


def close(days: float, equity, **extra) -> Valuation:
    return at(days, equity, is_close=True, **extra)


def values(*valuations: Valuation) -> tuple:
    """TWR, MWR and Modified Dietz, or the reason of each that has none."""
    return tuple(figure.reason or figure.value for figure in return_figures(valuations).values())


def ratios(*valuations: Valuation) -> dict:
    figures = risk_figures(Risk(Span(capital_span(valuations))))
    return {name: figure.reason or figure.value for name, figure in figures.items()}


# Worked by hand ---------------------------------------------------------------------------


def test_a_gain_before_a_deposit_and_a_loss_after_it():
    """1000; +10 %; deposit 1000 at mid-period; -5 %; end 1995. TWR and MWR do not even agree on the sign."""
    twr, mwr, dietz = values(at(0, 0, 1000), at(15, 1100, 1000), close(30, 1995))
    assert twr == pytest.approx(0.045, abs=1e-15)
    assert round(mwr, 7) == -0.0033324
    assert round(dietz, 7) == -0.0033333


def test_a_period_opens_with_what_was_there_and_closes_with_what_is():
    assert values(close(0, 1000), at(15, 1100, 1000), close(30, 1995)) == values(
        at(0, 0, 1000), at(15, 1100, 1000), close(30, 1995)
    )


def test_a_rate_is_made_yearly_above_one_year_alone():
    # 1000 becomes 1210: 21 % of two years are 10 % a year; of exactly one year they stay 21 %.
    two, one = values(close(0, 1000), close(730, 1210)), values(close(0, 1000), close(365, 1210))
    assert (two[0], two[1]) == (pytest.approx(0.21), pytest.approx(0.1))
    assert (one[0], one[1]) == (pytest.approx(0.21), pytest.approx(0.21))
    named = [return_figures([close(0, 1000), close(days, 1210)])["mwr"].method for days in (730, 365)]
    assert [name.rpartition(", ")[2] for name in named] == ["a year of 365 days", "of the period"]


def test_money_weighted_as_a_library_has_it():
    """pyxirr 0.10.8 and numpy-financial 1.0.0 for the same flows, written down by hand."""
    flows = [at(0, 0, 10000), at(45, 10400, 2500), at(200, 12100, -3000), close(400, 11000)]
    assert values(*flows)[1] == pytest.approx(0.12657166489286203, abs=1e-12)
    months = [at(0, 0, 1000), *(at(30 * month, 1000, 100) for month in range(1, 12)), close(360, 2300)]
    by_month = find_log_growth(np.array([1000.0, *[100.0] * 11]), np.arange(12, 0, -1) / 12, 2300.0) / 12
    assert math.expm1(by_month) == pytest.approx(0.010240621956791207, abs=1e-12)
    assert values(*months)[1] == pytest.approx(1.010240621956791207**12 - 1, abs=1e-12)


def test_modified_dietz_weighs_a_withdrawal_by_the_time_it_was_gone():
    # 10000, withdrawn 2000 after a quarter, 8500 at the end: 500 made on 10000 - 2000 x 3/4.
    assert values(close(0, 10000), at(25, 10050, -2000), close(100, 8500))[2] == pytest.approx(500 / 8500)


# Where the span begins and ends -------------------------------------------------------------


def test_the_first_deposit_begins_the_period_and_the_last_withdrawal_ends_it():
    """100 made of 1000 in the 10 days that they were there, however long the account stood empty."""
    empty_before, empty_after = [close(day, 0) for day in range(5)], [close(day, 0) for day in range(20, 40)]
    figures = values(*empty_before, at(5, 0, 1000), close(9, 1040), at(15, 1100, -1100), *empty_after)
    assert figures == (pytest.approx(0.1), pytest.approx(0.1), pytest.approx(0.1))


def test_what_was_lost_after_the_last_deposit_is_lost():
    assert values(close(0, 0), at(1, 0, 100), close(1.5, 0), close(2, 0)) == (-1.0, -1.0, -1.0)


def test_what_was_made_without_any_deposit_was_made_of_nothing():
    assert values(close(0, 0), close(1, 50), close(2, 70)) == (Reason.NO_CAPITAL,) * 3
    assert ratios(close(0, 0), close(1, 50), close(2, 70)) == dict.fromkeys(
        ["max_drawdown", "volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio"], Reason.NO_CAPITAL
    )


def test_an_account_where_nothing_ever_was_has_no_figure():
    assert values() == values(close(0, 0), close(1, 0)) == (Reason.NO_CAPITAL,) * 3


def test_an_account_below_zero_has_no_return():
    assert values(close(0, 100), close(1, -20), close(2, 50))[0] == Reason.NO_CAPITAL
    assert values(close(0, -100), close(1, -20)) == (Reason.NO_CAPITAL,) * 3


def test_a_pause_without_money_changes_nothing():
    whole = values(close(0, 1000), at(10, 1100, -1100), close(20, 0), at(30, 0, 1100), close(40, 1210))
    assert whole[0] == pytest.approx(0.21)


# Flows at moments that nobody valued --------------------------------------------------------------


def test_a_flow_without_a_valuation_cuts_its_day_at_the_edge():
    """Of 1000 + 1000 that came in the day, 100 made: 5 %. What goes out worked until the day's end: 10 %."""
    assert values(close(0, 1000), at(0.5, None, 1000), close(1, 2100))[0] == pytest.approx(0.05)
    assert values(close(0, 1000), at(0.5, None, -500), close(1, 600))[0] == pytest.approx(0.1)


def test_days_without_a_mark_are_passed_over_where_no_money_moved():
    known = values(close(0, 1000), close(1, None), close(2, None), close(3, 1100))
    assert known == (pytest.approx(0.1),) * 3


def test_money_that_moved_while_nobody_knew_the_worth_leaves_no_time_weighted_return():
    twr, mwr, dietz = values(close(0, 1000), at(0.5, None, 500), close(1, None), close(2, 1600))
    assert twr == Reason.NO_MARK
    assert mwr == pytest.approx(dietz, rel=0.05)
    assert dietz == pytest.approx(100 / (1000 + 500 * 0.75))


@pytest.mark.parametrize(
    "blind",
    [
        [close(0, None), close(1, 1000)],
        [close(0, 1000), close(1, None)],
        [close(0, 1000), at(0.5, 1000, None), close(1, 1000)],
        [at(0, 0, None), close(1, 1000)],
    ],
)
def test_an_end_or_a_flow_that_nobody_knows_leaves_no_figure(blind):
    assert values(*blind) == (Reason.NO_MARK,) * 3


def test_a_day_that_nobody_valued_leaves_no_ratio():
    days = [close(0, 1000), close(1, 1010), close(2, None), close(3, 1030)]
    assert set(ratios(*days).values()) == {Reason.NO_MARK}


# The rate -------------------------------------------------------------------------------------------


def test_flows_that_several_rates_explain_have_none():
    # -100 + 230/(1+r) - 132/(1+r)^2 = 0 at 10 % and at 20 %.
    assert values(at(0, 0, 100), at(50, 230, -230), at(100, 0, 132), close(100.0001, 0))[1] == Reason.SEVERAL_RATES


def test_flows_that_no_rate_explains_have_none():
    assert values(close(0, 1000), close(10, -50))[1] == Reason.NO_RATE


def test_a_moment_is_too_short_for_a_rate():
    assert values(at(0, 0, 1000), close(0, 1000))[1] == Reason.TOO_SHORT


def like(value):
    """A reason is itself; a number may differ in its last digits."""
    return value if isinstance(value, Reason) else pytest.approx(value, rel=1e-9, abs=1e-9)


# Laws -----------------------------------------------------------------------------------------------

money = st.decimals(1, 10**6, places=2)
growths = st.lists(st.fractions(Fraction(1, 2), Fraction(2)), min_size=1, max_size=12)


@given(st.lists(money, min_size=2, max_size=20))
def test_without_flows_all_three_are_the_total_return(equities):
    figures = values(*(close(day, equity) for day, equity in enumerate(equities)))
    assert figures == pytest.approx((float(equities[-1] / equities[0]) - 1,) * 3, rel=1e-9, abs=1e-9)


@given(st.lists(money, min_size=2, max_size=8), money, st.integers(1, 10**6))
def test_a_scale_changes_nothing(equities, flow, scale):
    def of(factor):
        days = [close(day, equity * factor) for day, equity in enumerate(equities)]
        return values(*days[:-1], at(len(equities) - 1.5, equities[-1] * factor, flow * factor), days[-1])

    assert of(scale) == tuple(like(value) for value in of(1))


@given(growths, st.lists(st.decimals(-400, 10**6, places=2), min_size=12, max_size=12))
def test_what_moves_in_or_out_does_not_change_the_time_weighted_return(steps, flows):
    """A brute force in fractions: the growths multiply, whatever flows stand between them."""
    equity, days = Fraction(10**6), [close(0, 10**6)]
    for day, (step, flow) in enumerate(zip(steps, flows, strict=False), 1):
        equity *= step
        days.append(at(day, exactly(equity), flow))
        equity += Fraction(flow)
    assume(all(one.equity + one.flow > 1000 for one in days))
    days.append(close(len(steps) + 1, exactly(equity)))
    assert values(*days)[0] == pytest.approx(float(math.prod(steps)) - 1, rel=1e-9, abs=1e-9)


def exactly(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.integers(1, 10**6)), max_size=8), st.floats(0.2, 5.0))
def test_the_rate_that_made_the_final_value_is_found_again(deposits, growth):
    """With deposits alone there is one rate; a final value compounded at it leads back to it."""
    flows = sorted(deposits)
    closing = 1000 * growth + sum(amount * growth ** (1 - when) for when, amount in flows)
    valued = [at(when * 100, 1, amount) for when, amount in flows]
    assert values(at(0, 0, 1000), *valued, close(100, f"{closing:.6f}"))[1] == pytest.approx(growth - 1, abs=1e-6)


@given(st.lists(money, min_size=16, max_size=30))
def test_the_ratios_are_those_of_the_days_returns(equities):
    found = ratios(*(close(day, equity) for day, equity in enumerate(equities)))
    series = np.array([float(equity) for equity in equities])
    returns = series[1:] / series[:-1] - 1
    peaks = np.maximum.accumulate(series)
    assert found["max_drawdown"] == pytest.approx(float((series / peaks - 1).min()), abs=1e-9)
    volatility = float(returns.std(ddof=1)) * math.sqrt(365)  # the days have weekends among them
    assert found["volatility"] == pytest.approx(volatility, rel=1e-6, abs=1e-9)


# Risk, by hand ---------------------------------------------------------------------------------------


def test_ratios_by_hand():
    """Monday to Friday: +2 %, -1 %, 0 %, +1 %: mean 0.005, sum of squares 0.0006, of deviations from it 0.0005.

    empyrical-reloaded 0.7.1 says 6.148170459575759, 15.874507866387543, 0.20493901531919198 and -0.01 for it.
    """
    week = [close(5, 10000), close(6, 10200), close(7, 10098), close(8, 10098), close(9, "10198.98")]
    found = ratios(*week)
    deviation, downside = math.sqrt(0.0005 / 3), math.sqrt(0.0001 / 4)
    assert found == {
        "max_drawdown": pytest.approx(-0.01),
        "volatility": pytest.approx(deviation * math.sqrt(252)),
        "sharpe_ratio": pytest.approx(0.005 / deviation * math.sqrt(252)),
        "sortino_ratio": pytest.approx(0.005 / downside * math.sqrt(252)),
        "calmar_ratio": pytest.approx((1.019898 ** (365.25 / 4) - 1) / 0.01),
    }
    assert "√252" in risk_figures(Risk(Span(week)))["sharpe_ratio"].method


def test_days_on_which_nothing_could_move_are_no_periods():
    """A weekend neither adds returns of zero nor makes the year longer."""
    days = [(START + timedelta(days=day)).date() for day in range(30)]
    equities = [1000 + 10 * (sum(day.weekday() < 5 for day in days[: place + 1]) % 3) for place in range(30)]
    with_weekends = [close(place, equities[place], is_session=days[place].weekday() < 5) for place in range(30)]
    without = [one for one in with_weekends if one.is_session]
    assert ratios(*with_weekends) == ratios(*without)
    assert Risk(Span(with_weekends)).periods_per_year == 252


def test_a_day_is_one_return_whatever_flows_cut_it():
    # +10 % before a deposit, +10 % after it: the day made 21 %.
    days = [close(0, 1000), at(0.5, 1100, 900), close(1, 2200), close(2, 2200)]
    assert Risk(Span(days)).returns == pytest.approx([0.21, 0.0])


def test_the_drawdown_is_that_of_the_capital_and_not_of_the_money_taken_out():
    days = [close(0, 1000), at(0.5, 1000, -500), close(1, 500), close(2, 450), close(3, 495)]
    curve = drawdown_curve(Span(days))
    assert [round(point.drawdown, 9) for point in curve] == [0, -0.1, -0.01]
    assert [round(point.index, 9) for point in curve] == [1, 0.9, 0.99]


@pytest.mark.parametrize(
    ("equities", "reasons"),
    [
        (
            [1000, 1000, 1000],
            {"sharpe_ratio": "no_variation", "sortino_ratio": "no_losses", "calmar_ratio": "no_losses"},
        ),
        ([1000, 1010, 1030], {"sortino_ratio": "no_losses", "calmar_ratio": "no_losses"}),
        ([1000, 990], {"volatility": "too_short", "sharpe_ratio": "too_short", "sortino_ratio": "too_short"}),
        ([1000, 500, 0], {"calmar_ratio": "no_capital"}),
    ],
)
def test_a_ratio_that_is_not_defined_says_why(equities, reasons):
    found = ratios(*(close(day, equity) for day, equity in enumerate(equities)))
    assert {name: value for name, value in found.items() if isinstance(value, str)} == reasons


def test_growth_beyond_any_number_is_none():
    days = [close(0, "0.00000000000000000001")]
    for day in range(1, 20):
        days += [at(day, 10**20, -(10**20)), at(day + 0.25, 0, "0.00000000000000000001")]
    found = return_figures([*days, close(21, 10**20)])
    assert (found["twr"].value, found["twr"].reason) == (None, Reason.TOO_LARGE)
    assert risk_figures(Risk(Span(days)))["max_drawdown"].reason == Reason.TOO_LARGE
    assert drawdown_curve(Span(days)) == []


# Day P&L ---------------------------------------------------------------------------------------------


def test_day_pnl_of_the_worked_case():
    """Previous close 119, 5 held overnight; bought 3 at 121, sold 2 at 123; last 120: 5 - 3 + 6 = 8."""
    opening, closing, paid = Decimal(5 * 119), Decimal(6 * 120), Decimal(3 * 121 - 2 * 123)
    assert value_pnl(opening, closing, paid, Decimal(0), Decimal(0)) == 8


quantities = st.decimals(-100, 100, places=3)
prices = st.decimals(Decimal("0.01"), 1000, places=2)


@given(quantities, prices, prices, st.lists(st.tuples(quantities, prices), max_size=8), money, money)
def test_day_pnl_by_values_is_day_pnl_by_quantities(held, previous_close, mark, fills, fees, income):
    by_quantity = held * (mark - previous_close) + sum(quantity * (mark - price) for quantity, price in fills)
    closing = (held + sum(quantity for quantity, _ in fills)) * mark
    paid = sum((quantity * price for quantity, price in fills), Decimal(0))
    assert value_pnl(held * previous_close, closing, paid, fees, income) == by_quantity - fees + income
