"""Known parts: all that is installed is pinned with hashes, and none of it is known to be vulnerable."""

import json
import re
import subprocess
import venv
from pathlib import Path

from tests.proof.ground import Ground
from tests.proof.register import EMBEDDED, Unreachable, tries

ROOT = Path(__file__).resolve().parents[2]
AUDITOR = "pip-audit==2.10.1"
# What is known of a part and does not concern how it is used here: the number of the advisory, and why.
EXPLAINED: dict[str, str] = {}
PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+")
HASH = "--hash=sha256:"


def locked_files() -> list[Path]:
    return sorted([*ROOT.glob("requirements*.txt"), *ROOT.glob("bench/requirements*.txt")])


@tries("P35", "every locked requirement: pinned to a version, with hashes", world=EMBEDDED)
def every_part_is_pinned(ground: Ground) -> str:
    counts = {}
    for file in locked_files():
        blocks = re.split(r"\n(?=\S)", file.read_text().strip())
        wanted = [block for block in blocks if not block.startswith("#")]
        loose = [block.partition("\n")[0] for block in wanted if not PINNED.match(block) or HASH not in block]
        assert wanted and not loose, f"{file.name}: {loose[:3] or 'nothing is pinned'}"
        counts[file.relative_to(ROOT)] = len(wanted)
    return f"{sum(counts.values())} requirements in {len(counts)} files, each with a version and hashes"


@tries("P35", "pip-audit over every file, in an environment of its own", world=EMBEDDED, minutes=8)
def no_part_is_known_to_be_vulnerable(ground: Ground) -> str:
    program = install_auditor(ground.folder / "audit")
    parts = [part for file in locked_files() for part in audit(program, file)]
    # pip-audit passes over what its source does not know, and calls the rest clean.
    skipped = [part["skip_reason"] for part in parts if "skip_reason" in part]
    found = {f"{part['name']}: {one['id']}" for part in parts for one in part.get("vulns", [])}
    unexplained = sorted(one for one in found if one.partition(": ")[2] not in EXPLAINED)
    assert not unexplained, f"{len(unexplained)} known: {', '.join(unexplained[:5])}"
    if skipped:
        raise Unreachable(f"nothing is said of {len(skipped)} of {len(parts)} parts: {skipped[0]}")
    assert len(parts) >= least_parts(), f"pip-audit speaks of {len(parts)} parts alone"
    return f"{len(parts)} parts audited, none is known to be vulnerable"


def least_parts() -> int:
    """How many requirements hold everywhere: pip-audit leaves out those of other systems."""
    lines = [line for file in locked_files() for line in file.read_text().splitlines()]
    return sum(bool(PINNED.match(line)) and ";" not in line for line in lines)


def install_auditor(folder: Path) -> Path:
    venv.create(folder, with_pip=True)
    command = [folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", AUDITOR]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unreachable(f"pip-audit could not be installed: {done.stderr.strip()[-200:]}")
    return folder / "bin" / "pip-audit"


def audit(program: Path, file: Path) -> list[dict]:
    """What pip-audit says of each part of a file."""
    command = [program, "-r", file, "--require-hashes", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout.startswith("{"):
        raise Unreachable(f"pip-audit gave no answer: {done.stderr.strip()[-200:]}")
    return json.loads(done.stdout)["dependencies"]
