"""The strategies: one module each. Adding a strategy is adding a file here, or to the folder of one's own.

A strategy module declares

    TITLE, DESCRIPTION     for people
    PARAMETERS             tuple of Parameter: form, API help and sweep grids are made from them
    minimum_bars(parameters)          -> int: fewer bars than this cannot be run

and one of

    signals(prices, parameters)       -> float64[n] target at each close: 1.0 long, 0.0 flat, -1.0 short
    weights(panel, parameters)        -> float64[n, tickers] share of one pool of cash in each ticker, -1.0 to 1.0;
                                         with TICKERS = (fewest, most), how many it takes

and may declare

    check(parameters)                 -> list of Problem: rules between parameters
    overlays(prices, parameters)      -> dict of label -> float64[n], drawn over the price

`signals` and `weights` may look at bars up to and including their own, never ahead: every run is checked for it.
What a run allows (long alone, or shorts too) and how much is dealt are its terms, not the strategy's.
"""

from functools import cache
from importlib import import_module, invalidate_caches
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from strategies.parameters import Parameter, Problem


def add_folder(folder: Path) -> None:
    """Strategies are looked for in this folder too; a name that ships with the desk stays the shipped one."""
    if str(folder) not in __path__:
        __path__.append(str(folder))
        strategies.cache_clear()


@cache
def strategies() -> dict[str, ModuleType]:
    """Every strategy by its name, which is its file's name, in alphabetical order.

    Raises TypeError naming the file that does not declare what a strategy must.
    """
    invalidate_caches()  # a file that was put there after the last look
    names = sorted({found.name for found in iter_modules(__path__) if not found.name.startswith("_")})
    return {name: _declared(import_module(f"{__name__}.{name}")) for name in names}


def _declared(module: ModuleType) -> ModuleType:
    missing = [name for name in ("TITLE", "DESCRIPTION", "PARAMETERS", "minimum_bars") if not hasattr(module, name)]
    if not missing and hasattr(module, "signals") == hasattr(module, "weights"):
        missing = ["signals or weights, one of the two"]
    if missing:
        raise TypeError(f"{module.__file__} is no strategy: it does not declare {', '.join(missing)}.")
    return module


def takes_panel(module: ModuleType) -> bool:
    """Whether the strategy looks at all tickers at once and deals from one pool."""
    return hasattr(module, "weights")


def broken_rules(module: ModuleType, parameters: dict) -> list[Problem]:
    """What the strategy's own rules between parameters say against these."""
    return module.check(parameters) if hasattr(module, "check") else []


def overlays_of(module: ModuleType, prices, parameters: dict) -> dict:
    """What the strategy has drawn over the price; nothing where it declares nothing."""
    return module.overlays(prices, parameters) if hasattr(module, "overlays") else {}


def with_defaults(module: ModuleType, parameters: dict) -> dict:
    """`parameters` completed: a run that was kept before a parameter existed is one with its default."""
    declared: tuple[Parameter, ...] = module.PARAMETERS
    return {parameter.name: parameters.get(parameter.name, parameter.default) for parameter in declared} | parameters
