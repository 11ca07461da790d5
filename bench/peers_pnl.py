"""The ledger's arithmetic against other programs' on random fills: vectorbt for average cost, backtesting.py for FIFO.

They reckon in binary floating point, the ledger in decimals, so they agree to TOLERANCE and not to the last digit.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bench.tables import Table
from trades.ledger import Fill, Method, fold

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "bench" / "requirements-pnl.txt"
VAR = Path(os.environ.get("TRADEOPS_VAR") or ROOT / "var").resolve()
SEQUENCES, FILLS, SEED = 200, 60, 20250115
START = datetime(2025, 1, 15, tzinfo=UTC)
TOLERANCE = 1e-9  # of the money that changed hands
PEERS = [("vectorbt", Method.AVERAGE_COST, 0), ("backtesting.py", Method.FIFO, 2)]


def measure(ground=None, size=None) -> Iterator[Table]:
    """One table: how far the peers' books lie from the ledger's. Raises AssertionError beyond TOLERANCE."""
    sequences = random_sequences(random.Random(SEED))
    books = books_of_peers(sequences)
    table = Table(
        f"P&L of {SEQUENCES} random sequences of {FILLS} fills, long, short and through zero",
        ["peer", "method", "sequences that agree", "largest difference of realized", "of open cost"],
    )
    for name, method, column in PEERS:
        table.rows.append(compare(name, method, sequences, [book[column : column + 2] for book in books]))
    table.notes.append(f"A difference is a share of the money that changed hands; all are to be below {TOLERANCE:g}.")
    yield table


def random_sequences(chance: random.Random) -> list[list[tuple[int, str]]]:
    """Signed whole units and prices of two decimals: what all three programs take."""
    return [
        [(chance.choice([-1, 1]) * chance.randint(1, 200), f"{chance.uniform(5, 500):.2f}") for _ in range(FILLS)]
        for _ in range(SEQUENCES)
    ]


def compare(name: str, method: Method, sequences: list, books: list) -> list[str]:
    worst = [0.0, 0.0]
    for fills, book in zip(sequences, books, strict=True):
        own = ledger_book(fills, method)
        turnover = sum(abs(quantity) * float(price) for quantity, price in fills)
        apart = [abs(float(here) - there) / turnover for here, there in zip(own, book, strict=True)]
        if max(apart) > TOLERANCE:
            raise AssertionError(f"{name} has {book}, the ledger {own}, of {fills}.")
        worst = [max(pair) for pair in zip(worst, apart, strict=True)]
    return [name, method.value, f"{len(sequences)} of {len(books)}", *(f"{share:.1e}" for share in worst)]


def ledger_book(fills: list[tuple[int, str]], method: Method) -> tuple[Decimal, Decimal]:
    """Realized P&L and the cost of what is open."""
    rows = [
        Fill(number, START + timedelta(minutes=number), Decimal(quantity), Decimal(price))
        for number, (quantity, price) in enumerate(fills)
    ]
    holding = fold(rows, method).holding
    return holding.realized_pnl, holding.cost


# The peers ------------------------------------------------------------------------------


def books_of_peers(sequences: list) -> list[list[float]]:
    said = json.dumps([[[quantity, float(price)] for quantity, price in fills] for fills in sequences])
    command = [str(peers_python()), str(ROOT / "bench" / "peers" / "pnl_books.py")]
    done = subprocess.run(command, input=said, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The peers did not run: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def peers_python() -> Path:
    """The Python of the peers' own environment, made once for the requirements as they are."""
    folder = VAR / "peers-pnl"
    installed, wanted = folder / "installed.txt", REQUIREMENTS.read_text()
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
        installed.write_text(wanted)
    return folder / "bin" / "python"


if __name__ == "__main__":
    for made in measure():
        print("\n".join(made.lines()))
