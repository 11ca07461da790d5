"""`make bench`: its names, its options, and what it prints; not that figures hold, which no busy machine could say."""

import pytest

from bench import __main__ as command
from bench.ground import Ground
from bench.load import Outcome, get, post
from bench.servers import COLUMNS, Trial, Trials
from bench.sizes import SIZES
from bench.tables import Table, Verdict

pytestmark = pytest.mark.pure


def outcome(count: int) -> Outcome:
    return Outcome(count, 2.0, {"200": count}, {"200": count}, 1.0, 9.0, 10.0, 0.1, "")


@pytest.fixture
def measured(monkeypatch):
    """Benchmarks that measure nothing: `measured` has what they were asked."""
    asked = []

    def measure(ratio):
        def run(ground, size):
            assert isinstance(ground, Ground)
            asked.append((ratio, size))
            yield Table("A table", ("who", "seconds"), [["we", "1"]], verdicts=[Verdict("ours", ratio, 2)])

        return run

    monkeypatch.setattr(command, "BENCHMARKS", {"good": measure(3.0), "bad": measure(1.0)})
    monkeypatch.setattr(command, "noise_line", lambda: "a machine")
    return asked


def test_the_rows_of_the_issue_each_have_a_benchmark():
    named = ["lists", "booking", "imports", "folds", "lake", "feed", "pnl", "strategies", "scale", "processes"]
    assert list(command.BENCHMARKS) == named
    assert (SIZES["full"].few, SIZES["full"].many) == (1_000_000, 5_000_000)


def test_some_or_all_are_run_and_a_missed_figure_is_told_by_the_status(measured, capsys):
    assert command.main(["--size", "ci", "good"]) == 0
    assert command.main([]) == 1
    assert [(ratio, size.few) for ratio, size in measured] == [(3.0, 50_000), (3.0, 1_000_000), (1.0, 1_000_000)]
    printed = capsys.readouterr().out
    assert "reached: ours: 3.00 x (at least 2 x)" in printed
    assert "MISSED: ours: 1.00 x (at least 2 x)" in printed


def test_a_name_that_is_none_is_refused(measured, capsys):
    with pytest.raises(SystemExit) as refusal:
        command.main(["goods"])
    assert refusal.value.code == 2
    assert "there is no benchmark goods; there are good, bad" in capsys.readouterr().err


def test_a_stack_is_told_by_the_medians_of_its_rounds():
    trials = Trials("we", [Trial(outcome(count), 1.5, 0.25) for count in (100, 400, 200)])
    assert trials.rate == 100
    assert dict(zip(COLUMNS, trials.row(), strict=True)) | {"stack": "we"} == {
        "stack": "we", "requests/s": "100", "lowest to highest": "50 to 200", "median ms": "1.0", "99 % ms": "9.0",
        "server CPU ms": "1.50", "database CPU ms": "0.25", "client's core": "10 %",
    }  # fmt: skip


def test_another_answer_than_was_meant_spoils_the_figures():
    with pytest.raises(RuntimeError, match="'200': 3"):
        outcome(3).require("201")


def test_requests_go_over_the_wire_whole():
    assert get("/trades/", {"A": "b"}).splitlines()[:2] == ["GET /trades/ HTTP/1.1", "Host: 127.0.0.1"]
    assert post("/trades/", {}, {"é": 1}).partition("\r\n\r\n")[2] == '{"\\u00e9": 1}'
