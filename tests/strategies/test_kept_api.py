"""Kept runs over the API: tagged, annotated, found again, compared, drawn, and written down in one file."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from strategies import provenance
from strategies.models import Run
from tests.strategies.test_api import RUNS, fields_of, run_up, upload
from tests.strategies.test_results import DOWN, UP

pytestmark = pytest.mark.django_db
COMPARE = RUNS + "compare"


@pytest.fixture
def runs(api, alice) -> list[int]:
    """Three runs of alice's: two on the same rows, one on others."""
    client = api(alice)
    asked = [{}, {"fee_bps": "10"}, {"file": [upload(DOWN, "DOWN.csv")], "strategy": "buy_and_hold"}]
    for values in asked:
        own = {"fast": "1", "slow": "2"} if "strategy" not in values else {}
        client.post("/algorithm/run", {"file": upload(UP)} | own | values)
    return sorted(Run.objects.values_list("pk", flat=True))


def listed(client, **asked) -> list[int]:
    return [run["run_id"] for run in client.get(RUNS, asked).json()["results"]]


def test_a_run_is_changed_and_removed_only_as_its_sender_read_it(api, alice, bob, dave, runs):
    client, address = api(alice), f"{RUNS}{runs[0]}"
    read = client.get(address)["ETag"]
    changed = client.patch(address, {"note": "one"}, format="json", headers={"If-Match": read})
    assert changed.status_code == 200 and changed["ETag"] == client.get(address)["ETag"] != read
    for stale in (client.patch(address, {"note": "two"}, format="json", headers={"If-Match": read}),
                  client.delete(address, headers={"If-Match": read})):  # fmt: skip
        assert stale.status_code == 412
    assert client.get(address).json()["note"] == "one"
    assert (api(bob).delete(address).status_code, api(dave).delete(address).status_code) == (404, 403)
    assert client.delete(address, headers={"If-Match": changed["ETag"]}).status_code == 204
    assert client.get(address).status_code == 404


def test_tags_and_note_are_kept_and_nothing_else_changes(api, alice, runs):
    client = api(alice)
    before = client.get(f"{RUNS}{runs[0]}")
    said = client.patch(f"{RUNS}{runs[0]}", {"tags": ["trend", "trend", "keep"], "note": "Säge <b>"}, format="json")
    assert (said.status_code, said.json()) == (200, {"tags": ["trend", "keep"], "note": "Säge <b>"})
    after = client.get(f"{RUNS}{runs[0]}")
    assert before.json() | {"tags": ["trend", "keep"], "note": "Säge <b>"} == after.json()
    assert before["ETag"] != after["ETag"]
    assert client.patch(f"{RUNS}{runs[0]}", {"note": ""}, format="json").json()["tags"] == ["trend", "keep"]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"tags": ["a,b"]}, ("tags", "invalid")),
        ({"tags": "a"}, ("tags", "not_a_list")),
        ({"tags": ["x"] * 21}, ("tags", "max_length")),
        ({"note": "x" * 4001}, ("note", "max_length")),
        ({"profit_loss": 1}, ("profit_loss", "unknown_field")),
    ],
)
def test_what_cannot_be_said_of_a_run_is_refused_by_field(api, alice, runs, given, refused):
    answer = api(alice).patch(f"{RUNS}{runs[0]}", given, format="json")
    assert (answer.status_code, fields_of(answer)) == (400, [refused])


def test_only_who_may_run_writes_and_only_on_what_they_see(api, alice, bob, dave, runs):
    address, words = f"{RUNS}{runs[0]}", {"note": "x"}
    assert api(bob).patch(address, words, format="json").status_code == 404
    assert api(dave).patch(address, words, format="json").status_code == 403
    assert api(alice, scope="read").patch(address, words, format="json").status_code == 403


def test_runs_are_found_by_tag_and_strategy_and_sorted(api, alice, runs):
    client = api(alice)
    client.patch(f"{RUNS}{runs[1]}", {"tags": ["keep"]}, format="json")
    assert listed(client, tag="keep") == [runs[1]]
    assert listed(client, tag="kee") == listed(client, tag="a,b") == []
    assert listed(client, strategy="ma_crossover") == [runs[1], runs[0]]
    assert listed(client, ordering="-return_percentage") == [runs[0], runs[1], runs[2]]
    assert fields_of(client.get(RUNS, {"ordering": "moon"})) == [("ordering", "invalid_choice")]
    first = client.get(RUNS, {"ordering": "return_percentage", "page_size": 2}).json()
    assert [run["run_id"] for run in client.get(first["next"]).json()["results"]] == [runs[0]]


