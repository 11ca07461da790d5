"""What interactive charts are drawn from: the numbers of the logs, with every peak and fill however long the run."""

import numpy as np
import pytest

from strategies import curves
from strategies.backtest import make_spec, run
from strategies.portfolio import buy_and_hold, combine
from strategies.prices import Prices
from tests.strategies.test_results import DOWN, UP, run_on

pytestmark = pytest.mark.pure


def series_of(told: dict) -> dict[str, list]:
    return {f"{panel['name']} {line['name']}": line["values"] for panel in told["panels"] for line in panel["series"]}


def long_run(bars: int = 20_000):
    steps = np.random.default_rng(3).normal(0.0, 0.01, bars)
    times = np.datetime64("1900-01-01", "us") + np.arange(bars) * np.timedelta64(1, "D")
    prices = Prices("LONG", times, 100.0 * np.exp(steps.cumsum()))
    return run(make_spec({"fast": 20, "slow": 50}), [prices])


def test_a_tickers_curves_are_its_prices_averages_account_and_fills():
    done = run_on(UP=UP)
    result = done.results[0]
    told = curves.ticker_curves(done, result)
    found = series_of(told)
    assert told["dates"] == result.prices.dates()
    assert found["Price Close"] == pytest.approx(result.prices.close)
    assert found["Price SMA 2"][0] is None
    assert found["Equity Strategy"] == pytest.approx(result.equity)
    assert found["Equity Buy and hold"] == pytest.approx(buy_and_hold(result))
    marks = told["panels"][0]["marks"]
    assert [(mark["at"], mark["kind"]) for mark in marks] == sorted(
        [(trade.entry_bar, "buy") for trade in result.trades]
        + [(trade.exit_bar, "sell") for trade in result.closed_trades]
    )
    assert all(mark["value"] == result.prices.close[mark["at"]] for mark in marks)


def test_the_portfolios_drawdown_is_in_percent_of_its_peak():
    done = run_on(UP=UP, DOWN=DOWN)
    equity = combine(done.results).equity
    found = series_of(curves.portfolio_curves(done))
    assert found["Drawdown Drawdown"] == pytest.approx(100.0 * (equity / np.maximum.accumulate(equity) - 1.0))


def test_a_long_run_is_thinned_without_losing_a_peak_a_fill_or_an_end():
    done = long_run()
    result = done.results[0]
    told = curves.ticker_curves(done, result)
    shown = series_of(told)["Price Close"]
    assert told["is_thinned"] and len(told["dates"]) < 3 * curves.MOST_BARS
    assert (max(shown), min(shown)) == pytest.approx((result.prices.close.max(), result.prices.close.min()))
    assert told["dates"][0] == "1900-01-01" and told["dates"][-1] == result.prices.dates()[-1]
    marks = told["panels"][0]["marks"]
    assert len(marks) == len(result.trades) + len(result.closed_trades)
    assert [told["dates"][mark["at"]] for mark in marks[:1]] == [result.prices.dates()[result.trades[0].entry_bar]]
    assert all(shown[mark["at"]] == pytest.approx(mark["value"]) for mark in marks)


def test_a_closer_look_has_every_bar_between():
    done = long_run()
    told = curves.ticker_curves(done, done.results[0], curves.Span(1000, 1999))
    assert not told["is_thinned"] and (told["first"], told["last"], told["bars"]) == (1000, 1999, 20_000)
    assert series_of(told)["Price Close"] == pytest.approx(done.results[0].prices.close[1000:2000])
    beyond = curves.ticker_curves(done, done.results[0], curves.Span(10**6, 5))
    assert (beyond["first"], beyond["last"]) == (5, 5)


def test_growth_stands_on_the_dates_of_all_runs_with_gaps_where_one_has_none():
    one, other = run_on(UP=UP), run_on(UP=UP.replace("2024-01", "2024-02"))
    told = curves.growth_curves([("A", combine(one.results)), ("B", combine(other.results))])
    first, second = (line["values"] for line in told["panels"][0]["series"])
    days = len(one.results[0].prices)
    assert len(told["dates"]) == 2 * days
    assert first[days:] == [None] * days == second[:days]
    equity = one.results[0].equity
    assert first[:days] == pytest.approx(100.0 * (equity / equity[0] - 1.0))


def test_tickers_without_a_common_date_have_an_empty_curve():
    told = curves.portfolio_curves(run_on(A=UP, B=UP.replace("2024", "2023")))
    assert (told["bars"], told["dates"], told["is_thinned"]) == (0, [], False)
