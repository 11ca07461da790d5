"""A parameter grid on CSV files, in the terminal: needs no database; compiles what it works out with."""

import argparse
import json
from importlib import import_module
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from strategies import surface
from strategies.backtest import BacktestError
from strategies.grid import IN_SAMPLE, Grid, make_grid, require_affordable
from strategies.management.arguments import add_value_flags, given_values, known
from strategies.parameters import ParameterError
from strategies.prices import PriceFileError, Prices, read_files
from strategies.sweep_figures import FIGURES, PLACES
from tradeops.core.progress_bar import ProgressBar

# Of FIGURES, in their order, and of the neighbors.
HEADS = (
    "Return %", "Trades", "Won %", "Drawdown %", "Sharpe", "In %", "Out %", "In Sharpe", "Out Sharpe", "Neighbors",
)  # fmt: skip


class Command(BaseCommand):
    help = "Tries every combination of the values of --grid on CSV files of prices, and tells the best."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="CSV")
        parser.add_argument("--grid", required=True, metavar="JSON", help='Such as {"fast": [10, 20], "slow": [100]}.')
        parser.add_argument("--metric", choices=FIGURES, default=FIGURES[0], help="What the best are by.")
        parser.add_argument(
            "--ticker", default="", help="The instrument of a single file whose name is not its ticker."
        )
        parser.add_argument("--in-sample-percentage", metavar="NUMBER", help=IN_SAMPLE.help.replace("%", "%%"))
        parser.add_argument("--json", action="store_true", help="Print all rows, map and best as JSON.")
        add_value_flags(parser)

    def handle(self, *args, **options) -> None:
        try:
            given = given_values(options)
            if options["in_sample_percentage"] is not None:
                given[IN_SAMPLE.name] = options["in_sample_percentage"]
            grid = make_grid(given, options["grid"])
            files = [(path.name, path.read_bytes()) for path in options["files"]]
            all_prices = read_files(files, options["ticker"])
            require_affordable(grid, all_prices)
            rows = self.rows(grid, all_prices)
        except (ParameterError, PriceFileError, BacktestError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        self.stdout.write(
            told(grid, rows, options["metric"]) if options["json"] else table(grid, rows, options["metric"])
        )

    def rows(self, grid: Grid, all_prices: list[Prices]) -> list[dict]:
        count = len(grid.combinations)
        self.stderr.write(f"{count:,} combinations, about {grid.seconds(all_prices):,.0f} s of one processor.")
        # Imported here: it compiles, which nothing else in this process needs.
        sweep, bar, rows = import_module("strategies.sweep"), ProgressBar(self.stderr, "Trying"), []
        for row in sweep.rows(grid, grid.combinations, all_prices):
            rows.append(row)
            bar(len(rows) / count)
        bar.close()
        return rows


def told(grid: Grid, rows: list[dict], metric: str) -> str:
    pair = surface.chosen_axes(grid.axes, None, None)
    answer = {
        "grid": {name: list(values) for name, values in grid.axes.items()},
        "rows": rows,
        "best": surface.best_rows(rows, grid.axes, metric),
        "rank_correlation": surface.rank_correlation(rows),
        "heatmap": surface.heatmap(rows, grid.axes, *pair, metric) if pair else None,
    }
    return json.dumps(answer, allow_nan=False)


def table(grid: Grid, rows: list[dict], metric: str) -> str:
    """The best rows as lines for the terminal."""
    best = surface.best_rows(rows, grid.axes, metric)
    head, *lines = aligned([[*grid.axes, *HEADS], *(cells(grid, row) for row in best)])
    said = f"Best {len(best)} of {len(rows):,} by {metric}."
    if failed := [row["reason"] for row in rows if "reason" in row]:
        said = f"{len(failed):,} of {len(rows):,} combinations could not be run, the first for: {failed[0]}"
    return "\n".join([head, "-" * len(head), *lines, "", said])


def cells(grid: Grid, row: dict) -> list[str]:
    return [
        *(str(row[name]) for name in grid.axes),
        *(known(row[name], max(PLACES[name], 2 if "return" in name else 0)) for name in FIGURES),
        f"{known(row['neighbors']['mean'], 2)} of {row['neighbors']['count']}",
    ]


def aligned(lines: list[list[str]]) -> list[str]:
    """Lines of cells as text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in lines]
