"""Backtests and sweeps beside vectorbt and backtesting.py: same prices, same rule, CPU time in one run.

Ours are measured in processes of their own too, so that peak memory is what the work took.
"""

import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.peers_pnl import ROOT, peers_python
from bench.tables import Table, Verdict
from strategies import backtest, charts, engine, pricepack, results
from strategies.backtest import make_spec
from strategies.grid import Grid, make_grid, part_told
from strategies.library import ma_crossover
from strategies.portfolio import buy_and_hold
from strategies.prices import Prices

SEED, YEARS_BARS, BARS, TICKERS = 7, 6300, 5000, 500
FASTS, SLOWS = list(range(2, 52)), list(range(60, 160))
FLOOR_SECONDS = len(FASTS) * len(SLOWS) * BARS * 1e-9
# Of each axis: vectorbt takes gigabytes for all, so a twelfth is measured and multiplied.
PEER_COMBINATIONS = 20
# A hundred combinations of each strategy of the library: what does not vary, what does, and how many tickers.
ANY_GRIDS = {
    "ma_crossover": ({"average": "ema"}, {"fast": list(range(5, 15)), "slow": list(range(20, 40, 2))}, 1),
    "rsi_reversion": ({}, {"window": list(range(5, 15)), "oversold": list(range(20, 40, 2))}, 1),
    "bollinger_reversion": ({}, {"window": list(range(10, 30, 2)), "deviations": [1 + at / 10 for at in range(10)]}, 1),
    "donchian_breakout": ({}, {"entry_window": list(range(20, 60, 4)), "exit_window": list(range(5, 15))}, 1),
    "macd": ({}, {"fast": list(range(5, 15)), "slow": list(range(20, 40, 2))}, 1),
    "buy_and_hold": ({}, {"fee_bps": list(range(100))}, 1),
    "momentum_rotation": ({}, {"lookback": list(range(20, 120, 4)), "top": [1, 2, 3, 4]}, 8),
    "pairs_reversion": (
        {"direction": "both"},
        {"window": [30, 40, 60, 90], "entry": [1, 1.25, 1.5, 1.75, 2], "exit": [0, 0.25, 0.5, 0.75, 0.9]},
        2,
    ),
}
ALONE = 3  # combinations that backtesting.py is given, one after the other
SPLIT_GRID = {
    "fast": list(range(2, 22)),
    "slow": list(range(30, 130, 4)),
    "stop_loss_percentage": [2, 3, 4, 5, 6, 8, 10, 15],
}


def measure(ground=None, size=None) -> Iterator[Table]:
    """One run, many tickers, and a sweep: ours beside the peers'."""
    yield single_runs()
    yield sweeps()
    yield any_strategies()
    yield cold_commands()
    yield two_workers()
    yield pictures()


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
    few = {"fasts": FASTS[:PEER_COMBINATIONS], "slows": SLOWS[:PEER_COMBINATIONS]}
    theirs = peer("vectorbt sweep", BARS, 1, **few)
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


def any_strategies() -> Table:
    """A hundred combinations of every strategy of the library beside the peers doing the same."""
    columns = ["strategy", "tickers", "TradeOps", "vectorbt", "backtesting.py", "× vectorbt", "× backtesting.py"]
    table = Table(f"CPU µs a combination of any strategy, over {BARS:,} bars", columns)
    tried = {name: list(product(*axes.values())) for name, (_, axes, _) in ANY_GRIDS.items()}
    peers = {
        "vectorbt": peer_any("vectorbt any", tried),
        "backtesting.py": peer_any("backtesting any", {n: tried[n][:ALONE] for n in tried if ANY_GRIDS[n][2] == 1}),
    }
    for name, (_, _, tickers) in ANY_GRIDS.items():
        ours = own(name, BARS, tickers)["seconds"] / len(tried[name])
        theirs = {peer: seconds[name] for peer, seconds in peers.items() if name in seconds}
        shown = [f"{1e6 * theirs[peer]:,.0f}" if peer in theirs else "" for peer in peers]
        ratios = [f"{theirs[peer] / ours:.1f}" if peer in theirs else "" for peer in peers]
        table.rows.append([name, str(tickers), f"{1e6 * ours:,.0f}", *shown, *ratios])
        slower = max(theirs, key=theirs.get)
        table.verdicts.append(Verdict(f"{name} against {slower}", theirs[slower] / ours, 20))
    table.notes.append(
        "Ours is from a grid to rows of nine figures, indicators included; vectorbt's from prices to five figures; "
        "backtesting.py was given the entries and exits, and deals from no pool."
    )
    return table


