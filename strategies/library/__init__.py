"""The strategies: one module each. Adding a strategy is adding a file here.

A strategy module declares

    TITLE, DESCRIPTION     for people
    PARAMETERS             tuple of Parameter
    check(parameters)      -> list of Problem: rules between parameters
    minimum_bars(parameters)          -> int: fewer bars than this cannot be run
    signals(prices, parameters)       -> float64[n] target position at each close: 0.0 flat, 1.0 all in
    overlays(prices, parameters)      -> dict of label -> float64[n], drawn over the price

`signals` may look at bars up to and including its own, never ahead.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


@cache
def strategies() -> dict[str, ModuleType]:
    """Every strategy by its name, which is its file's name, in alphabetical order."""
    names = sorted(found.name for found in iter_modules(__path__))
    return {name: import_module(f"{__name__}.{name}") for name in names}
