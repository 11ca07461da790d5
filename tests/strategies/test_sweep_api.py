"""Sweeps by address: 202 and a job, rows when it is done, cancelled by DELETE, resumed after a killed process."""

import json
import threading

import numpy as np
import pytest
from django.db import connection
from django.db.models.signals import pre_delete

from market.samples import as_csv, daily_bars
from strategies import aside, backtest, pricepack, services, sweeping
from strategies.library import strategies
from strategies.models import PriceData, Sweep, SweepPart
from strategies.services import SAMPLE_SEED
from strategies.standing import Standing
from tests.strategies.test_api import fields_of, upload
from tests.strategies.test_results import UP
from tradeops.core import statistics
from tradeops.core.annualization import bars_per_year
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job

pytestmark = pytest.mark.django_db

SWEEPS = "/algorithm/sweeps"
GRID = {"fast": [2, 3], "slow": [10, 20, 2]}
LONG = as_csv(daily_bars("AAPL", 1, SAMPLE_SEED))


@pytest.fixture(autouse=True)
def handlers():
    runner.load_handlers()


def ask(client, grid=GRID, **more):
    return client.post(SWEEPS, {"file": upload(LONG, "AAPL.csv"), "grid": json.dumps(grid)} | more)


@pytest.fixture
def asked(api, alice) -> Sweep:
    assert ask(api(alice)).status_code == 202
    return Sweep.objects.get()


def test_a_sweep_is_owed_at_once_and_done_by_the_runner(api, alice):
    client = api(alice)
    response = ask(client, fee_bps="5")
    told = response.json()
    assert (response.status_code, told["status"]) == (202, "queued")
    assert (told["combinations"], told["left_out"], told["parts"]) == (4, 2, 1)
    assert response.headers["Location"] == told["status_url"] == f"{SWEEPS}/{told['id']}"
    waiting = client.get(told["status_url"]).json()
    assert (waiting["status"], waiting["progress"], waiting["rows"], waiting["best"]) == ("queued", 0, [], [])
    runner.run_owed()
    done = client.get(told["status_url"], {"metric": "sharpe_ratio", "x": "slow", "y": "fast"}).json()
    assert (done["status"], done["progress"], done.get("reason")) == ("succeeded", 100, None)
    assert [(row["fast"], row["slow"]) for row in done["rows"]] == [(2, 10), (2, 20), (3, 10), (3, 20)]
    assert done["heatmap"]["x"] == {"name": "slow", "values": [10, 20, 2]}
    assert done["heatmap"]["cells"][0][0] == done["rows"][0]["sharpe_ratio"]
    assert done["best"][0]["sharpe_ratio"] == max(row["sharpe_ratio"] for row in done["rows"])
    assert done["luck"]["combinations"] == 4


def test_a_row_of_the_sweep_is_the_run_of_its_parameters(api, alice, asked):
    client = api(alice)
    runner.run_owed()
    row = client.get(f"{SWEEPS}/{asked.pk}").json()["rows"][1]
    run = client.post("/algorithm/run", {"file": upload(LONG, "AAPL.csv"), "fast": "2", "slow": "20"}).json()
    assert row["return_percentage"] == pytest.approx(run["overall_return_percentage"], rel=1e-9)
    assert row["sharpe_ratio"] == pytest.approx(run["portfolio"]["sharpe_ratio"], rel=1e-9)
    assert PriceData.objects.count() == 1


def test_a_dry_run_tells_what_it_would_take_and_starts_nothing(api, alice):
    response = ask(api(alice), dry_run="true")
    assert response.status_code == 200
    assert response.json()["combinations"] == 4
    assert not Job.objects.exists() and not Sweep.objects.exists()