def peer_any(work: str, tried: dict[str, list[tuple]]) -> dict[str, float]:
    """CPU seconds a combination, by strategy."""
    asked = {name: (combinations, ANY_GRIDS[name][2]) for name, combinations in tried.items()}
    found = peer(work, BARS, 1, strategies=asked)["seconds"]
    return {name: seconds / len(tried[name]) for name, seconds in found.items()}


def cold_commands() -> Table:
    """From the start of a process to its table: ours with everything it checks, the peers' bare call."""
    table = Table(f"One run of {YEARS_BARS:,} bars in a process that starts cold", ["program", "CPU s"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "T0.csv"
        prices = all_prices(YEARS_BARS, 1)[0]
        rows = zip(prices.dates(), prices.close.tolist(), strict=True)
        path.write_text("date,close\n" + "".join(f"{day},{close!r}\n" for day, close in rows))
        ours = processor_seconds([sys.executable, str(ROOT / "manage.py"), "backtest", str(path)])
    asked = {"bars": YEARS_BARS, "columns": 1, "seed": SEED, "times": 0}
    peers = {
        name: processor_seconds(peer_command(), json.dumps(asked | {"work": name}).encode())
        for name in ("backtesting", "vectorbt")
    }
    table.rows = [["manage.py backtest", f"{ours:.2f}"], *([name, f"{taken:.2f}"] for name, taken in peers.items())]
    table.verdicts = [
        Verdict("cold command against backtesting.py", peers["backtesting"] / ours, 1.0),
        Verdict("cold command against vectorbt", peers["vectorbt"] / ours, 4.0),
    ]
    return table


def two_workers() -> Table:
    """The same grid in one process, then in two at once."""
    grid = make_grid({}, SPLIT_GRID)
    title = f"Sweep of {len(grid.combinations):,} crossovers with stops, its workers started for it"
    table = Table(title, ["workers", "seconds", "CPU s a worker"])
    taken = {count: worked_out(grid, count) for count in (1, 2)}
    start = processor_seconds([sys.executable, "-m", "strategies.sweep"], part_of(grid, grid.combinations[:1]))
    table.rows = [[str(count), f"{seconds:.1f}", f"{own:.1f}"] for count, (seconds, own) in taken.items()]
    table.verdicts = [Verdict("two workers against one, by their processors' time", taken[1][1] / taken[2][1], 1.7)]
    table.notes.append(
        f"Each worker is a process of its own; starting one costs {start:.1f} s of CPU. By the clock two were "
        f"{taken[1][0] / taken[2][0]:.2f} times as fast, which needs two free processors to be as much."
    )
    return table


def worked_out(grid: Grid, workers: int) -> tuple[float, float]:
    """Seconds until all of it is done, and CPU seconds a worker."""
    told = [part_of(grid, grid.part(number, workers)) for number in range(workers)]
    before, began = children_seconds(), time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda part: subprocess.run(
            [sys.executable, "-m", "strategies.sweep"], input=part, capture_output=True, check=True, cwd=ROOT
        ), told))  # fmt: skip
    return time.perf_counter() - began, (children_seconds() - before) / workers


def part_of(grid: Grid, combinations: list[dict]) -> bytes:
    return part_told(grid, combinations, pricepack.pack(all_prices(BARS, 1)), str(ROOT / "var" / "strategies"))


