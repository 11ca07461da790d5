"""Backtests and sweeps beside vectorbt and backtesting.py: same prices, same rule, CPU time in one run.

Ours are measured in processes of their own too, so that peak memory is what the work took.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from bench.peers_pnl import ROOT, peers_python
from bench.tables import Table, Verdict
from strategies import engine
from strategies.grid import make_grid
from strategies.library import ma_crossover
from strategies.prices import Prices

SEED, YEARS_BARS, BARS, TICKERS = 7, 6300, 5000, 500
FASTS, SLOWS = list(range(2, 52)), list(range(60, 160))
FLOOR_SECONDS = len(FASTS) * len(SLOWS) * BARS * 1e-9
PEER_COMBINATIONS = 10  # of each: vectorbt takes gigabytes for all, so a fiftieth is measured and multiplied


def measure(ground=None, size=None) -> Iterator[Table]:
    """One run, many tickers, and a sweep: ours beside the peers'."""
    yield single_runs()
    yield sweeps()


def single_runs() -> Table:
    table = Table("Moving-average crossover 50/200, engine alone, warm", ["what", "program", "CPU ms", "peak MB"])
    ours = own("one run", YEARS_BARS, 1)
    peers = {name: peer(name, YEARS_BARS, 1) for name in ("vectorbt", "backtesting")}
    many, many_peer = own("one run", BARS, TICKERS), peer("vectorbt", BARS, TICKERS)
    one, all_of_them = f"{YEARS_BARS:,} bars", f"{TICKERS} tickers of {BARS:,} bars"
    for what, program, found in (
        (one, "TradeOps", ours), (one, "vectorbt", peers["vectorbt"]), (one, "backtesting.py", peers["backtesting"]),
        (all_of_them, "TradeOps", many), (all_of_them, "vectorbt", many_peer),
    ):  # fmt: skip
        table.rows.append([what, program, f"{1000 * found['seconds']:,.2f}", f"{found['megabytes']:,.0f}"])
    table.verdicts = [
        Verdict("one run against vectorbt", peers["vectorbt"]["seconds"] / ours["seconds"], 100),
        Verdict("one run against backtesting.py", peers["backtesting"]["seconds"] / ours["seconds"], 200),
        Verdict(f"{TICKERS} tickers against vectorbt", many_peer["seconds"] / many["seconds"], 20),
    ]
    return table


def sweeps() -> Table:
    count = len(FASTS) * len(SLOWS)
    table = Table(f"Sweep of {count:,} crossovers over {BARS:,} bars", ["program", "CPU s", "peak MB"])
    ours = own("sweep", BARS, 1)
    theirs = peer("vectorbt sweep", BARS, 1, FASTS[:PEER_COMBINATIONS], SLOWS[:PEER_COMBINATIONS])
    share = count / PEER_COMBINATIONS**2
    table.rows = [
        ["TradeOps", f"{ours['seconds']:.3f}", f"{ours['megabytes']:,.0f}"],
        [f"vectorbt, {PEER_COMBINATIONS**2} of them × {share:g}", f"{share * theirs['seconds']:.3f}",
         f"{theirs['megabytes']:,.0f}"],
        ["floor of 1 ns a bar and combination", f"{FLOOR_SECONDS:.3f}", ""],
    ]  # fmt: skip
    table.verdicts = [
        Verdict("sweep against vectorbt", share * theirs["seconds"] / ours["seconds"], 200),
        Verdict("share of the floor", FLOOR_SECONDS / ours["seconds"], 0.4),
        Verdict("peak memory, of 250 MB", ours["megabytes"] / 250, 1.0, is_ceiling=True),
    ]
    table.notes.append(
        "Return, trades, trades won, deepest drawdown and Sharpe ratio of every combination; numba warm."
    )
    return table


# Ours ------------------------------------------------------------------------------


def closes(bars: int, columns: int) -> np.ndarray:
    """The walk that the peers make too: float64[bars, columns]."""
    steps = np.random.default_rng(SEED).normal(0.0003, 0.015, (bars, columns))
    return 100.0 * np.exp(steps.cumsum(axis=0))


def all_prices(bars: int, columns: int) -> list[Prices]:
    days = np.datetime64("2000-01-03", "us") + np.arange(bars) * np.timedelta64(1, "D")
    made = np.ascontiguousarray(closes(bars, columns).T)
    return [Prices(f"T{at}", days, column) for at, column in enumerate(made)]


def runs(tickers: list[Prices]) -> None:
    for prices in tickers:
        engine.run(prices, ma_crossover.signals(prices, {"fast": 50, "slow": 200}), 10_000.0)


def sweep_work(prices: list[Prices]) -> Callable[[], object]:
    from strategies import sweep  # it compiles, which only this process needs

    grid = make_grid({}, {"fast": FASTS, "slow": SLOWS})
    return lambda: list(sweep.rows(grid, grid.combinations, prices))


def own(work: str, bars: int, columns: int) -> dict:
    """CPU seconds and megabytes of one of our works, in a process of its own."""
    command = [sys.executable, "-m", "bench.strategies", work, str(bars), str(columns)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return json.loads(done.stdout)


def peer(work: str, bars: int, columns: int, fasts: list[int] = FASTS, slows: list[int] = SLOWS) -> dict:
    asked = {
        "work": work, "bars": bars, "columns": columns, "seed": SEED, "times": 3, "fasts": fasts, "slows": slows,
    }  # fmt: skip
    command = [str(peers_python()), str(ROOT / "bench" / "peers" / "strategies.py")]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{work} did not run: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(work: str, bars: str, columns: str) -> None:
    tickers = all_prices(int(bars), int(columns))
    call = sweep_work(tickers) if work == "sweep" else lambda: runs(tickers)
    call()
    found = []
    for _ in range(5):
        began = time.process_time()
        call()
        found.append(time.process_time() - began)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": min(found), "megabytes": megabytes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
