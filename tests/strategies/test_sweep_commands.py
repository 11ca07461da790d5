"""`manage.py sweep`, `walk_forward` and `reproduce`: tables, JSON, refusals, and the same run to the last bit."""

import json

import pytest
from django.core.management import CommandError, call_command

from strategies.models import Run
from tests.strategies.test_api import run_up
from tests.strategies.test_sweep_api import LONG


@pytest.fixture
def file(tmp_path) -> str:
    (tmp_path / "AAPL.csv").write_text(LONG)
    return str(tmp_path / "AAPL.csv")


GRID = '{"fast": [2, 3], "slow": [10, 20]}'


@pytest.mark.pure
def test_the_best_of_a_grid_are_told(capsys, file):
    call_command("sweep", file, "--grid", GRID, "--metric", "sharpe_ratio")
    said = capsys.readouterr()
    assert said.out.splitlines()[0].split()[:3] == ["fast", "slow", "Return"]
    assert "Best 4 of 4 by sharpe_ratio." in said.out
    assert "4 combinations" in said.err
    call_command("sweep", file, "--grid", GRID, "--json")
    told = json.loads(capsys.readouterr().out)
    assert (len(told["rows"]), len(told["heatmap"]["cells"])) == (4, 2)
    call_command("sweep", file, "--grid", '{"fast": [2], "slow": [10, 9999]}')
    assert "1 of 2 combinations could not be run, the first for:" in capsys.readouterr().out


@pytest.mark.pure
def test_a_walk_is_told(capsys, file):
    call_command("walk_forward", file, "--grid", GRID, "--train", "100", "--test", "50")
    said = capsys.readouterr().out
    assert "Unseen, stitched:" in said
    call_command("walk_forward", file, "--grid", GRID, "--train", "100", "--test", "50", "--json")
    assert len(json.loads(capsys.readouterr().out)[0]["folds"]) == 4


@pytest.mark.pure
@pytest.mark.parametrize("command", ["sweep", "walk_forward"])
def test_what_is_wrong_is_named(file, command):
    for arguments, said in (
        (["--grid", "{"], "grid is not JSON"),
        (["--grid", GRID, "--fee-bps", "x"], "fee_bps"),
        (["--grid", '{"fast": [2], "moon": [1]}'], "moon"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command(command, file, *arguments)
    with pytest.raises(CommandError, match="No such file"):
        call_command(command, "nowhere.csv", "--grid", GRID)


@pytest.mark.django_db
def test_a_kept_run_comes_out_the_same_and_a_changed_one_is_named(api, alice, capsys):
    run_id = run_up(api(alice), direction="both", fee_bps="5").json()["run_id"]
    call_command("reproduce", str(run_id))
    assert f"Run {run_id} comes out the same to the last bit." in capsys.readouterr().out
    run = Run.objects.get()
    run.summary["tickers"][0]["trades"][0]["quantity"] += 1e-9
    run.fingerprint = "0" * 64
    run.save()
    with pytest.raises(CommandError, match=r"result\.tickers\[0\]\.trades\[0\]\.quantity was") as caught:
        call_command("reproduce", str(run_id))
    assert "code or a library" in str(caught.value)
    with pytest.raises(CommandError, match="no run 999"):
        call_command("reproduce", "999")
