"""The table of promises: all are named in it, and one that is not kept shows."""

from dataclasses import replace

import pytest

from tests.proof import __main__ as proof
from tests.proof.kept import Kept
from tests.proof.register import PROMISES, Part, Register
from tests.proof.subjects import REGISTER
from tests.proof.table import FAIL, NOT_REACHABLE, NOT_TRIED, NOT_YET, PASS, Outcome, Row, summary


@pytest.fixture(autouse=True)
def kept(monkeypatch, tmp_path) -> Kept:
    """What a run keeps, in a file of the test's own."""
    monkeypatch.setattr(proof, "KEPT", tmp_path / "var" / "proof.json")
    monkeypatch.setattr(proof, "LOGS", tmp_path / "var" / "proof-logs")
    return Kept(proof.KEPT)


@pytest.fixture
def parts(monkeypatch) -> list[Part]:
    """Two parts of one promise, the only ones there are."""
    made = [Part("P02", words, lambda ground: "", world="embedded", minutes=3) for words in ("one key", "many keys")]
    monkeypatch.setattr(proof, "read_register", lambda: {promise: [] for promise in PROMISES} | {"P02": made})
    return made


def answers(monkeypatch, *results: str) -> list[tuple[str, float]]:
    """Parts are not tried: they come to `results`, one after the other. Which were tried, and in how many minutes."""
    tried, coming = [], iter(results)

    def outcome_of(part, number):
        tried.append((part.tried, part.minutes))
        return Outcome(next(coming), part.tried, f"seen {len(tried)}")

    monkeypatch.setattr(proof, "outcome_of", outcome_of)
    return tried


def row(*results: str) -> Row:
    return Row("P01", "Nothing is lost", [Outcome(result, "5 kills", "saw | this") for result in results])


def test_all_36_promises_are_in_the_table_and_each_is_tried():
    assert list(PROMISES) == [f"P{number:02}" for number in range(1, 37)]
    assert [promise for promise in PROMISES if not REGISTER.parts[promise]] == []


def test_no_two_parts_of_a_promise_have_one_name():
    register, part = Register(), Part("P05", "the same on SQLite", lambda ground: "")
    register.add(part)
    register.add(replace(part, promise="P06"))
    with pytest.raises(AssertionError, match="P05 has two parts called 'the same on SQLite'"):
        register.add(replace(part, world="embedded"))


@pytest.mark.parametrize(
    ("results", "result"),
    [
        ([PASS], PASS),
        ([PASS, FAIL], FAIL),
        ([NOT_YET, FAIL], FAIL),
        ([PASS, NOT_YET], NOT_YET),
        ([NOT_YET, PASS, NOT_TRIED], NOT_TRIED),
        ([], NOT_YET),
        ([PASS, NOT_REACHABLE], NOT_REACHABLE),
    ],
)
def test_a_row_is_kept_where_all_its_parts_are(results, result):
    made = row(*results)
    assert (made.result, made.is_kept) == (result, result == PASS)
    assert str(made).endswith(f"| {result} |")


def test_the_summary_names_what_is_not_kept():
    long = Outcome(PASS, "5 kills", "saw this", seconds=85)
    rows = [replace(row(PASS), outcomes=[long, long]), Row("P02", "One", [])]
    assert summary(rows) == "1 of 2 promises kept; what was tried took 3 minutes; not kept: P02"
    assert "| 170 s | pass |" in str(rows[0])


@pytest.mark.parametrize(("source", "seen"), [("raise AssertionError('two trades')", "two trades"), ("1 / 0", "Zero")])
def test_a_check_that_fails_shows_as_failing(monkeypatch, parts, capfd, source, seen):
    """The process that tries a part is replaced by one that fails; the row and the exit status say so."""
    parts.pop()
    monkeypatch.setattr(proof, "part_command", lambda part, number, folder: failing_command(source, folder))
    assert proof.main(["P02", "--minutes", "4"]) == 1  # no time for a second try
    out = capfd.readouterr().out
    assert seen in out and "| FAIL |" in out and "not kept: P02" in out
    assert (proof.LOGS / "P02.1" / "desk-1" / "desk.log").read_text() == "a 500"


def failing_command(source: str, folder: str) -> list[str]:
    script = f"""
from pathlib import Path
from tests.proof import part
(desk := Path({folder!r}) / 'desk-1').mkdir()
(desk / 'desk.log').write_text('a 500')
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


def test_a_part_that_failed_is_tried_once_more_in_twice_the_time_and_the_row_says_so(monkeypatch, parts, capsys):
    tried = answers(monkeypatch, FAIL, PASS, PASS)
    assert proof.main(["P02"]) == 0
    assert tried == [("one key", 3), ("many keys", 3), ("one key", 6)]
    assert "seen 3 (tried twice; the first time: seen 1)" in capsys.readouterr().out


def test_a_run_begins_nothing_that_may_last_beyond_its_time_and_another_goes_on_there(monkeypatch, parts, capsys):
    tried = answers(monkeypatch, PASS, PASS)
    parts[1] = replace(parts[1], minutes=9)
    assert proof.main(["--minutes", "5"]) == 1
    assert tried == [("one key", 3)] and "| not tried |" in capsys.readouterr().out
    assert proof.main(["rest"]) == 1  # of 36 only one is tried at all
    assert tried == [("one key", 3), ("many keys", 9)]
    assert "1 of 36 promises kept" in capsys.readouterr().out


def test_a_single_part_is_tried_by_its_number(monkeypatch, parts, capsys):
    tried = answers(monkeypatch, PASS)
    assert proof.main(["P02.2"]) == 1
    assert tried == [("many keys", 3)]
    assert proof.main(["P02.3"]) == 2
    assert "no part P02.3" in capsys.readouterr().out


def test_of_all_first_parts_are_tried_before_the_second_of_any(monkeypatch, parts):
    other = replace(parts[0], promise="P05")
    register = {promise: [] for promise in PROMISES} | {"P02": parts, "P05": [other]}
    monkeypatch.setattr(proof, "read_register", lambda: register)
    assert proof.every_part(register) == [(parts[0], 0), (other, 0), (parts[1], 1)]


def test_a_share_is_tried_and_told_by_itself_and_all_shares_are_everything(monkeypatch, parts, capsys):
    tried = answers(monkeypatch, PASS, PASS)
    assert proof.main(["2/2"]) == 0
    assert tried == [("many keys", 3)] and "one key" not in capsys.readouterr().out
    assert proof.main(["1/2"]) == 0
    assert [words for words, _ in tried] == ["many keys", "one key"]
    assert proof.main(["3/2"]) == 2


def test_a_run_that_is_stopped_tells_and_keeps_what_it_saw(monkeypatch, parts, capsys, kept):
    def outcome_of(part, number):
        if number:
            raise SystemExit("stopped")
        return Outcome(PASS, part.tried, "101 trades")

    monkeypatch.setattr(proof, "outcome_of", outcome_of)
    with pytest.raises(SystemExit):
        proof.main(["P02"])
    assert "101 trades" in capsys.readouterr().out
    assert kept.is_passed(parts[0]) and kept.of(parts[1]).result == NOT_TRIED
