"""A single backtest as a process of its own, for those that take long: it can be stopped, and slows no page down.

`python -m strategies.single` takes a specification and price rows on its standard input and answers one line of JSON:
the summary of the run, or why there is none.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from strategies import backtest, pricepack
from strategies.backtest import BacktestError, Spec
from strategies.library import add_folder, takes_panel
from strategies.prices import Prices
from strategies.results import summarize
from strategies.terms import Terms

LONG_SECONDS = 2.0
# Seconds a bar with all that a run tells: most go into working signals out again on bars cut off, which costs a
# strategy that looks at all tickers at once much more.
SECONDS_A_BAR, SECONDS_A_BAR_OF_A_PANEL = 8e-6, 8e-5


def seconds(spec: Spec, all_prices: Sequence[Prices]) -> float:
    """About what one processor takes, summary and checks included."""
    return sum(map(len, all_prices)) * (SECONDS_A_BAR_OF_A_PANEL if takes_panel(spec.module) else SECONDS_A_BAR)


def told(spec: Spec, packed: bytes, data_hash: str, folder: str) -> bytes:
    """What `main` takes: a line of JSON, then the pack of the prices."""
    head = {
        "folder": folder, "strategy": spec.strategy, "parameters": spec.parameters, "terms": spec.terms.told(),
        "data_hash": data_hash,
    }  # fmt: skip
    return json.dumps(head).encode() + b"\n" + packed


def answered(stream: BinaryIO) -> dict:
    """`{"summary": ...}`, or `{"refused": ...}` in words."""
    head = json.loads(stream.readline())
    add_folder(Path(head["folder"]))
    spec = Spec(head["strategy"], head["parameters"], Terms(**head["terms"]))
    try:
        done = backtest.run(spec, pricepack.unpack(stream.read()))
    except BacktestError as error:
        return {"refused": error.message}
    return {"summary": summarize(done, head["data_hash"])}


if __name__ == "__main__":
    json.dump(answered(sys.stdin.buffer), sys.stdout, allow_nan=False)