def test_a_sweep_that_sql_has_changed_is_still_told(api, alice, asked):
    Sweep.objects.update(grid=[1], parameters="x", terms=5)
    SweepPart.objects.create(sweep=asked, number=0, rows=["x", 5])
    told = api(alice).get(f"{SWEEPS}/{asked.pk}").json()
    assert (told["grid"], told["parameters"], told["terms"], told["rows"]) == ({}, {}, {}, [])
    walked = api(alice).get(f"{SWEEPS}/{asked.pk}/walk-forward")
    assert (walked.status_code, walked.json()["errors"][0]["code"]) == (422, "damaged")


def test_a_cancelled_sweep_ends_with_its_reason(api, alice, asked):
    client, address = api(alice), f"{SWEEPS}/{asked.pk}"
    assert client.delete(address).status_code == 204
    runner.run_owed()
    told = client.get(address).json()
    assert (told["status"], told["reason"], told["rows"]) == ("failed", "Cancelled.", [])
    assert client.delete(address).status_code == 409


def test_a_sweep_is_removed_for_good_when_that_is_said(api, alice, bob, asked):
    address = f"{SWEEPS}/{asked.pk}"
    runner.run_owed()
    assert api(bob).delete(f"{address}?remove=true").status_code == 404
    assert api(alice).delete(address).status_code == 409
    assert fields_of(api(alice).delete(f"{address}?removed=true")) == [("removed", "unknown_parameter")]
    assert api(alice).delete(f"{address}?remove=true").status_code == 204
    assert api(alice).get(address).status_code == 404
    assert not SweepPart.objects.exists() and not PriceData.objects.exists()


def test_a_sweep_that_is_removed_before_its_turn_leaves_nothing(api, alice, asked):
    assert api(alice).delete(f"{SWEEPS}/{asked.pk}?remove=true").status_code == 204
    runner.run_owed()
    assert Job.objects.values_list("state", "result").get() == ("succeeded", {"rows": "removed"})
    assert not SweepPart.objects.exists() and not PriceData.objects.exists()


def test_a_sweep_that_another_request_has_just_removed_is_404(api, alice, asked, monkeypatch):
    def removed_meanwhile(sweep: Sweep) -> Standing:
        Sweep.objects.filter(pk=sweep.pk).delete()
        return Standing("queued", 0)

    monkeypatch.setattr(sweeping, "standing", removed_meanwhile)
    assert api(alice).delete(f"{SWEEPS}/{asked.pk}").status_code == 404


def test_a_part_whose_sweep_was_removed_while_it_was_worked_out_is_not_kept(asked, monkeypatch):
    monkeypatch.setattr(sweeping, "_computed", lambda *asked_of: Sweep.objects.all().delete() and [])
    assert sweeping.work_out_part(asked, 0, lambda percentage: None) == {"rows": "removed"}
    assert not SweepPart.objects.exists()


@pytest.mark.services  # SQLite lets nothing be written meanwhile
@pytest.mark.django_db(transaction=True)
def test_a_sweep_is_removed_while_a_worker_keeps_a_part_of_it(asked, monkeypatch):
    found = []
    monkeypatch.setattr(sweeping, "_computed", lambda *asked_of: [])

    def keep_a_part():
        found.append(sweeping.work_out_part(asked, 0, lambda percentage: None))
        connection.close()

    worker = threading.Thread(target=keep_a_part)

    def when_the_parts_are_read(**told):
        worker.start()
        worker.join(1)  # it comes to its end only where nothing holds the sweep

    pre_delete.connect(when_the_parts_are_read, sender=Sweep)
    try:
        sweeping.remove(Sweep.objects.get())
    finally:
        pre_delete.disconnect(when_the_parts_are_read, sender=Sweep)
        worker.join(60)
    assert found == [{"rows": "removed"}]
    assert not Sweep.objects.exists() and not SweepPart.objects.exists()


