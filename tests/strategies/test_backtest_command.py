"""`manage.py backtest`: table, JSON, pictures and logs without a database, refusals in plain words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.strategies.test_results import DOWN, UP

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def files(tmp_path) -> list[str]:
    for name, text in {"UP": UP, "DOWN": DOWN}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return [str(tmp_path / "UP.csv"), str(tmp_path / "DOWN.csv")]


def run(capsys, *arguments, **options) -> str:
    call_command("backtest", *arguments, fast="1", slow="2", **options)
    return capsys.readouterr().out


def test_the_table_names_tickers_totals_and_assumptions(capsys, files):
    said = run(capsys, *files, fee_bps="10")
    assert said.splitlines()[0].split()[:2] == ["Ticker", "Bars"]
    assert [line.split()[0] for line in said.splitlines()[2:4]] == ["DOWN", "UP"]
    assert "Invested 20,000.00" in said
    assert "fee 10 bps a side" in said
    assert "√365" in said


def test_json_is_the_result_of_the_contract(capsys, files):
    told = json.loads(run(capsys, *files, json=True))
    assert (told["status"], told["run_id"], told["charts"]) == ("success", None, {})
    assert [ticker["ticker"] for ticker in told["tickers"]] == ["DOWN", "UP"]
    assert len(told["portfolio"]["equity"]) == 7


def test_pictures_and_the_trade_log_are_written(capsys, files, tmp_path):
    run(capsys, *files, chart=tmp_path / "deep" / "pictures", export=tmp_path / "trades.csv")
    written = {path.name for path in (tmp_path / "deep" / "pictures").iterdir()}
    assert written == {"overview.png", "months.png", "UP.png", "DOWN.png"}
    assert (tmp_path / "trades.csv").read_bytes().count(b"\n") == 3


def test_skipped_files_are_named(capsys, files, tmp_path):
    (tmp_path / "FEW.csv").write_text("date,close\n2024-01-01,1\n")
    assert "Skipped FEW: 1 bar;" in run(capsys, *files, str(tmp_path / "FEW.csv"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fast": "x"}, "fast: “x” is not a whole number."),
        ({"fill": "never"}, "fill: “never” is not one of close, next_open."),
        ({"fee_bps": "-1"}, "fee_bps: -1 is too small: the least is 0."),
        ({"slow": "500"}, "No ticker could be run."),
        ({"ticker": "X"}, "one file only"),
    ],
)
def test_a_wrong_option_is_named(files, options, said):
    with pytest.raises(CommandError, match=said.replace(".", r"\.")):
        call_command("backtest", *files, **({"fast": "1", "slow": "2"} | options))


def test_a_missing_file_a_folder_and_a_bad_file_are_named(files, tmp_path):
    with pytest.raises(CommandError, match="nowhere.csv: No such file"):
        call_command("backtest", "nowhere.csv")
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("backtest", str(tmp_path))
    (tmp_path / "BAD.csv").write_text("date,close\n2024-01-01,x\n")
    with pytest.raises(CommandError, match="BAD.csv, row 2, column close: “x” is not a plain positive decimal"):
        call_command("backtest", str(tmp_path / "BAD.csv"))


def test_it_runs_from_the_shell_with_no_database_and_no_matplotlib(files, tmp_path):
    program = (
        "import sys; from django.core.management import execute_from_command_line as run;"
        "run(['manage.py', 'backtest', *sys.argv[1:]]); print('matplotlib' in sys.modules, 'numba' in sys.modules)"
    )
    surroundings = os.environ | {"DJANGO_SETTINGS_MODULE": "tradeops.settings", "TRADEOPS_VAR": str(tmp_path / "var")}
    command = [sys.executable, "-c", program, *files, "--fast", "1", "--slow", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=surroundings, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
    assert not list((tmp_path / "var").glob("*.sqlite3*"))


def test_a_refusal_ends_with_status_1(files, tmp_path):
    surroundings = os.environ | {"TRADEOPS_VAR": str(tmp_path / "var")}
    command = [sys.executable, "manage.py", "backtest", *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=surroundings, check=False)
    assert done.returncode == 1
    assert "No ticker could be run" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_finds_strategies_of_ones_own_without_loading_an_app(files, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "own_idea.py").write_text(
        "import numpy as np\n"
        "from django.apps import apps\n"
        "TITLE, DESCRIPTION, PARAMETERS = 'Own', f'Loaded: {apps.ready}', ()\n"
        "def minimum_bars(parameters): return 1\n"
        "def signals(prices, parameters): return np.ones(len(prices)) if not apps.ready else np.zeros(len(prices))\n"
    )
    command = [sys.executable, "manage.py", "backtest", *files, "--strategy", "own_idea", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"STRATEGIES_DIR": str(folder)}
    )
    assert done.returncode == 0, done.stderr
    assert {len(ticker["trades"]) for ticker in json.loads(done.stdout)["tickers"]} == {1}
