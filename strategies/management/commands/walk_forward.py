"""A walk-forward over CSV files, in the terminal: choose on one stretch, deal on the next."""

import argparse
import json
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from strategies.backtest import BacktestError
from strategies.grid import make_grid
from strategies.management.arguments import add_value_flags, given_values, known
from strategies.parameters import ParameterError
from strategies.prices import PriceFileError, read_files
from strategies.walk_forward import walk


class Command(BaseCommand):
    help = "Chooses the best of --grid on a training stretch, deals it on the next, and moves on through the bars."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="CSV")
        parser.add_argument("--grid", required=True, metavar="JSON", help='Such as {"fast": [10, 20], "slow": [100]}.')
        parser.add_argument("--train", type=int, default=1000, help="Bars of each training stretch. Default 1000.")
        parser.add_argument("--test", type=int, default=250, help="Bars dealt after each of them. Default 250.")
        parser.add_argument("--json", action="store_true", help="Print the walk as JSON.")
        add_value_flags(parser)

    def handle(self, *args, **options) -> None:
        try:
            grid = make_grid(given_values(options), options["grid"])
            all_prices = read_files([(path.name, path.read_bytes()) for path in options["files"]])
            walks = [walk(grid, prices, options["train"], options["test"]).told() for prices in all_prices]
        except (ParameterError, PriceFileError, BacktestError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        self.stdout.write(json.dumps(walks, allow_nan=False) if options["json"] else "\n\n".join(map(table, walks)))


def table(walk: dict) -> str:
    """One ticker's walk as lines for the terminal."""
    head = f"{'From':<12}{'To':<12}{'Chosen':<32}{'In sample %':>12}{'Unseen %':>10}{'Trades':>8}"
    lines = [
        f"{fold['first_date'][:10]:<12}{fold['last_date'][:10]:<12}{_values(fold['parameters']):<32}"
        f"{fold['in_sample_return_percentage']:>+12.2f}{fold['out_of_sample_return_percentage']:>+10.2f}{fold['trades']:>8}"
        for fold in walk["folds"]
    ]
    total = (
        f"Unseen, stitched: {walk['return_percentage']:+.2f} %, drawdown {walk['max_drawdown_percentage']:.2f} %, "
        f"Sharpe {known(walk['sharpe_ratio'], 2)}, efficiency {known(walk['efficiency'], 2)}"
    )
    return "\n".join([walk["ticker"], head, "-" * len(head), *lines, total])


def _values(parameters: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