def pictures() -> Table:
    """A run of eight tickers with its pictures, and one picture beside matplotlib's own with the same lines."""
    tickers, spec = all_prices(BARS, 8), make_spec({})
    done = backtest.run(spec, tickers)
    works = {
        "engine, 8 tickers": lambda: backtest.run(spec, tickers),
        "figures and checks": lambda: results.summarize(done, ""),
        "9 pictures": lambda: [charts.draw_overview(done), *(charts.draw_ticker(done, one) for one in done.results)],
        "one picture": lambda: charts.draw_ticker(done, done.results[0]),
        "bare matplotlib": lambda: bare_picture(done),
    }
    taken = {name: least_seconds(work, 3) for name, work in works.items()}
    table = Table("A request of eight tickers with charts", ["what", "CPU ms"])
    table.rows = [[name, f"{1000 * seconds:,.1f}"] for name, seconds in taken.items()]
    engine_part = taken["engine, 8 tickers"]
    whole = engine_part + taken["figures and checks"] + taken["9 pictures"]
    table.verdicts = [
        Verdict("engine's share of it", engine_part / whole, 0.05, is_ceiling=True),
        Verdict("a picture against bare matplotlib", taken["one picture"] / taken["bare matplotlib"], 2, True),
    ]
    return table


def bare_picture(done: backtest.Backtest) -> bytes:
    """The same lines and marks at the same size, with nothing of ours."""
    result, stream = done.results[0], io.BytesIO()
    figure = Figure(figsize=(charts.WIDTH, 5.6), dpi=charts.DOTS)
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    times, trades = result.prices.times, result.trades
    upper.plot(times, result.prices.close, label="Close")
    for name, values in ma_crossover.overlays(result.prices, done.spec.parameters).items():
        upper.plot(times, values, label=name)
    upper.scatter(times[[trade.entry_bar for trade in trades]], [trade.entry_price for trade in trades], marker="^")
    lower.plot(times, result.equity, label="Strategy")
    lower.plot(times, buy_and_hold(result), label="Buy and hold")
    for axes in (upper, lower):
        axes.legend()
        axes.grid()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def processor_seconds(command: list[str], given: bytes = b"") -> float:
    """Least CPU seconds of three starts of a command, by the system's account of its children."""
    found = []
    for _ in range(3):
        before = children_seconds()
        subprocess.run(command, input=given, capture_output=True, check=True, cwd=ROOT)
        found.append(children_seconds() - before)
    return min(found)


def children_seconds() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def least_seconds(work: Callable[[], object], times: int) -> float:
    work()
    found = []
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


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


def sweep_work(prices: list[Prices], strategy: str = "") -> Callable[[], object]:
    from strategies import sweep  # it compiles, which only this process needs

    given, axes, _ = ANY_GRIDS.get(strategy, ({}, {"fast": FASTS, "slow": SLOWS}, 1))
    grid = make_grid(given | {"strategy": strategy} if strategy else given, axes)
    return lambda: list(sweep.rows(grid, grid.combinations, prices))


def own(work: str, bars: int, columns: int) -> dict:
    """CPU seconds and megabytes of one of our works, in a process of its own."""
    command = [sys.executable, "-m", "bench.strategies", work, str(bars), str(columns)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return json.loads(done.stdout)


def peer(work: str, bars: int, columns: int, **asked) -> dict:
    asked |= {"work": work, "bars": bars, "columns": columns, "seed": SEED, "times": 3}
    done = subprocess.run(peer_command(), input=json.dumps(asked), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{work} did not run: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def peer_command() -> list[str]:
    return [str(peers_python()), str(ROOT / "bench" / "peers" / "strategies.py")]


def main(work: str, bars: str, columns: str) -> None:
    tickers = all_prices(int(bars), int(columns))
    is_sweep = work == "sweep" or work in ANY_GRIDS
    call = sweep_work(tickers, work if work in ANY_GRIDS else "") if is_sweep else lambda: runs(tickers)
    seconds = least_seconds(call, 5)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes}))


if __name__ == "__main__":
    main(*sys.argv[1:])
