"""`python -m tests.proof [P01 P02 …]`: tries the promises, prints a row each; exit status 1 if one is not kept."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import django

from tests.proof.register import PROMISES, Part
from tests.proof.table import FAIL, HEAD, Outcome, Row, summary
from tests.worlds import environment_of, install, install_command, missing_programs, stop

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_STOP = 60


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # with the part that is being tried
    chosen = arguments or list(PROMISES)
    unknown = [name for name in chosen if name not in PROMISES]
    if unknown:
        print(f"There is no promise {', '.join(unknown)}: they are {min(PROMISES)} to {max(PROMISES)}.")
        return 2
    install(missing_servers())
    if programs := missing_servers():
        print(f"To be tried the promises need: {install_command(programs)}")
        return 2
    return print_table(chosen)


def missing_servers() -> list[str]:
    return [name for name in missing_programs() if name != "chromium"]


def print_table(chosen: list[str]) -> int:
    parts = read_register()
    print(HEAD, flush=True)
    rows = []
    for promise in chosen:
        rows.append(Row(promise, PROMISES[promise], [outcome_of(part, n) for n, part in enumerate(parts[promise])]))
        print(rows[-1], flush=True)
    print(f"\n{summary(rows)}.")
    return 0 if all(row.is_kept for row in rows) else 1


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
        return outcome


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
