"""A strategy on CSV files, in the terminal: needs no database and imports matplotlib only for pictures."""

import argparse
import json
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from strategies import backtest, pricepack, provenance
from strategies.backtest import Backtest, BacktestError
from strategies.logs import trade_lines
from strategies.management.arguments import add_value_flags, given_values, known
from strategies.parameters import ParameterError
from strategies.pictures import charts
from strategies.portfolio import combine
from strategies.prices import PriceFileError, read_files
from strategies.results import add_curve, summarize

COLUMNS = (
    ("Ticker", 16), ("Bars", 7), ("From", 10), ("To", 10), ("Final value", 16), ("Return %", 12), ("Hold %", 12),
    ("Drawdown %", 10), ("Sharpe", 7), ("Trades", 6), ("Won %", 6),
)  # fmt: skip


class Command(BaseCommand):
    help = "Runs a strategy on CSV files of prices. A file with one instrument is named by its ticker: AAPL.csv."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="CSV")
        add_value_flags(parser)
        parser.add_argument(
            "--ticker", default="", help="The instrument of a single file whose name is not its ticker."
        )
        parser.add_argument("--chart", type=Path, metavar="DIR", help="Write the pictures into this folder.")
        parser.add_argument("--export", type=Path, metavar="FILE", help="Write the trade log as CSV.")
        parser.add_argument("--json", action="store_true", help="Print the whole result as JSON instead of the table.")

    def handle(self, *args, **options) -> None:
        try:
            done, result = self.run(options)
            if options["export"]:
                options["export"].write_text("".join(trade_lines(done, origin_of(done, result))), newline="")
            if options["chart"]:
                result["charts"] = write_charts(done, options["chart"], origin_of(done, result).words)
        except (ParameterError, PriceFileError, BacktestError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}.") from error
        self.stdout.write(json.dumps(result, allow_nan=False) if options["json"] else table(result))

    def run(self, options: dict) -> tuple[Backtest, dict]:
        """The finished backtest and its result in the shape the API answers, without a kept run."""
        spec = backtest.make_spec(given_values(options))
        all_prices = read_files([(path.name, path.read_bytes()) for path in options["files"]], options["ticker"])
        done = backtest.run(spec, all_prices)
        summary = summarize(done, pricepack.digest(pricepack.pack(all_prices)))
        summary["portfolio"] = add_curve(summary["portfolio"], combine(done.results))
        return done, {"status": summary.pop("status"), "run_id": None} | summary | {"charts": {}}


def origin_of(done: Backtest, result: dict) -> provenance.Origin:
    """What pictures and log came from; there is no kept run."""
    data_hash = result["data_hash"]
    return provenance.Origin(data_hash, provenance.fingerprint(done.spec, data_hash))


def write_charts(done: Backtest, folder: Path, mark: str) -> dict[str, str]:
    """Writes overview.png, months.png and one PNG a ticker; returns ticker -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overview.png").write_bytes(charts().draw_overview(done, mark=mark))
    (folder / "months.png").write_bytes(charts().draw_months(done, mark=mark))
    written = {}
    for result in done.results:
        path = folder / f"{result.prices.ticker}.png"
        path.write_bytes(charts().draw_ticker(done, result, mark=mark))
        written[result.prices.ticker] = str(path)
    return written


def table(result: dict) -> str:
    """The result as lines for the terminal."""
    width = max([len(ticker["ticker"]) for ticker in result["tickers"]] + [6])
    head = "  ".join([f"{'Ticker':<{width}}", *(f"{name:>{size}}" for name, size in COLUMNS[1:])])
    rows = [row(ticker, width) for ticker in result["tickers"]]
    skipped = [f"Skipped {skip['ticker']}: {skip['reason']}" for skip in result["skipped"]]
    return "\n".join([head, "-" * len(head), *rows, "", *totals(result), *skipped])


def row(ticker: dict, width: int) -> str:
    cells = (
        f"{ticker['bars']:,}", ticker["first_date"][:10], ticker["last_date"][:10], f"{ticker['final_value']:,.2f}",
        f"{ticker['return_percentage']:+,.2f}", f"{ticker['buy_and_hold_return_percentage']:+,.2f}",
        f"{ticker['max_drawdown_percentage']:.2f}", known(ticker["sharpe_ratio"], 3), str(ticker["closed_trades"]),
        known(ticker["win_rate_percentage"], 1),
    )  # fmt: skip
    sized = (f"{cell:>{size}}" for cell, (_, size) in zip(cells, COLUMNS[1:], strict=True))
    return "  ".join([f"{ticker['ticker']:<{width}}", *sized])


def totals(result: dict) -> list[str]:
    counts, told = result["summary"], result["assumptions"]
    values = ", ".join(f"{name} {value}" for name, value in result["parameters"].items())
    return [
        f"Invested {result['total_initial_investment']:,.2f}, final value {result['final_value']:,.2f}, "
        f"profit or loss {result['overall_profit_loss']:+,.2f} ({result['overall_return_percentage']:+,.2f} %)",
        f"{counts['profitable_tickers']} profitable, {counts['losing_tickers']} losing, {counts['flat_tickers']} flat; "
        f"won {known(counts['win_rate_percentage'], 1)} %",
        f"{result['strategy']}, {values}; fills {told['fill_price']}; fee {told['fee_bps']:g} bps a side; "
        f"{told['annualization']}",
        f"Data hash {result['data_hash']}",
    ]
