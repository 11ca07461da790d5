"""What the commands of backtests share: a flag for each declared parameter, and figures as words."""

import argparse

from django.conf import settings

from strategies.backtest import declared_parameters
from strategies.library import add_folder


def add_value_flags(parser: argparse.ArgumentParser) -> None:
    """A flag for every parameter that a run or any strategy takes, those of one's own too: no app has loaded them."""
    add_folder(settings.STRATEGIES_DIR)
    for parameter in declared_parameters():
        flag = "--" + parameter.name.replace("_", "-")
        about = f"{parameter.help} Default {parameter.default}.".replace("%", "%%")
        parser.add_argument(flag, dest=parameter.name, metavar=parameter.kind.upper(), help=about)


def given_values(options: dict) -> dict[str, str]:
    """The values that were given, by name."""
    names = [parameter.name for parameter in declared_parameters()]
    return {name: options[name] for name in names if options.get(name) is not None}


def known(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:.{places}f}"
