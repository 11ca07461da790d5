"""Pictures: right kind, same bytes for the same run, and drawable at the edges."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from strategies import backtest, charts
from strategies.prices import read_files
from tests.strategies.test_results import DOWN, FLAT, SHORT, UP, run_on

pytestmark = pytest.mark.pure

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_picture_of_a_ticker_is_a_png_or_an_svg_with_the_same_bytes_each_time():
    done = run_on(UP=UP, DOWN=DOWN)
    for form in charts.FORMATS:
        drawn = charts.draw_ticker(done, done.results[0], form)
        assert drawn == charts.draw_ticker(done, done.results[0], form)
    assert charts.draw_ticker(done, done.results[0]).startswith(PNG)
    assert ET.fromstring(charts.draw_ticker(done, done.results[0], "svg")).tag.endswith("svg")


def test_the_bytes_hold_no_date_and_no_version():
    done = run_on(UP=UP)
    drawn = charts.draw_ticker(done, done.results[0]) + charts.draw_ticker(done, done.results[0], "svg")
    assert b"Software" not in drawn
    assert b"Matplotlib v" not in drawn
    assert b"<dc:date>" not in drawn


def test_another_process_draws_the_same_bytes():
    program = (
        "import hashlib;from tests.strategies.test_results import UP,run_on;from strategies import charts;"
        "d=run_on(UP=UP);print(hashlib.sha256(charts.draw_ticker(d,d.results[0],'svg')+charts.draw_overview(d)).hexdigest())"
    )
    seen = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(seen) == 1


def test_other_prices_give_another_picture():
    one, other = run_on(UP=UP), run_on(UP=DOWN)
    assert charts.draw_ticker(one, one.results[0]) != charts.draw_ticker(other, other.results[0])


@pytest.mark.parametrize(
    "texts",
    [
        {"FLAT": FLAT},
        {"A": "date,close\n2024-01-01,1\n2024-01-02,2\n"},
        {"A": UP, "B": UP.replace("2024", "2023")},
        {"A": "date,close\n2024-01-01,0.000000001\n2024-01-02,999999999999\n"},
        {"A": "date,close\n2024-01-01T10:00Z,1\n2024-01-01T10:01Z,2\n2024-01-01T10:02Z,2\n"},
        {f"T{at}": UP for at in range(50)},
        {"A": "date,close\n1700-01-01,1\n2200-12-31,2\n"},
    ],
    ids=["flat", "two bars", "no common date", "wide range", "intraday", "many tickers", "five centuries"],
)
def test_odd_runs_can_be_drawn(texts):
    done = run_on(**texts)
    assert charts.draw_overview(done).startswith(PNG)
    assert charts.draw_ticker(done, done.results[0]).startswith(PNG)


def test_an_unknown_form_is_refused():
    done = run_on(UP=UP)
    with pytest.raises(ValueError, match="gif"):
        charts.draw_ticker(done, done.results[0], "gif")


def test_averages_and_marks_stand_in_the_picture():
    done = backtest.run(SHORT, read_files([("UP.csv", UP.encode())]))
    drawn = charts.draw_ticker(done, done.results[0], "svg").decode()
    assert all(f'id="{name}"' in drawn for name in ("average-SMA-1", "average-SMA-2", "fills-Buy", "fills-Sell"))
    flat = run_on(FLAT=FLAT)
    assert 'id="fills-' not in charts.draw_ticker(flat, flat.results[0], "svg").decode()
