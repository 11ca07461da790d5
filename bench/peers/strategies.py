"""The same backtests by vectorbt and backtesting.py, in their own environment: a request of JSON in, CPU seconds out.

What is measured is the library's own call on data that lies ready, after one call to warm it up where that is said.
"""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd


def closes(bars: int, columns: int, seed: int) -> pd.DataFrame:
    """The walk that `bench/strategies.py` makes too."""
    steps = np.random.default_rng(seed).normal(0.0003, 0.015, (bars, columns))
    days = pd.date_range("2000-01-03", periods=bars, freq="D")
    return pd.DataFrame(100.0 * np.exp(steps.cumsum(axis=0)), index=days, columns=[f"T{at}" for at in range(columns)])


def timed(work, times: int) -> float:
    """Least CPU seconds of `times` calls, after one that warms up; 0 where that one is all."""
    work()
    found = [] if times else [0.0]
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def vectorbt_crossover(prices: pd.DataFrame):
    import vectorbt as vbt

    fast, slow = vbt.MA.run(prices, 50), vbt.MA.run(prices, 200)
    portfolio = vbt.Portfolio.from_signals(
        prices, fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), init_cash=1e4
    )
    return portfolio.total_return(), portfolio.trades.count(), portfolio.max_drawdown(), portfolio.sharpe_ratio()


def vectorbt_sweep(prices: pd.Series, fasts: list[int], slows: list[int]):
    import vectorbt as vbt

    pairs = [(fast, slow) for fast in fasts for slow in slows]
    fast = vbt.MA.run(prices, [pair[0] for pair in pairs], short_name="fast")
    slow = vbt.MA.run(prices, [pair[1] for pair in pairs], short_name="slow")
    portfolio = vbt.Portfolio.from_signals(
        prices, fast.ma_crossed_above(slow), fast.ma_crossed_below(slow), init_cash=1e4
    )
    return portfolio.total_return(), portfolio.trades.count(), portfolio.trades.win_rate(), portfolio.max_drawdown()


def backtesting_crossover(prices: pd.Series):
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

    def average(values, window):
        return pd.Series(values).rolling(window).mean()

    class Cross(Strategy):
        def init(self):
            self.fast, self.slow = (self.I(average, self.data.Close, window) for window in (50, 200))

        def next(self):
            if crossover(self.fast, self.slow):
                self.buy()
            elif crossover(self.slow, self.fast):
                self.position.close()

    bars = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), prices))
    return Backtest(bars, Cross, cash=1e9, trade_on_close=True).run()


def main() -> None:
    asked = json.load(sys.stdin)
    prices = closes(asked["bars"], asked["columns"], asked["seed"])
    works = {
        "vectorbt": lambda: vectorbt_crossover(prices),
        "backtesting": lambda: backtesting_crossover(prices["T0"]),
        "vectorbt sweep": lambda: vectorbt_sweep(prices["T0"], asked["fasts"], asked["slows"]),
    }
    seconds = timed(works[asked["work"]], asked["times"])
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes}))


if __name__ == "__main__":
    main()