@pytest.mark.parametrize("error", [IndexError, ZeroDivisionError])
def test_a_sweep_whose_strategy_no_longer_takes_its_rows_is_told_and_not_walked(api, alice, asked, monkeypatch, error):
    def signals(prices, parameters):
        raise error

    runner.run_owed()
    monkeypatch.setattr(strategies()["ma_crossover"], "signals", signals)
    told = api(alice).get(f"{SWEEPS}/{asked.pk}")
    assert (told.status_code, told.json()["luck"]["deflated_sharpe_ratio"]) == (200, None)
    walked = api(alice).get(f"{SWEEPS}/{asked.pk}/walk-forward?train=100&test=50")
    assert (walked.status_code, walked.json()["errors"][0]["code"]) == (422, "damaged")


def test_parts_are_done_once_and_a_killed_one_again(asked, monkeypatch):
    Sweep.objects.update(parts=2)
    asked.refresh_from_db()
    sweeping.work_out_part(asked, 0, lambda percentage: None)
    assert sweeping.standing(asked).progress == 50
    monkeypatch.setattr(aside.sys, "executable", "/bin/false")
    with pytest.raises(runner.TryAgain):
        sweeping.work_out_part(asked, 1, lambda percentage: None)
    assert sweeping.work_out_part(asked, 0, lambda percentage: None) == {"rows": "done before"}
    monkeypatch.undo()
    sweeping.work_out_part(asked, 1, lambda percentage: None)
    assert sweeping.standing(asked).status == "succeeded"
    in_two = sweeping.rows_of(asked)
    SweepPart.objects.all().delete()
    Sweep.objects.update(parts=1)
    asked.refresh_from_db()
    sweeping.work_out_part(asked, 0, lambda percentage: None)
    assert sweeping.rows_of(asked) == in_two


