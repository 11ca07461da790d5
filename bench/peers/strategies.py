"""The same backtests by vectorbt and backtesting.py, in their own environment: a request of JSON in, CPU seconds out.

What is measured is the library's own call on data that lies ready, after one call to warm it up where that is said.
"""

import json
import resource
import sys
import time
from functools import partial

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


# The library's other strategies, as vectorbt does them: entries and exits of many combinations at once.


def averages_crossed(close: pd.Series, combinations: list):
    import vectorbt as vbt

    fast, slow = (
        vbt.MA.run(close, [one[at] for one in combinations], ewm=True, short_name=name)
        for at, name in enumerate(("fast", "slow"))
    )
    return fast.ma_crossed_above(slow).to_numpy(), fast.ma_crossed_below(slow).to_numpy()


def strength_left(close: pd.Series, combinations: list):
    import vectorbt as vbt

    strength = vbt.RSI.run(close, [one[0] for one in combinations], ewm=True).rsi.to_numpy()
    return strength < np.array([one[1] for one in combinations]), strength > 70.0


def bands_left(close: pd.Series, combinations: list):
    import vectorbt as vbt

    windows, widths = zip(*combinations, strict=True)
    bands, column = vbt.BBANDS.run(close, list(windows), alpha=list(widths)), close.to_numpy()[:, None]
    return column < bands.lower.to_numpy(), column >= bands.middle.to_numpy()


def channel_left(close: pd.Series, combinations: list):
    high = {window: close.rolling(window).max().shift().to_numpy() for window in {one[0] for one in combinations}}
    low = {window: close.rolling(window).min().shift().to_numpy() for window in {one[1] for one in combinations}}
    column = close.to_numpy()[:, None]
    above = column > np.column_stack([high[one[0]] for one in combinations])
    return above, column < np.column_stack([low[one[1]] for one in combinations])


def macd_crossed(close: pd.Series, combinations: list):
    import vectorbt as vbt

    fast, slow = zip(*combinations, strict=True)
    found = vbt.MACD.run(close, list(fast), list(slow), 9, macd_ewm=True, signal_ewm=True)
    return found.macd_crossed_above(found.signal).to_numpy(), found.macd_crossed_below(found.signal).to_numpy()


def bought_once(close: pd.Series, combinations: list):
    entries = np.zeros((len(close), len(combinations)), dtype=bool)
    entries[0] = True
    return entries, np.zeros_like(entries)


# And those that deal from one pool: shares of it at the bars where something is dealt, NaN at all others.


def risen_most(close: pd.DataFrame, lookback: int, top: int) -> np.ndarray:
    momentum = close.pct_change(lookback).iloc[lookback::21]
    best = (momentum.rank(axis=1, ascending=False, method="first") <= top) & (momentum > 0.0)
    return best.mul(1.0 / top).reindex(close.index).to_numpy(float)


def strayed(close: pd.DataFrame, window: int, entry: float, leave: float) -> np.ndarray:
    ratio = np.log(close.iloc[:, 0] / close.iloc[:, 1])
    z = (ratio - ratio.rolling(window).mean()) / ratio.rolling(window).std(ddof=0)

    def held(entries, exits):
        return pd.Series(np.where(exits, 0.0, np.where(entries, 1.0, np.nan))).ffill().fillna(0.0)

    side = held(z < -entry, z >= -leave) - held(z > entry, z <= leave)
    dealt = side.where(side.diff().fillna(side) != 0.0).to_numpy()
    return np.column_stack((0.5 * dealt, -0.5 * dealt))


RULES = {
    "ma_crossover": averages_crossed,
    "rsi_reversion": strength_left,
    "bollinger_reversion": bands_left,
    "donchian_breakout": channel_left,
    "macd": macd_crossed,
    "buy_and_hold": bought_once,
}
POOLS = {"momentum_rotation": risen_most, "pairs_reversion": strayed}


def vectorbt_any(prices: pd.DataFrame, strategy: str, combinations: list):
    import vectorbt as vbt

    tiled = pd.concat([prices] * len(combinations), axis=1, keys=range(len(combinations)))
    if strategy in RULES:
        entries, exits = RULES[strategy](prices["T0"], combinations)
        portfolio = vbt.Portfolio.from_signals(tiled, entries, exits, init_cash=1e4, freq="1D")
    else:
        shares = np.hstack([POOLS[strategy](prices, *one) for one in combinations])
        groups = np.repeat(np.arange(len(combinations)), prices.shape[1])
        portfolio = vbt.Portfolio.from_orders(
            tiled, shares, size_type="targetpercent", init_cash=1e4 * prices.shape[1], freq="1D",
            group_by=groups, cash_sharing=True, call_seq="auto",
        )  # fmt: skip
    told = portfolio.total_return(), portfolio.trades.count(), portfolio.trades.win_rate(), portfolio.max_drawdown()
    return *told, portfolio.sharpe_ratio()


def backtesting_any(prices: pd.Series, strategy: str, combinations: list):
    """backtesting.py on entries and exits that were worked out before: its own part of a combination."""
    from backtesting import Backtest, Strategy

    class Follow(Strategy):
        at = 0

        def init(self):
            pass

        def next(self):
            bar = len(self.data) - 1
            if self.position and exits[bar, self.at]:
                self.position.close()
            elif not self.position and entries[bar, self.at]:
                self.buy()

    entries, exits = RULES[strategy](prices, combinations)
    bars = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), prices))
    trial = Backtest(bars, Follow, cash=1e9, trade_on_close=True)
    return lambda: [trial.run(at=at) for at in range(len(combinations))]


def any_seconds(asked: dict) -> dict:
    """By strategy the CPU seconds of all its combinations: one process for all, for it compiles once."""
    found = {}
    for strategy, (combinations, tickers) in asked["strategies"].items():
        prices = closes(asked["bars"], tickers, asked["seed"])
        work = partial(vectorbt_any, prices, strategy, combinations)
        if asked["work"] == "backtesting any":
            work = backtesting_any(prices["T0"], strategy, combinations)
        found[strategy] = timed(work, asked["times"])
    return {"seconds": found}


def main() -> None:
    asked = json.load(sys.stdin)
    print(json.dumps(any_seconds(asked) if asked["work"].endswith("any") else told(asked)))


def told(asked: dict) -> dict:
    prices = closes(asked["bars"], asked["columns"], asked["seed"])
    works = {
        "vectorbt": lambda: vectorbt_crossover(prices),
        "backtesting": lambda: backtesting_crossover(prices["T0"]),
        "vectorbt sweep": lambda: vectorbt_sweep(prices["T0"], asked["fasts"], asked["slows"]),
    }
    seconds = timed(works[asked["work"]], asked["times"])
    return {"seconds": seconds, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    main()
