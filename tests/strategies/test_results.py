"""The result as it is answered: totals, portfolio, percentages, and nothing that JSON cannot hold."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies import backtest, engine, logs, provenance, results
from strategies.backtest import BacktestError, make_spec
from strategies.portfolio import combine
from strategies.prices import Prices, read_file, read_files
from tests.strategies.test_ma_crossover import prices_of

pytestmark = pytest.mark.pure

SHORT = make_spec({"fast": 1, "slow": 2})
# Falls, turns up at bar 3 (price 4), down at bar 6 (price 5): bought at 4, sold at 5.
UP = "date,close\n" + "".join(f"2024-01-0{day},{close}\n" for day, close in enumerate([9, 8, 3, 4, 6, 8, 5], 1))
DOWN = UP.replace(",5\n", ",2\n")
FLAT = "date,close\n" + "".join(f"2024-01-0{day},7\n" for day in range(1, 8))


def run_on(spec=SHORT, **texts):
    return backtest.run(spec, read_files([(f"{name}.csv", text.encode()) for name, text in texts.items()]))


def summary_of(**texts) -> dict:
    return results.summarize(run_on(**texts), "hash")


def test_the_result_has_the_shape_of_the_contract():
    told = summary_of(UP=UP)
    assert list(told) == [
        "status", "strategy", "parameters", "data_hash", "total_initial_investment", "final_value",
        "overall_profit_loss", "overall_return_percentage", "summary", "tickers", "portfolio", "metrics",
        "monthly_returns", "bootstrap", "look_ahead", "warnings", "skipped", "assumptions",
    ]  # fmt: skip
    (ticker,) = told["tickers"]
    assert {key: value for key, value in ticker.items() if key not in ("trades", "unfilled")} == pytest.approx({
        "ticker": "UP", "bars": 7, "first_date": "2024-01-01", "last_date": "2024-01-07", "initial_investment": 10_000,
        "final_value": 12_500, "profit_loss": 2_500, "return_percentage": 25.0,
        "buy_and_hold_return_percentage": 100 * (5 / 9 - 1), "max_drawdown_percentage": 37.5,
        "sharpe_ratio": ticker["sharpe_ratio"], "bars_per_year": 365.0, "closed_trades": 1,
        "win_rate_percentage": 100.0,
    })  # fmt: skip
    assert ticker["trades"] == [{
        "entry_date": "2024-01-04", "entry_price": 4.0, "exit_date": "2024-01-07", "exit_price": 5.0,
        "quantity": 2_500.0, "fees": 0.0, "profit_loss": 2_500.0, "return_percentage": 25.0, "open": False,
        "side": "long", "exit_reason": "signal", "max_adverse_percentage": 0.0, "max_favorable_percentage": 100.0,
    }]  # fmt: skip


def test_tickers_are_counted_by_their_result_and_flat_ones_apart():
    told = summary_of(UP=UP, DOWN=DOWN, FLAT=FLAT)
    assert told["summary"] == {
        "profitable_tickers": 1, "losing_tickers": 1, "flat_tickers": 1, "win_rate_percentage": 50.0,
    }  # fmt: skip
    assert told["total_initial_investment"] == 30_000
    assert told["final_value"] == pytest.approx(12_500 + 5_000 + 10_000)
    assert told["overall_profit_loss"] == pytest.approx(-2_500)
    assert told["overall_return_percentage"] == pytest.approx(-100 * 2_500 / 30_000)


def test_what_is_undefined_is_none():
    told = summary_of(FLAT=FLAT)
    assert told["summary"]["win_rate_percentage"] is None
    assert told["portfolio"]["sharpe_ratio"] is None
    assert (told["metrics"]["profit_factor"], told["metrics"]["expectancy"]) == (None, None)
    assert told["tickers"][0]["max_drawdown_percentage"] == 0.0


def test_the_portfolio_stands_on_the_dates_that_every_ticker_has():
    late = "date,close\n2024-01-03,5\n2024-01-04,4\n2024-01-05,3\n2024-01-09,3\n"
    done = run_on(A=UP, B=late)
    curve = results.add_curve({}, combine(done.results))
    assert curve["dates"] == ["2024-01-03", "2024-01-04", "2024-01-05"]
    assert curve["equity"] == [20_000.0, 20_000.0, 25_000.0]
    assert results.summarize(done, "h")["portfolio"]["bars"] == 3


def test_tickers_without_a_common_date_have_no_portfolio_curve():
    told = summary_of(A=UP, B=UP.replace("2024", "2023"))
    assert told["portfolio"]["bars"] == 0
    assert told["portfolio"]["sharpe_ratio"] is None
    assert told["metrics"]["cagr"] is None


def test_times_of_different_zones_are_never_laid_side_by_side():
    rows = [f"2024-01-02T1{at}:00" for at in range(4)]
    local = "date,close\n" + "".join(f"{row},{5 + at}\n" for at, row in enumerate(rows))
    zoned = "date,close\n" + "".join(f"{row}Z,{5 + at}\n" for at, row in enumerate(rows))
    assert summary_of(A=local, B=zoned)["portfolio"]["bars"] == 0
    assert summary_of(A=zoned, B=zoned)["portfolio"]["bars"] == 4


def test_exposure_is_the_share_of_bars_held_at_the_close():
    # Held at the closes of bars 3, 4 and 5 of 7.
    assert summary_of(UP=UP)["metrics"]["exposure"] == pytest.approx(3 / 7)


def test_buy_and_hold_is_told_beside_the_strategy():
    held = summary_of(UP=UP)["metrics"]["buy_and_hold"]
    assert held == pytest.approx({"final_value": 10_000 * 5 / 9, "return_percentage": 100 * (5 / 9 - 1)})


def test_too_few_bars_are_skipped_with_the_reason_and_refused_when_all_are():
    few = "date,close\n2024-01-01,1\n"
    done = run_on(UP=UP, FEW=few)
    (skip,) = done.skipped
    assert (skip.ticker, skip.code) == ("FEW", "too_few_bars")
    assert "1 bar;" in skip.reason and "at least 2" in skip.reason
    with pytest.raises(BacktestError, match="FEW: 1 bar;") as caught:
        run_on(FEW=few)
    assert (caught.value.code, len(caught.value.skipped)) == ("too_few_bars", 1)


def test_next_open_skips_tickers_without_opens():
    spec = make_spec({"fast": 1, "slow": 2, "fill": "next_open"})
    opened = "date,open,close\n2024-01-01,1,1\n2024-01-02,1,2\n"
    done = run_on(spec, UP=UP, O=opened)
    assert [(skip.ticker, skip.code) for skip in done.skipped] == [("UP", "no_open")]
    with pytest.raises(BacktestError, match="UP: The file has no open prices"):
        run_on(spec, UP=UP)


def test_more_trades_than_can_be_kept_are_refused(monkeypatch):
    monkeypatch.setattr(backtest, "MAX_TRADES", 0)
    with pytest.raises(BacktestError, match="more than 0 trades"):
        run_on(UP=UP)


def test_an_account_beyond_all_numbers_is_skipped():
    wild = "date,close\n" + "".join(
        f"{1900 + at // 300}-{1 + at // 25 % 12:02}-{1 + at % 25:02},{'0.000000001' if at % 3 else '999999999999'}\n"
        for at in range(600)
    )
    with pytest.raises(BacktestError) as caught:
        run_on(make_spec({"fast": 1, "slow": 2}), W=wild)
    assert caught.value.code == "out_of_range"


@given(closes=st.lists(st.floats(1e-9, 1e12).map(lambda x: float(f"{x:.9f}") or 1e-9), min_size=2, max_size=40))
def test_no_result_holds_a_number_that_json_cannot(closes):
    try:
        done = backtest.run(SHORT, [prices_of(closes)])
    except BacktestError:
        return
    told = results.summarize(done, "h")
    told["portfolio"] = results.add_curve(told["portfolio"], combine(done.results))
    assert json.loads(json.dumps(told, allow_nan=False))["tickers"][0]["bars"] == len(closes)


def test_assumptions_name_fill_fee_and_annualization():
    told = results.assumptions(run_on(make_spec({"fast": 1, "slow": 2, "fee_bps": "2.5"}), UP=UP))
    assert (told["fill"], told["fee_bps"]) == ("close", 2.5)
    assert "√365" in told["annualization"]


def test_logs_hold_every_trade_and_every_bar():
    done = run_on(UP=UP, LATE="date,close\n2024-01-06,3\n2024-01-07,4\n")
    origin = provenance.Origin("d" * 64, "f" * 64, 12)
    trades = "".join(logs.trade_lines(done, origin)).splitlines()
    assert trades[0].startswith("ticker,entry_date,entry_price,exit_date")
    said = f"12,{'d' * 16},{'f' * 16}"
    assert trades[1] == f"UP,2024-01-04,4.0,2024-01-07,5.0,2500.0,0.0,2500.0,25.0,false,long,signal,0.0,100.0,{said}"
    equity = "".join(logs.equity_lines(done, origin)).splitlines()
    assert equity[0] == "date,portfolio,LATE,UP,run_id,data_hash,fingerprint"
    assert equity[1] == f"2024-01-01,,,10000.0,{said}"
    assert equity[-1] == "2024-01-07,22500.0,10000.0,12500.0,,,"
    assert len(equity) == 8


def test_an_open_trade_has_empty_cells_in_the_log():
    origin = provenance.Origin("d", "f")
    (line,) = list(logs.trade_lines(run_on(UP=UP.removesuffix("2024-01-07,5\n")), origin))[1:]
    assert line == "UP,2024-01-04,4.0,,,2500.0,0.0,10000.0,100.0,true,long,,0.0,100.0,,d,f\n"


def test_the_fingerprint_covers_code_parameters_fills_fees_and_rows(monkeypatch):
    marks = {
        provenance.fingerprint(SHORT, "a"),
        provenance.fingerprint(SHORT, "b"),
        provenance.fingerprint(make_spec({"fast": 1, "slow": 3}), "a"),
        provenance.fingerprint(make_spec({"fast": 1, "slow": 2, "fee_bps": 1}), "a"),
        provenance.fingerprint(make_spec({"fast": 1, "slow": 2, "fill": "next_open"}), "a"),
    }
    assert len(marks) == 5
    assert provenance.fingerprint(SHORT, "a") in marks
    monkeypatch.setattr(provenance, "code_digest", lambda: "another")
    assert provenance.fingerprint(SHORT, "a") not in marks


def test_summing_accounts_of_one_ticker_gives_that_account():
    (prices,) = read_file("UP.csv", UP.encode())
    result = engine.run(prices, np.ones(7), 100.0)
    portfolio = combine([result])
    assert portfolio.equity.tolist() == result.equity.tolist() == portfolio.held.tolist()
    assert isinstance(prices, Prices)