@pytest.mark.parametrize(
    "written",
    ['{"fast": 2}', '{"fast": 2}\n', '{"fast": 2}\n{"fa'],
    ids=["a row without its end", "a row of several", "one and a half"],
)
def test_a_part_that_is_short_is_tried_again_and_not_kept(asked, monkeypatch, tmp_path, written):
    """Though its process says that all is well."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '%s' '{written}'\n")
    program.chmod(0o700)
    monkeypatch.setattr(aside.sys, "executable", str(program))
    with pytest.raises(runner.TryAgain, match="of 4 rows"):
        sweeping.work_out_part(asked, 0, lambda percentage: None)
    assert not SweepPart.objects.exists()


def test_a_process_is_stopped_when_its_sweep_is_cancelled_in_between(asked, monkeypatch):
    monkeypatch.setattr(sweeping, "LOOK_SECONDS", 0)
    seen = []
    monkeypatch.setattr(sweeping, "is_cancelled", lambda sweep: len(seen) > 1)
    assert sweeping.work_out_part(asked, 0, seen.append) == {"rows": "cancelled"}
    assert not SweepPart.objects.exists()


@pytest.mark.parametrize(
    ("more", "field", "status"),
    [
        ({"grid": "{"}, "grid", 400),
        ({"grid": '{"fast": [1], "moon": [2]}'}, "grid", 400),
        ({"fee_bps": "x"}, "fee_bps", 400),
        ({"file": "x"}, "file", 400),
        ({"file": upload("date,close\n2024-01-01,x\n", "A.csv")}, "file", 422),
    ],
)
def test_a_wrong_sweep_is_refused_by_name(api, alice, more, field, status):
    response = ask(api(alice), **more)
    assert (response.status_code, fields_of(response)[0][0]) == (status, field)
    assert not Sweep.objects.exists()


def test_a_grid_that_no_bar_can_satisfy_says_so_in_its_rows(api, alice):
    client = api(alice)
    client.post(SWEEPS, {"file": upload(UP), "grid": '{"fast": [5], "slow": [10, 20]}'})
    runner.run_owed()
    told = client.get(f"{SWEEPS}/{Sweep.objects.get().pk}").json()
    assert all("needs at least" in row["reason"] for row in told["rows"])
    assert (told["status"], told["best"]) == ("succeeded", [])


def test_a_sweep_belongs_to_its_owner(api, alice, bob, carol, asked):
    address = f"{SWEEPS}/{asked.pk}"
    assert [api(user).get(address).status_code for user in (alice, bob, carol)] == [200, 404, 200]
    assert api(bob).delete(address).status_code == 404
    assert api().get(address).status_code == 401
    assert api(alice, "read").delete(address).status_code == 403
    assert [row["id"] for row in api(alice).get(SWEEPS).json()["results"]] == [asked.pk]
    assert api(bob).get(SWEEPS).json()["results"] == []


@pytest.mark.parametrize("query", ["metric=moon", "x=moon", "y=%00"])
def test_a_map_of_something_else_is_400(api, alice, asked, query):
    assert api(alice).get(f"{SWEEPS}/{asked.pk}?{query}").status_code == 400


def test_looking_at_a_sweep_costs_few_queries(api, alice, asked, django_assert_max_num_queries):
    client = api(alice)
    client.get(f"{SWEEPS}/{asked.pk}")
    with django_assert_max_num_queries(5):
        client.get(f"{SWEEPS}/{asked.pk}")


def test_in_and_out_of_sample_and_what_luck_would_have_found_are_told(api, alice, asked):
    sweeping.work_out_part(asked, 0, lambda percentage: None)
    told = api(alice).get(f"{SWEEPS}/{asked.pk}").json()
    assert told["in_sample_percentage"] == 70.0
    luck, rows = told["luck"], told["rows"]
    ratios = [row["sharpe_ratio"] for row in rows]
    assert (luck["combinations"], luck["best_sharpe_ratio"]) == (len(rows), max(ratios))
    assert 0.0 < luck["deflated_sharpe_ratio"] < 1.0
    best = rows[ratios.index(max(ratios))]
    done = backtest.run(sweeping.grid_of(asked).spec({name: best[name] for name in asked.grid}), prices_of(asked))
    returns = np.diff(done.results[0].equity) / done.results[0].equity[:-1]
    by_bar = np.array(ratios) / bars_per_year(done.results[0].prices.times) ** 0.5
    assert luck["deflated_sharpe_ratio"] == pytest.approx(statistics.deflated_sharpe_ratio(returns, by_bar))
    assert -1.0 <= told["rank_correlation"] <= 1.0


def prices_of(sweep):
    return pricepack.unpack(services.kept_pack(sweep.data))


def test_the_map_is_a_picture_of_any_two_parameters_and_any_figure(api, alice, bob, asked):
    sweeping.work_out_part(asked, 0, lambda percentage: None)
    client, address = api(alice), f"{SWEEPS}/{asked.pk}/heatmap"
    assert client.get(f"{address}.png").content.startswith(b"\x89PNG")
    drawn = client.get(f"{address}.svg", {"metric": "out_of_sample_sharpe_ratio", "x": "slow", "y": "fast"})
    assert f"sweep {asked.pk} · data {asked.data_id[:16]}" in drawn.content.decode()
    assert "Sharpe ratio out of sample" in drawn.content.decode()
    assert client.get(f"{address}.png", {"metric": "moon"}).status_code == 400
    assert api(bob).get(f"{address}.png").status_code == 404


def test_a_sweep_of_before_there_was_a_sample_has_no_figures_of_it(api, alice, asked):
    rows = [{"fast": 2, "slow": 10, "return_percentage": 1.0, "closed_trades": 1, "win_rate_percentage": 100.0,
             "max_drawdown_percentage": 0.0, "sharpe_ratio": None}]  # fmt: skip
    SweepPart.objects.create(sweep=asked, number=0, rows=rows)
    told = api(alice).get(f"{SWEEPS}/{asked.pk}", {"metric": "in_sample_sharpe_ratio"}).json()
    assert told["rows"][0]["out_of_sample_return_percentage"] is None and told["best"] == []
