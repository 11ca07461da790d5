"""`python -m tests`: the suite in both worlds side by side, each with a state folder of its own.

What waits for servers, desks and a browser of its own is a run beside the rest of its world: much of it is waiting.

With CI=true a part that cannot be had is a failure. Otherwise the rest runs, and the last
lines say what was left out and the one command that adds it.
"""

import compileall
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from tests import worlds

ROOT = Path(__file__).resolve().parent.parent
TIME_LIMIT_SECONDS = 40 * 60
WAITING = (
    "tests/paths", "tests/core/test_worker.py", "tests/faults/test_wire.py", "tests/market/test_consumers.py",
    "tests/market/test_handshake.py", "tests/market/test_hub.py", "tests/market/test_takeover.py",
    "tests/market/test_watch_example.py", "tests/test_production.py", "tests/test_serve_http.py", "tests/test_up.py",
)  # fmt: skip
NOTHING_COLLECTED = 5  # pytest's status where the arguments name nothing of this run


class Run:
    """One pytest process in one world."""

    def __init__(self, name: str, environment: dict[str, str], arguments: list[str], folder: Path):
        self.name, self.folder = name, folder
        self.report = folder / "report.xml"
        self.output = (folder / "output.txt").open("w+")
        command = [sys.executable, "-m", "coverage", "run", "-m", "pytest", f"--junitxml={self.report}", *arguments]
        environment |= {"COVERAGE_FILE": str(ROOT / f".coverage.{name}"), "COVERAGE_CORE": "sysmon"}
        self.process = subprocess.Popen(
            command, env=environment, stdout=self.output, stderr=subprocess.STDOUT, cwd=ROOT, stdin=subprocess.DEVNULL
        )

    def finish(self) -> dict[str, int]:
        try:
            status = self.process.wait(TIME_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            worlds.stop(self.process)
            status = 124
        self.output.seek(0)
        print(f"\n===== {self.name} =====\n{self.output.read()}", flush=True)
        return self.counts(status)

    def counts(self, status: int) -> dict[str, int]:
        """Passed, failed and skipped; a run that ended badly without saying so counts as one failure."""
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        if self.report.exists():
            suite = ElementTree.parse(self.report).getroot().find("testsuite").attrib  # noqa: S314 - our own file
            failed = int(suite["failures"]) + int(suite["errors"])
            skipped = int(suite["skipped"])
            counts = {"passed": int(suite["tests"]) - failed - skipped, "failed": failed, "skipped": skipped}
        if status not in (0, NOTHING_COLLECTED) and not counts["failed"]:
            counts["failed"] = 1
        return counts


def main(arguments: list[str]) -> int:
    strict = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    worlds.install(worlds.missing_programs())
    missing = worlds.missing_programs()
    compile_own()
    totals = run_worlds(missing, arguments)
    report_coverage()
    if missing:
        print(f"\nLeft out, for want of {', '.join(missing)}. To add it: {worlds.install_command(missing)}")
    failed = totals["failed"] + (len(missing) if strict else 0)
    if strict and totals["skipped"]:
        print("With CI=true a skipped test is a failure.")
        failed += totals["skipped"]
    print(f"\n{totals['passed']} passed, {failed} failed", flush=True)
    return 1 if failed or not totals["passed"] else 0


def compile_own() -> None:
    """Once for some hundred processes: each would do it for itself where Python is told to write no bytecode."""
    for package in ("tradeops", "market", "trades", "strategies", "analytics"):
        compileall.compile_dir(ROOT / package, quiet=1)


def run_worlds(missing: list[str], arguments: list[str]) -> dict[str, int]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tradeops-tests-")))
        parts = parts_of(missing, arguments)
        runs = [start(f"embedded{part}", {}, chosen, folder) for part, chosen in parts.items()]
        if not {"postgres", "redis-server"} & set(missing):
            for part, chosen in parts.items():
                runs.append(start(f"services{part}", stack.enter_context(worlds.Services()), chosen, folder))
        counts = [run.finish() for run in runs]
    return {word: sum(count[word] for count in counts) for word in ("passed", "failed", "skipped")}


def parts_of(missing: list[str], arguments: list[str]) -> dict[str, list[str]]:
    """What each run of a world is told; a suite that somebody chose is one run."""
    browserless = ["-m", "not browser"] if "chromium" in missing else []
    if arguments:
        return {"": [*browserless, *arguments]}
    return {
        "": [*browserless, *(f"--ignore={path}" for path in WAITING)],
        "-waiting": [*browserless, *WAITING],
    }


def start(name: str, settings: dict[str, str], arguments: list[str], folder: Path) -> Run:
    own = folder / name
    own.mkdir()
    return Run(name, worlds.environment_of(settings, own / "var"), arguments, own)


def report_coverage() -> None:
    quiet = {"capture_output": True, "text": True, "cwd": ROOT, "check": False}
    subprocess.run([sys.executable, "-m", "coverage", "combine", "-q"], **quiet)
    done = subprocess.run([sys.executable, "-m", "coverage", "report", "--format=total"], **quiet)
    print(f"\nCoverage of the five packages: {done.stdout.strip()} %")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
