"""`python -m bench NAME...`: runs the benchmarks named, or all that are listed, and prints their tables."""

import sys

from . import feed, peers_pnl

BENCHMARKS = {"feed": feed.measure, "pnl": peers_pnl.measure}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        for table in BENCHMARKS[name]():
            print("\n".join(table.lines()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
