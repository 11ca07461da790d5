"""deploy/find-python.sh: the newest Python that fits, or one plain sentence."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure
SCRIPT = Path(__file__).resolve().parent.parent / "deploy" / "find-python.sh"
OLD_PYTHON = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def folder(tmp_path):
    """A PATH with the tools of any machine, and a python3 that is too old."""
    for name in ("sh", "ls", "sort"):
        (tmp_path / name).symlink_to(shutil.which(name))
    write_program(tmp_path / "python3", OLD_PYTHON)
    return tmp_path


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def find(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    environment = {"PATH": str(folder), **environment}
    return subprocess.run(["sh", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("home", [{}, {"HOME": "/nonexistent"}])
def test_where_none_fits_one_sentence_says_so(folder, home):
    done = find(folder, **home)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("TradeOps needs Python 3.12 or newer")


def test_the_newest_that_sits_unused_under_pyenv_is_found(folder):
    versions = folder / ".pyenv" / "versions"
    for name in ("3.12.9", "3.13.0", "3.11.7"):
        write_program(versions / name / "bin" / "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    write_program(versions / "3.14.0" / "bin" / "python3", OLD_PYTHON)  # one that does not run
    done = find(folder, HOME=str(folder))
    assert (done.stdout.strip(), done.stderr) == (str(versions / "3.13.0" / "bin" / "python3"), "")


def test_one_that_is_named_comes_first(folder):
    assert find(folder, PYTHON=sys.executable).stdout.strip() == sys.executable
