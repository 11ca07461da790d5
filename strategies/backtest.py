"""One backtest: a checked specification on the bars of one or more tickers, without Django.

The API, the pages and the command line all pass what they were given to `make_spec` and hand its answer to `run`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from strategies import engine
from strategies.library import strategies
from strategies.parameters import Parameter, ParameterError, clean_parameters
from strategies.prices import Prices

STRATEGY = Parameter("strategy", "choice", "ma_crossover", "Which rule makes the signals.", choices=tuple(strategies()))
MAX_TRADES = 50_000
RUN_PARAMETERS = (
    Parameter(
        "initial_investment", "number", 10000.0, "Cash each ticker's account starts with.", 0.01, 1e12, 0.01
    ),
    Parameter(
        "fee_bps", "number", 0.0, "Fee on the notional of each side; 10 is 0.1 %.", 0.0, 1000.0, 0.01,
        unit="basis points",
    ),
    Parameter(
        "fill", "choice", "close", "Deal at the signal bar's close, or at the open of the bar after it.",
        choices=engine.FILLS,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run: names and values checked, nothing left out."""

    strategy: str
    parameters: dict
    initial_investment: float
    fee_bps: float
    fill: str

    @property
    def module(self) -> ModuleType:
        return strategies()[self.strategy]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A ticker that was not run, and why."""

    ticker: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Backtest:
    """The results of all tickers that could be run, by ticker, and those that could not."""

    spec: Spec
    results: tuple[engine.Result, ...]
    skipped: tuple[Skipped, ...]


class BacktestError(ValueError):
    """No result can be given: `code` and `message` say why, `skipped` names the tickers where that is the reason."""

    def __init__(self, code: str, message: str, skipped: Sequence[Skipped] = ()):
        super().__init__(message)
        self.code, self.message, self.skipped = code, message, tuple(skipped)


def declared_parameters() -> tuple[Parameter, ...]:
    """Every parameter that a run or any strategy takes, once each."""
    own = [parameter for module in strategies().values() for parameter in module.PARAMETERS]
    return tuple({parameter.name: parameter for parameter in (STRATEGY, *own, *RUN_PARAMETERS)}.values())


def make_spec(given: Mapping[str, object]) -> Spec:
    """The specification of `given` names and values; what is missing has its default.

    Raises ParameterError with every unknown name, bad value and broken rule between values.
    """
    name = STRATEGY.clean(given.get("strategy", STRATEGY.default))
    module = strategies()[name]
    rest = {key: value for key, value in given.items() if key != "strategy"}
    values = clean_parameters((*module.PARAMETERS, *RUN_PARAMETERS), rest)
    own = {parameter.name: values.pop(parameter.name) for parameter in module.PARAMETERS}
    if problems := module.check(own):
        raise ParameterError(problems)
    return Spec(name, own, **values)


def run(spec: Spec, all_prices: Sequence[Prices]) -> Backtest:
    """Each ticker in its own account; one that cannot be run is listed with the reason.

    Raises BacktestError if none could be run, or if there are more than MAX_TRADES trades.
    """
    results, skipped = [], []
    for prices in all_prices:
        outcome = _run_one(spec, prices)
        (skipped if isinstance(outcome, Skipped) else results).append(outcome)
    if not results:
        reasons = " ".join(f"{skip.ticker}: {skip.reason}" for skip in skipped[:5])
        raise BacktestError(skipped[0].code if skipped else "no_rows", f"No ticker could be run. {reasons}", skipped)
    if sum(len(result.trades) for result in results) > MAX_TRADES:
        raise BacktestError("too_many_trades", f"There are more than {MAX_TRADES:,} trades; use longer windows.")
    return Backtest(spec, tuple(results), tuple(skipped))


def _run_one(spec: Spec, prices: Prices) -> engine.Result | Skipped:
    needed = spec.module.minimum_bars(spec.parameters)
    if len(prices) < needed:
        count = f"{len(prices):,} bar{'' if len(prices) == 1 else 's'}"
        reason = f"{count}; {spec.strategy} with these parameters needs at least {needed:,}."
        return Skipped(prices.ticker, "too_few_bars", reason)
    if spec.fill == engine.NEXT_OPEN and prices.open is None:
        return Skipped(prices.ticker, "no_open", "The file has no open prices, which fill=next_open deals at.")
    target = spec.module.signals(prices, spec.parameters)
    try:
        return engine.run(prices, target, spec.initial_investment, spec.fee_bps / 10_000, spec.fill)
    except engine.RangeError as error:
        return Skipped(prices.ticker, "out_of_range", str(error))
