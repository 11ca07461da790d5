"""`python -m bench [--size full|ci] [NAME...]`: runs the benchmarks named, or all, and prints their tables."""

import argparse
import signal
import sys
import time

from . import booking, feed, folds, imports, lake, lists, peers_pnl, processes, scale, strategies
from .ground import Ground
from .machine import noise_line
from .sizes import SIZES

BENCHMARKS = {
    "lists": lists.measure,
    "booking": booking.measure,
    "imports": imports.measure,
    "folds": folds.measure,
    "lake": lake.measure,
    "feed": feed.measure,
    "pnl": peers_pnl.measure,
    "strategies": strategies.measure,
    "scale": scale.measure,
    "processes": processes.measure,
}


def main(arguments: list[str]) -> int:
    """The exit status: 0 where all is reached, 1 where a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition(":")[2].strip())
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--size", choices=SIZES, default="full")
    asked = parser.parse_args(arguments)
    for name in asked.names:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name}; there are {', '.join(BENCHMARKS)}")
    return run(asked.names or list(BENCHMARKS), asked.size)


def run(names: list[str], size: str) -> int:
    missed = 0
    print(noise_line(), flush=True)
    for name in names:
        began = time.monotonic()
        with Ground() as ground:
            for table in BENCHMARKS[name](ground, SIZES[size]):
                print("", *table.lines(), sep="\n", flush=True)
                missed += sum(not verdict.is_reached for verdict in table.verdicts)
        print(f"`{name}` took {time.monotonic() - began:.0f} s. {noise_line()}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end with it
    sys.exit(main(sys.argv[1:]))
