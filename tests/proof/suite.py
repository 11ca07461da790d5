"""Tests of the suite that already try a promise at its size, run for the table."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.proof.ground import Ground
from tests.worlds import environment_of, stop

ROOT = Path(__file__).resolve().parents[2]
BAD = ("failure", "error", "skipped")


def passed_tests(ground: Ground, *nodes: str, least: int, words: str = "", world: dict[str, str] | None = None) -> int:
    """How many tests passed of those named (and holding one of `words`), run in this part's world.

    Raises AssertionError with the first that does not pass, or where fewer than `least` were found: one that is called
    otherwise by now would be missed by nobody. `world` is another than this part's: {} is the embedded one.
    """
    report = ground.folder / f"report-{next(ground.numbers)}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--create-db", f"--junitxml={report}", *nodes]
    command += ["-k", words] if words else []
    # Its own state folder, so that what runs beside it keeps its own.
    folder = report.with_suffix("")
    environment = os.environ | {"TRADEOPS_VAR": str(folder)} if world is None else environment_of(world, folder)
    said = report.with_suffix(".txt")
    with said.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            process.wait()
        finally:  # stopped for its time, it must stop what its tests have started
            stop(process, signal.SIGINT)
    assert report.exists(), said.read_text()[-500:]
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    bad = [case for case in cases if any(inner.tag in BAD for inner in case)]
    assert not bad, f"{bad[0].get('name')} does not pass"
    assert len(cases) >= least, f"{len(cases)} tests were found of at least {least}"
    return len(cases)
