"""`python -m tests.proof [P01 P05.2 … | rest | 3/12]`: tries the promises and prints a row each; 1 if one is not kept.

The parts are tried one after the other, each in the time it is given, and what each came to is kept as it comes. First
comes the first part of each promise, then the second of each that has one: a run that ends early has tried something of
all. A run is never longer than it was given: a part that no longer fits is not begun, and stands in the table as not
tried. A part that failed is tried once more at the end, in twice the time, for a machine that was busy breaks no
promise; the row says so. `rest` tries what has not passed so far, and prints the whole table. `3/12` tries the third of
twelve like shares, for a machine that tests each day and has a quarter of an hour: after twelve days all are tried.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import django

from tests.proof.kept import Kept, today
from tests.proof.register import PROMISES, Part
from tests.proof.table import FAIL, HEAD, PASS, Outcome, Row, summary
from tests.worlds import environment_of, install, install_command, missing_programs, stop

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "var" / "proof.json"
LOGS = ROOT / "var" / "proof-logs"  # of parts that failed: what the servers said
SECONDS_TO_STOP = 150  # a desk is given 60 to stop, and a part may have several
REST, MINUTES = "rest", 360
Numbered = tuple[Part, int]  # a part and its place among those of its promise


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # with the part that is being tried
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=MINUTES, help="no part is begun that may take longer")
    parser.add_argument(
        "chosen", nargs="*", help="P01: a promise; P01.2: one part of it; rest: what has not passed; 3/12: a share"
    )
    given = parser.parse_args(arguments)
    names = [name for name in given.chosen if name != REST and not is_share(name)]
    unknown = [name for name in names if name.partition(".")[0] not in PROMISES]
    if unknown:
        print(f"There is no promise {', '.join(unknown)}: they are {min(PROMISES)} to {max(PROMISES)}.")
        return 2
    install(missing_servers())
    if programs := missing_servers():
        print(f"To be tried the promises need: {install_command(programs)}")
        return 2
    return print_table(given.chosen, given.minutes)


def missing_servers() -> list[str]:
    return [name for name in missing_programs() if name != "chromium"]


def print_table(chosen: list[str], minutes: float) -> int:
    """Tries what is chosen, all without a choice, and prints a row for each promise of which something was."""
    register, kept = read_register(), Kept(KEPT)
    every = every_part(register)
    if strange := {*chosen} - {REST, *PROMISES, *(name_of(*one) for one in every), *filter(is_share, chosen)}:
        print(f"There is no part {', '.join(sorted(strange))}.")
        return 2
    wanted = chosen_parts(every, kept, chosen)
    if REST not in chosen:
        kept.forget([part for part, _ in wanted])
    try:
        try_all(wanted, kept, time.monotonic() + minutes * 60)
    finally:  # stopped or not: what was seen is told
        rows = told_rows(every, wanted, kept, chosen)
        print("\n".join([HEAD, *map(str, rows)]) + f"\n\n{summary(rows)}.", flush=True)
    return 0 if all(row.is_kept for row in rows) else 1


def told_rows(every: list[Numbered], wanted: list[Numbered], kept: Kept, chosen: list[str]) -> list[Row]:
    """Of a share what is in it, of promises and parts of them all there is of each, else all."""
    told = wanted if any(map(is_share, chosen)) else every
    named = {part.promise for part, _ in wanted} if chosen and REST not in chosen else PROMISES
    outcomes = {name: [kept.of(part) for part, _ in told if part.promise == name] for name in PROMISES}
    return [Row(name, title, outcomes[name]) for name, title in PROMISES.items() if name in named]


def chosen_parts(every: list[Numbered], kept: Kept, chosen: list[str]) -> list[Numbered]:
    if REST in chosen:
        return [one for one in every if not kept.is_passed(one[0])]
    shares = [one for name in chosen if is_share(name) for one in share_of(every, name)]
    return [one for one in every if not chosen or {one[0].promise, name_of(*one)} & {*chosen} or one in shares]


def every_part(register: dict[str, list[Part]]) -> list[Numbered]:
    """All parts, in the order in which they are tried: of each promise the first, then of each the second."""
    parts = [(part, number) for parts in register.values() for number, part in enumerate(parts)]
    return sorted(parts, key=lambda one: one[1])


def is_share(name: str) -> bool:
    """Whether it is called as a share is: the third of twelve is 3/12."""
    number, _, count = name.partition("/")
    return number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)


def share_of(every: list[Numbered], name: str) -> list[Numbered]:
    number, _, count = name.partition("/")
    return every[int(number) - 1 :: int(count)]


def name_of(part: Part, number: int) -> str:
    return f"{part.promise}.{number + 1}"


# Trying ----------------------------------------------------------------------------------


def try_all(wanted: list[Numbered], kept: Kept, deadline: float) -> None:
    """Tries each part that may be done by `deadline`, and those that failed once more, in twice the time."""
    for part, number in wanted:
        try_one(part, number, kept, deadline)
    for part, number in wanted:
        first = kept.of(part)
        if first.result == FAIL:
            try_one(replace(part, minutes=2 * part.minutes), number, kept, deadline, first)


def try_one(part: Part, number: int, kept: Kept, deadline: float, first: Outcome | None = None) -> None:
    if part.minutes * 60 > deadline - time.monotonic():
        return
    begun = time.monotonic()
    outcome = outcome_of(part, number)
    outcome = replace(outcome, day=today(), seconds=round(time.monotonic() - begun))
    told = f"{name_of(part, number)}: {outcome.result} after {outcome.seconds} s"
    print(f"{told}{': ' + outcome.seen if outcome.result != PASS else ''}", file=sys.stderr, flush=True)
    if first:
        seen = f"{outcome.seen} (tried twice; the first time: {first.seen})"
        outcome = replace(outcome, seen=seen, seconds=first.seconds + outcome.seconds)
    kept.keep(part, outcome)


def read_register() -> dict[str, list[Part]]:
    """The parts by promise. Their modules import models, so Django is set up here too, for nothing else."""
    with tempfile.TemporaryDirectory(prefix="tradeops-proof-") as folder:
        os.environ |= environment_of({"DJANGO_SETTINGS_MODULE": "tradeops.settings"}, Path(folder))
        django.setup()
        from tests.proof.subjects import REGISTER

        return REGISTER.parts


def outcome_of(part: Part, number: int) -> Outcome:
    """What came of a part, run in a process of its own and stopped when its time is over."""
    with tempfile.TemporaryDirectory(prefix="tradeops-proof-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (folder / "output.txt").open("w") as output:
            command, environment = part_command(part, number, name), environment_of({}, folder / "var")
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
            try:
                process.wait(part.minutes * 60)
                late = False
            except subprocess.TimeoutExpired:
                late = True
            finally:
                stop(process, seconds=SECONDS_TO_STOP)
        outcome = read_outcome(part, folder, late)
        if outcome.result == FAIL:
            print((folder / "output.txt").read_text()[-6000:], file=sys.stderr, flush=True)
            keep_logs(folder, LOGS / name_of(part, number))
        return outcome


def keep_logs(folder: Path, place: Path) -> None:
    """In the place of those of the time before."""
    shutil.rmtree(place, ignore_errors=True)
    for log in folder.rglob("*.log"):
        kept = place / log.relative_to(folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, kept)


def part_command(part: Part, number: int, folder: str) -> list[str]:
    return [sys.executable, "-m", "tests.proof.part", part.promise, str(number), part.world, folder]


def read_outcome(part: Part, folder: Path, late: bool) -> Outcome:
    written = folder / "outcome.json"
    if late:
        return Outcome(FAIL, part.tried, f"not done within {part.minutes:g} minutes")
    if not written.exists():
        return Outcome(FAIL, part.tried, "the check itself ended without an outcome")
    return Outcome(tried=part.tried, **json.loads(written.read_text()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