def test_runs_stand_side_by_side_with_what_differs_and_what_is_best(api, alice, runs):
    told = api(alice).get(COMPARE, {"runs": f"{runs[0]},{runs[1]}"}).json()
    assert [run["run_id"] for run in told["runs"]] == runs[:2] and told["same_data"] is True
    assert [row["name"] for row in told["asked"] if row["differs"]] == ["fee_bps"]
    total = next(row for row in told["figures"] if row["name"] == "total_return")
    assert total["values"] == pytest.approx([0.25, 1.25 * 0.999 / 1.001 - 1.0]) and total["best"] == [0]
    curve = api(alice).get(told["curves"]).json()["panels"][0]["series"]
    assert [line["values"][-1] for line in curve] == pytest.approx([100 * value for value in total["values"]])
    nearer = api(alice).get(f"{told['curves']}&first=1&last=2").json()  # as the chart asks when it is looked at closer
    assert (nearer["first"], nearer["last"], len(nearer["dates"])) == (1, 2, 2)
    assert api(alice).get(COMPARE, {"runs": f"{runs[2]},{runs[0]}"}).json()["same_data"] is False


def test_what_cannot_be_compared_is_refused(api, alice, bob, runs):
    client = api(alice)
    for numbers in ("", "1", "x,y", "1,2,3,4,5,6,7", "1,1", "-1,2", f"1,{2**64}"):
        assert fields_of(client.get(COMPARE, {"runs": numbers}))[0][0] == "runs", numbers
    assert client.get(COMPARE).status_code == 400
    assert client.get(COMPARE, {"runs": f"{runs[0]},999999"}).status_code == 404
    assert api(bob).get(COMPARE, {"runs": f"{runs[0]},{runs[1]}"}).status_code == 404


@pytest.mark.parametrize("name", ["chart", "months"])
def test_pictures_come_as_png_and_svg_and_say_what_they_came_from(api, alice, runs, name):
    client, run = api(alice), Run.objects.get(pk=runs[0])
    assert client.get(f"{RUNS}{run.pk}/{name}.png").content.startswith(b"\x89PNG")
    drawn = client.get(f"{RUNS}{run.pk}/{name}.svg")
    assert drawn["Content-Type"] == "image/svg+xml" and ET.fromstring(drawn.content).tag.endswith("svg")
    assert f"run {run.pk} · data {run.data_id[:16]} · fingerprint {run.fingerprint[:16]}".encode() in drawn.content


def test_logs_say_what_they_came_from(api, alice, runs):
    run = Run.objects.get(pk=runs[0])
    said = f"{run.pk},{run.data_id[:16]},{run.fingerprint[:16]}"
    for name in ("trades", "equity"):
        head, first, *_ = api(alice).get(f"{RUNS}{run.pk}/{name}.csv").content.decode().splitlines()
        assert head.endswith("run_id,data_hash,fingerprint") and first.endswith(said)


def test_curves_are_of_all_accounts_or_of_one_ticker(api, alice, runs):
    client = api(alice)
    told = client.get(f"{RUNS}{runs[0]}/curves/UP")
    assert [panel["name"] for panel in told.json()["panels"]] == ["Price", "Equity", "Drawdown"]
    assert client.get(f"{RUNS}{runs[0]}/curves/UP", headers={"If-None-Match": told["ETag"]}).status_code == 304
    assert client.get(f"{RUNS}{runs[0]}/curves", {"first": 2, "last": 4}).json()["dates"][0] == "2024-01-03"
    assert client.get(f"{RUNS}{runs[0]}/curves/NOPE").status_code == 404
    assert fields_of(client.get(f"{RUNS}{runs[0]}/curves", {"first": "-1"})) == [("first", "min_value")]


def test_the_report_is_one_file_that_fetches_nothing(api, alice, runs):
    client = api(alice)
    client.patch(f"{RUNS}{runs[0]}", {"note": "<script>alert(1)</script>"}, format="json")
    address = f"{RUNS}{runs[0]}/report.html"
    report = client.get(address)
    text = report.content.decode()
    assert report["Content-Disposition"] == f'attachment; filename="run-{runs[0]}-report.html"'
    assert not re.search(r'(?:src|href|action)="(?!data:image/png;base64,)', text)
    assert "<script" not in text and "@import" not in text and "url(" not in text
    assert "Trades of UP" in text and Run.objects.get(pk=runs[0]).fingerprint in text
    assert text.count("data:image/png;base64,") == 3
    assert client.get(address).content == report.content
    assert client.get(address, headers={"If-None-Match": report["ETag"]}).status_code == 304


def test_the_lists_queries_do_not_grow_with_its_rows(api, alice, runs, django_assert_max_num_queries):
    client = api(alice)
    for _ in range(3):
        run_up(client)
    with django_assert_max_num_queries(5):
        assert len(listed(client)) == 6


def test_an_answer_is_kept_until_what_writes_it_changes(monkeypatch):
    read, before = Path.read_bytes, provenance.answers_digest.__wrapped__()
    for name in ("report.html", "_tickers.html", "logs.py", "desk.css"):
        monkeypatch.setattr(
            Path, "read_bytes", lambda path, name=name: read(path) + name.encode() * (path.name == name)
        )
        assert provenance.answers_digest.__wrapped__() != before, name
    assert provenance.code_digest.__wrapped__() == provenance.code_digest()  # the result itself is the same
