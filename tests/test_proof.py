"""The table of promises: all are named in it, and one that is not kept shows."""

import pytest

from tests.proof import __main__ as proof
from tests.proof.register import PROMISES, Part
from tests.proof.subjects import REGISTER
from tests.proof.table import FAIL, NOT_REACHABLE, NOT_YET, PASS, Outcome, Row, summary


def row(*results: str) -> Row:
    return Row("P01", "Nothing is lost", [Outcome(result, "5 kills", "saw | this") for result in results])


def test_all_36_promises_are_in_the_table_and_each_is_tried():
    assert list(PROMISES) == [f"P{number:02}" for number in range(1, 37)]
    assert [promise for promise in PROMISES if not REGISTER.parts[promise]] == []


@pytest.mark.parametrize(
    ("results", "result"),
    [
        ([PASS], PASS),
        ([PASS, FAIL], FAIL),
        ([NOT_YET, FAIL], FAIL),
        ([PASS, NOT_YET], NOT_YET),
        ([], NOT_YET),
        ([PASS, NOT_REACHABLE], NOT_REACHABLE),
    ],
)
def test_a_row_is_kept_where_all_its_parts_are(results, result):
    made = row(*results)
    assert (made.result, made.is_kept) == (result, result == PASS)
    assert str(made).endswith(f"| {result} |")


def test_the_summary_names_what_is_not_kept():
    assert summary([row(PASS), Row("P02", "One", [])]) == "1 of 2 promises kept; not kept: P02"


@pytest.mark.parametrize(("source", "seen"), [("raise AssertionError('two trades')", "two trades"), ("1 / 0", "Zero")])
def test_a_check_that_fails_shows_as_failing(monkeypatch, capfd, source, seen):
    """The process that tries a part is replaced by one that fails; the row and the exit status say so."""
    part = Part("P02", "one key", lambda ground: "", world="embedded")
    monkeypatch.setattr(proof, "read_register", lambda: {"P02": [part]})
    monkeypatch.setattr(proof, "part_command", lambda part, number, folder: failing_command(source, folder))
    assert proof.main(["P02"]) == 1
    out = capfd.readouterr().out
    assert seen in out and "| FAIL |" in out and "not kept: P02" in out


def failing_command(source: str, folder: str) -> list[str]:
    script = f"""
from tests.proof import part
def run(*_): {source}
part.run = run
part.main('P02', '0', 'embedded', {folder!r})"""
    return [proof.sys.executable, "-c", script]


def test_a_check_that_hangs_is_ended_and_fails(monkeypatch):
    part = Part("P02", "one key", lambda ground: "", world="embedded", minutes=0.001)
    command = [proof.sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr(proof, "part_command", lambda *_: command)
    assert proof.outcome_of(part, 0) == Outcome(FAIL, "one key", "not done within 0.001 minutes")


def test_an_unknown_promise_is_refused(capsys):
    assert proof.main(["P99"]) == 2
    assert "P01 to P36" in capsys.readouterr().out
