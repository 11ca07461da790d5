"""One backtest: a checked specification on the bars of one or more tickers, without Django.

The API, the pages and the command line all pass what they were given to `make_spec` and hand its answer to `run`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from strategies import broker, engine
from strategies.library import broken_rules, strategies, takes_panel
from strategies.panel import Panel, make_panel
from strategies.parameters import Parameter, ParameterError, Problem, clean_parameters
from strategies.prices import Prices
from strategies.sizing import orders
from strategies.terms import ALL_IN, NEXT_OPEN, PLAIN, SHARED, TERMS, Terms

MAX_TRADES = 50_000


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run: names and values checked, nothing left out."""

    strategy: str
    parameters: dict
    terms: Terms = PLAIN

    @property
    def module(self) -> ModuleType:
        return strategies()[self.strategy]

    @property
    def is_pooled(self) -> bool:
        """Whether all tickers are dealt out of one pool of cash."""
        return takes_panel(self.module) or self.terms.accounts == SHARED


@dataclass(frozen=True, slots=True)
class Skipped:
    """A ticker that was not run, and why."""

    ticker: str
    code: str
    reason: str

    def told(self) -> dict:
        return {"ticker": self.ticker, "code": self.code, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Backtest:
    """The results of all tickers that could be run, by ticker, and those that could not."""

    spec: Spec
    results: tuple[engine.Result, ...]
    skipped: tuple[Skipped, ...]
    given: tuple[Prices, ...]
    benchmark: Prices | None = None


class BacktestError(ValueError):
    """No result can be given: `code` and `message` say why, `skipped` names the tickers where that is the reason."""

    def __init__(self, code: str, message: str, skipped: Sequence[Skipped] = ()):
        super().__init__(message)
        self.code, self.message, self.skipped = code, message, tuple(skipped)


def strategy_parameter() -> Parameter:
    """The choice of a strategy, declared like any other parameter."""
    return Parameter("strategy", "choice", "ma_crossover", "Which rule makes the signals.", choices=tuple(strategies()))


def declared_parameters() -> tuple[Parameter, ...]:
    """Every parameter that a run or any strategy takes, once each; of one name in several strategies, the widest."""
    own: dict[str, Parameter] = {}
    for parameter in (each for module in strategies().values() for each in module.PARAMETERS):
        known = own.get(parameter.name)
        own[parameter.name] = known.widened(parameter) if known else parameter
    return (strategy_parameter(), *own.values(), *TERMS)


def make_spec(given: Mapping[str, object]) -> Spec:
    """The specification of `given` names and values; what is missing has its default.

    Raises ParameterError with every unknown name, bad value and broken rule between values.
    """
    choice = strategy_parameter()
    name = choice.clean(given.get("strategy", choice.default))
    module = strategies()[name]
    rest = {key: value for key, value in given.items() if key != "strategy"}
    values = clean_parameters((*module.PARAMETERS, *TERMS), rest)
    own = {parameter.name: values.pop(parameter.name) for parameter in module.PARAMETERS}
    spec = Spec(name, own, Terms(**values))
    if problems := [*broken_rules(module, own), *_unfitting(spec)]:
        raise ParameterError(problems)
    return spec


def _unfitting(spec: Spec) -> list[Problem]:
    """Terms that the strategy leaves no room for."""
    if takes_panel(spec.module) and spec.terms.sizing != ALL_IN:
        message = f"{spec.strategy} says itself how much it holds of each ticker; leave sizing at {ALL_IN}."
        return [Problem("sizing", "own_sizes", message)]
    return []


def run(spec: Spec, all_prices: Sequence[Prices]) -> Backtest:
    """Each ticker in its own account, or all in one pool; one that cannot be run is listed with the reason.

    Raises BacktestError if none could be run, or if there are more than MAX_TRADES trades.
    """
    benchmark = _benchmark(spec, all_prices)
    dealt = [prices for prices in all_prices if prices is not benchmark]
    results, skipped = (_run_pool if spec.is_pooled else _run_apart)(spec, dealt)
    if not results:
        reasons = " ".join(f"{skip.ticker}: {skip.reason}" for skip in skipped[:5])
        raise BacktestError(skipped[0].code if skipped else "no_rows", f"No ticker could be run. {reasons}", skipped)
    if sum(len(result.trades) for result in results) > MAX_TRADES:
        raise BacktestError("too_many_trades", f"There are more than {MAX_TRADES:,} trades; use longer windows.")
    return Backtest(spec, tuple(results), tuple(skipped), tuple(all_prices), benchmark)


def _benchmark(spec: Spec, all_prices: Sequence[Prices]) -> Prices | None:
    """The bars of the chosen benchmark, which is held against and not dealt."""
    name = spec.terms.benchmark
    found = next((prices for prices in all_prices if prices.ticker == name), None)
    if name and (found is None or not len(found)):
        raise BacktestError("no_benchmark", f"The benchmark {name} is not in the files.")
    return found


def _run_apart(spec: Spec, all_prices: Sequence[Prices]) -> tuple[list[engine.Result], list[Skipped]]:
    results, skipped = [], []
    for prices in all_prices:
        outcome = unfit(spec, prices) or _run_one(spec, prices)
        (skipped if isinstance(outcome, Skipped) else results).append(outcome)
    return results, skipped


def unfit(spec: Spec, prices: Prices) -> Skipped | None:
    """Why this ticker cannot be run, as far as its bars tell."""
    needed = spec.module.minimum_bars(spec.parameters)
    if len(prices) < needed:
        count = f"{len(prices):,} bar{'' if len(prices) == 1 else 's'}"
        reason = f"{count}; {spec.strategy} with these parameters needs at least {needed:,}."
        return Skipped(prices.ticker, "too_few_bars", reason)
    if spec.terms.fill == NEXT_OPEN and prices.open is None:
        reason = "The file has no open prices, which fill=next_open deals at; choose fill=close."
        return Skipped(prices.ticker, "no_open", reason)
    return None


def _run_one(spec: Spec, prices: Prices) -> engine.Result | Skipped:
    target, terms = spec.module.signals(prices, spec.parameters), spec.terms
    try:
        if terms.is_plain:
            return engine.run(prices, target, terms.initial_investment, terms.fee_rate, terms.fill)
        return _dealt(spec, Panel((prices,)), target[:, None])[0]
    except engine.RangeError as error:
        return Skipped(prices.ticker, "out_of_range", str(error))


def _run_pool(spec: Spec, all_prices: Sequence[Prices]) -> tuple[list[engine.Result], list[Skipped]]:
    skipped = [skip for prices in all_prices if (skip := unfit(spec, prices))]
    left_out = {skip.ticker for skip in skipped}
    fit = [prices for prices in all_prices if prices.ticker not in left_out]
    _require_tickers(spec, len(fit), skipped)
    if not fit:
        return [], skipped
    panel = make_panel(fit)
    _require_common(spec, panel)
    try:
        return _dealt(spec, panel, pool_targets(spec, panel)), skipped
    except engine.RangeError as error:
        raise BacktestError("out_of_range", str(error)) from error


def pool_targets(spec: Spec, panel: Panel) -> np.ndarray:
    """What the strategy wants of each ticker after each close, float64[n, k]."""
    if takes_panel(spec.module):
        return spec.module.weights(panel, spec.parameters)
    return np.column_stack([spec.module.signals(prices, spec.parameters) for prices in panel.prices])


def _dealt(spec: Spec, panel: Panel, target: np.ndarray) -> list[engine.Result]:
    wanted = orders(target, panel.close, panel.times, spec.terms, takes_panel(spec.module))
    return broker.run(panel, target, wanted, spec.terms)


def _require_tickers(spec: Spec, count: int, skipped: Sequence[Skipped]) -> None:
    fewest, most = getattr(spec.module, "TICKERS", (0, count))
    if not fewest <= count <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        reasons = "".join(f" {skip.ticker}: {skip.reason}" for skip in skipped[:5])
        message = f"{spec.strategy} takes {wanted} tickers; {count} can be run.{reasons}"
        raise BacktestError("ticker_count", message, skipped)


def _require_common(spec: Spec, panel: Panel) -> None:
    needed = spec.module.minimum_bars(spec.parameters)
    if len(panel) < max(1, needed):
        message = (
            f"One pool is dealt on the bars that all tickers have, and these have {len(panel):,} in common; "
            f"{spec.strategy} with these parameters needs at least {needed:,}."
        )
        raise BacktestError("too_few_common_bars", message)
