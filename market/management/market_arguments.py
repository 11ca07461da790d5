"""What a simulated market is made of, as a command line asks for it."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import CommandError

from market.calibration import calibrated, with_made_up
from market.simulation import FEWEST_TICKERS, MOST_TICKERS, TICKERS, Character, character_of, tickers_of
from market.tape_files import TapeError, read_tape


def add_market_arguments(parser: ArgumentParser) -> None:
    bounds = f"{FEWEST_TICKERS} to {MOST_TICKERS:,}"
    parser.add_argument("--tickers", type=int, default=None, help=f"how many the simulated market has, {bounds}")
    parser.add_argument(
        "--calibrate", type=Path, default=None, metavar="FILE",
        help="CSV or Parquet of past prices (timestamp, ticker, price): the simulated market is made like them",
    )  # fmt: skip


def asked_characters(count: int | None, file: Path | None) -> dict[str, Character] | None:
    """By ticker; None where neither was asked for. Raises CommandError."""
    try:
        names = TICKERS if count is None else tickers_of(count)
        if file is None:
            return None if count is None else {ticker: character_of(ticker) for ticker in names}
        known = calibrated(read_tape(file.read_bytes(), "1d"))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
    except TapeError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        raise CommandError(f"--{error}." if file is None else f"{file}: {error}.") from error
    return known if count is None else with_made_up(known, count)
