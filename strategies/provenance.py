"""What a run rests on, as one hash: code, strategy, parameters, price rows, fills and fees."""

import hashlib
import json
from functools import cache
from importlib.metadata import version
from pathlib import Path

from strategies.backtest import Spec

FOLDER = Path(__file__).parent
SOURCES = ("engine.py", "indicators.py", "portfolio.py", "results.py", "charts.py", "library/*.py")
FORMULAS = ("annualization.py", "statistics.py")
LIBRARIES = ("numpy", "matplotlib")


@cache
def code_digest() -> str:
    """SHA-256 over the sources that make results and pictures, and the versions of the libraries under them."""
    paths = [path for pattern in SOURCES for path in sorted(FOLDER.glob(pattern))]
    paths += [FOLDER.parent / "tradeops" / "core" / name for name in FORMULAS]
    found = hashlib.sha256()
    for path in paths:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    found.update(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    return found.hexdigest()


def fingerprint(spec: Spec, data_hash: str) -> str:
    """64 hexadecimal digits: equal when code, specification and price rows are equal."""
    told = [code_digest(), spec.strategy, spec.parameters, spec.initial_investment, spec.fee_bps, spec.fill, data_hash]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
