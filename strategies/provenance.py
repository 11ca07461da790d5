"""What a run rests on, as one hash: code, strategy, parameters, price rows, fills and fees."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from strategies.backtest import Spec
from strategies.library import strategies

FOLDER = Path(__file__).parent
SOURCES = (
    "backtest.py", "broker.py", "charts.py", "curves.py", "engine.py", "excursions.py", "indicators.py",
    "look_ahead.py", "metrics.py", "panel.py", "portfolio.py", "quality.py", "results.py", "sizing.py", "stops.py",
    "terms.py",
)  # fmt: skip
SHOWN_DIGITS = 16  # of a hash: enough to find the run by, and short enough to be printed
FORMULAS = ("annualization.py", "statistics.py")
LIBRARIES = ("numpy", "matplotlib")
# What puts a result into words, rows and pages: without it the same result would be told otherwise, not be another.
WRITERS = ("api.py", "logs.py", "report.py", "serializers.py")


@cache
def code_digest() -> str:
    """SHA-256 over the sources that make results and pictures, and the versions of the libraries under them."""
    paths = [FOLDER / name for name in SOURCES]
    paths += [Path(module.__file__) for module in strategies().values()]
    paths += [FOLDER.parent / "tradeops" / "core" / name for name in FORMULAS]
    return digest_of(paths, " ".join(f"{name} {version(name)}" for name in LIBRARIES))


@cache
def answers_digest() -> str:
    """The same, and over what writes the answers: a client may keep one for as long as this does not change."""
    project = FOLDER.parent
    paths = [FOLDER / name for name in WRITERS]
    paths += sorted((project / "templates" / "strategies").glob("*.html"))
    paths += [project / "tradeops" / "templatetags" / "desk.py", project / "tradeops" / "core" / "csvfile.py"]
    paths += [project / "static" / "css" / name for name in ("tokens.css", "desk.css")]
    return digest_of(paths, code_digest())


def digest_of(paths: Iterable[Path], rest: str) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    found.update(rest.encode())
    return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a picture or a log comes from, as it is printed there; `run_id` is None where no run was kept."""

    data_hash: str
    fingerprint: str
    run_id: int | None = None

    @property
    def columns(self) -> dict[str, object]:
        shown = {"data_hash": self.data_hash[:SHOWN_DIGITS], "fingerprint": self.fingerprint[:SHOWN_DIGITS]}
        return {"run_id": "" if self.run_id is None else self.run_id} | shown

    @property
    def words(self) -> str:
        run = "" if self.run_id is None else f"run {self.run_id} · "
        return f"TradeOps · {run}data {self.data_hash[:SHOWN_DIGITS]} · fingerprint {self.fingerprint[:SHOWN_DIGITS]}"


def fingerprint(spec: Spec, data_hash: str) -> str:
    """64 hexadecimal digits: equal when code, specification and price rows are equal."""
    told = [code_digest(), spec.strategy, spec.parameters, spec.terms.told(), data_hash]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
