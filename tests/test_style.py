"""The tree passes ruff, and says nothing it should not."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.pure


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_ruff_finds_nothing(command):
    done = subprocess.run([sys.executable, "-m", "ruff", *command, "."], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_templates_hold_no_inline_script_or_style():
    # Statement and report are files by themselves, downloaded and opened elsewhere: they bring their own style.
    wrong, files = [], {ROOT / "templates/analytics/statement.html", ROOT / "templates/strategies/report.html"}
    for path in set((ROOT / "templates").rglob("*.html")) - files:
        text = path.read_text()
        if " style=" in text or "<style" in text or " onclick=" in text or "<script>" in text:
            wrong.append(str(path.relative_to(ROOT)))
    assert wrong == []


def test_every_requirement_is_pinned_with_hashes():
    for name in ("requirements.txt", "requirements-sight.txt", "requirements-test.txt"):
        entries = [line for line in (ROOT / name).read_text().splitlines() if line and line[0].isalnum()]
        assert entries
        assert [line for line in entries if "==" not in line or not line.endswith("\\")] == []


def test_every_requirement_has_a_line_in_the_readme():
    readme = (ROOT / "README.md").read_text().lower()
    names = [
        line.split("[")[0].split(">")[0].strip().lower() for line in (ROOT / "requirements.in").read_text().splitlines()
    ]
    assert [name for name in names if name and not name.startswith("#") and name not in readme] == []
