"""The backtest addresses: they answer truly, refuse by field, hide what belongs to another, cost few queries."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from market.samples import as_csv, daily_bars
from strategies import services
from strategies.models import PriceData, Run
from tests.strategies.test_prices import HOSTILE, TWINS
from tests.strategies.test_results import DOWN, FLAT, UP

pytestmark = pytest.mark.django_db

RUN, SAMPLE, HELP, RUNS = "/algorithm/run", "/algorithm/sample", "/algorithm/help", "/algorithm/runs/"
SHORT = {"fast": "1", "slow": "2"}


def upload(text: str | bytes, name: str = "UP.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode() if isinstance(text, str) else text, "text/csv")


def run_up(client, **more):
    return client.post(RUN, {"file": upload(UP)} | SHORT | more)


def fields_of(response) -> list[tuple[str, str]]:
    assert response["Content-Type"].startswith("application/problem+json"), response.content
    return [(error["field"], error["code"]) for error in response.json()["errors"]]


# Running ------------------------------------------------------------------------------


def test_an_uploaded_file_is_run_and_kept(api, alice):
    response = run_up(api(alice), fee_bps="10")
    told = response.json()
    run = Run.objects.get()
    assert response.status_code == 200
    assert (told["status"], told["run_id"], told["strategy"]) == ("success", run.pk, "ma_crossover")
    assert told["parameters"] == {"fast": 1, "slow": 2, "average": "sma"}
    assert told["final_value"] == pytest.approx(10_000 * 1.25 * 0.999 / 1.001)
    assert told["charts"] == {"UP": f"/algorithm/runs/{run.pk}/charts/UP.png"}
    assert told["portfolio"]["dates"][0] == "2024-01-01"
    assert told["portfolio"]["equity"][0] == 10_000
    assert len(told["portfolio"]["equity"]) == len(told["portfolio"]["dates"]) == 7
    assert told["data_hash"] == run.data_id
    assert run.owner == alice


@pytest.mark.parametrize("address", [RUN, RUN + "/"])
def test_both_slashes_take_an_upload(api, alice, address):
    assert api(alice).post(address, {"file": upload(UP)} | SHORT).status_code == 200


def test_several_files_are_one_run(api, alice):
    files = [upload(UP), upload(DOWN, "DOWN.csv"), upload(FLAT, "FLAT.csv")]
    told = api(alice).post(RUN, {"file": files} | SHORT).json()
    assert [ticker["ticker"] for ticker in told["tickers"]] == ["DOWN", "FLAT", "UP"]
    assert told["summary"]["flat_tickers"] == 1


def test_a_csv_body_takes_its_parameters_from_the_query(api, alice):
    response = api(alice).post(f"{RUN}?ticker=KO&fast=1&slow=2", UP, content_type="text/csv")
    assert response.status_code == 200
    assert response.json()["tickers"][0]["ticker"] == "KO"


def test_a_csv_body_of_one_instrument_needs_its_ticker(api, alice):
    response = api(alice).post(f"{RUN}?fast=1&slow=2", UP, content_type="text/csv")
    assert response.status_code == 422
    assert fields_of(response) == [("ticker", "ticker")]


def test_twins_of_a_file_give_equal_results(api, alice):
    client, seen = api(alice), []
    for twin in TWINS.values():
        told = client.post(RUN, {"file": upload(twin, "AAPL.csv")} | SHORT).json()
        seen.append({key: value for key, value in told.items() if key not in ("run_id", "charts", "created_at")})
    assert all(one == seen[0] for one in seen)
    assert PriceData.objects.count() == 1


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_422_with_its_place(api, alice, what):
    content, row, column, code = HOSTILE[what]
    response = api(alice).post(RUN, {"file": upload(content, "A.csv")})
    (error,) = response.json()["errors"]
    assert response.status_code == 422
    assert (error.get("row"), error.get("column"), error["code"], error["file"]) == (row, column, code, "A.csv")
    assert not Run.objects.exists()


def test_empty_uploads_are_refused(api, alice):
    client = api(alice)
    empty = [
        client.post(RUN, {"file": upload("")}),
        client.post(RUN, b"", content_type="text/csv"),
        client.post(RUN, {}),
        client.post(RUN, {"file": "text"}),
        client.post(RUN),
    ]
    assert [response.status_code for response in empty] == [422, 400, 400, 400, 400]
    assert all(field == "file" for response in empty for field, _ in fields_of(response))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"fast": "0"}, "fast"),
        ({"fast": "300"}, "fast"),
        ({"slow": "x"}, "slow"),
        ({"fee_bps": "nan"}, "fee_bps"),
        ({"initial_investment": "-1"}, "initial_investment"),
        ({"fill": "tomorrow"}, "fill"),
        ({"strategy": "magic"}, "strategy"),
        ({"moon": "1"}, "moon"),
        ({"fast": ["1", "2"]}, "fast"),
        ({"x" * 500: "1"}, "x" * 40),
    ],
)
def test_a_wrong_parameter_is_400_by_name(api, alice, given, field):
    response = api(alice).post(RUN, {"file": upload(UP)} | given)
    assert response.status_code == 400
    assert fields_of(response)[0][0] == field


def test_a_parameter_in_query_and_form_is_refused(api, alice):
    response = api(alice).post(f"{RUN}?fast=1", {"file": upload(UP)} | SHORT)
    assert (response.status_code, fields_of(response)) == (400, [("fast", "duplicate")])


def test_a_file_in_another_field_is_refused(api, alice):
    response = api(alice).post(RUN, {"prices": upload(UP)})
    assert (response.status_code, fields_of(response)) == (400, [("prices", "unknown")])


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "image/png"])
def test_other_bodies_are_415(api, alice, kind):
    assert api(alice).post(RUN, "{}", content_type=kind).status_code == 415


def test_a_broken_multipart_body_is_400(api, alice):
    response = api(alice).post(RUN, b"--x\r\nbroken", content_type="multipart/form-data; boundary=y")
    assert response.status_code == 400


def test_too_many_files_fields_or_bytes_are_4xx(api, alice, settings):
    client = api(alice)
    assert client.post(RUN, {"file": [upload(UP, f"T{at}.csv") for at in range(101)]}).status_code == 400
    assert client.post(RUN, {"file": upload(UP)} | {f"x{at}": "1" for at in range(600)}).status_code == 400
    assert client.post(RUN, {"file": upload(UP), "fast": "1" * 2_000_000}).status_code in (400, 413)
    settings.UPLOAD_MAX_BYTES = 1000
    assert client.post(RUN, {"file": upload(UP * 50)}).status_code == 413


def test_too_few_bars_for_the_windows_say_so(api, alice):
    response = api(alice).post(RUN, {"file": upload(UP)})
    assert response.status_code == 422
    assert fields_of(response) == [("file", "too_few_bars")]
    (skip,) = response.json()["skipped"]
    assert (skip["ticker"], skip["code"]) == ("UP", "too_few_bars")
    assert "200" in skip["reason"]


def test_some_tickers_with_too_few_bars_are_listed(api, alice):
    few = upload("date,close\n2024-01-01,1\n", "FEW.csv")
    told = api(alice).post(RUN, {"file": [upload(UP), few]} | SHORT).json()
    assert [skip["ticker"] for skip in told["skipped"]] == ["FEW"]
    assert list(told["charts"]) == ["UP"]


def test_next_open_without_opens_is_422_that_names_it(api, alice):
    response = run_up(api(alice), fill="next_open")
    assert response.status_code == 422
    assert "UP: The file has no open prices" in response.json()["detail"]


def test_a_bound_is_named(api, alice, monkeypatch):
    monkeypatch.setattr("strategies.prices.MAX_BARS", 5)
    response = run_up(api(alice))
    assert (response.status_code, "more than 5 rows" in response.json()["detail"]) == (422, True)


def test_a_stranger_is_401_and_a_reading_token_may_not_run(api, alice):
    assert [api().get(address).status_code for address in (SAMPLE, HELP, RUNS, RUNS + "1")] == [401] * 4
    assert run_up(api()).status_code == 401
    assert run_up(api(alice, "read")).status_code == 403


def test_terms_beyond_the_plain_account_are_taken_and_come_again(api, alice):
    client = api(alice)
    told = run_up(client, direction="both", spread_bps="20", trailing_stop_percentage="10", accounts="shared").json()
    (ticker,) = told["tickers"]
    assert {trade["side"] for trade in ticker["trades"]} == {"long", "short"}
    assert "half of the spread 10 basis points" in told["assumptions"]["missing_bars"]
    assert client.get(f"/algorithm/runs/{told['run_id']}").json() == told


def test_a_run_that_was_kept_before_there_were_terms_is_made_again(api, alice):
    client = api(alice)
    told = run_up(client).json()
    Run.objects.update(terms={}, parameters={"fast": 1, "slow": 2})
    assert client.get(f"/algorithm/runs/{told['run_id']}").json()["portfolio"] == told["portfolio"]


# Sample and help -------------------------------------------------------------------------


def test_the_sample_trades_and_has_winners_and_losers(api, alice):
    told = api(alice).get(SAMPLE).json()
    assert told["total_initial_investment"] == 40_000
    assert told["summary"]["profitable_tickers"] == 3
    assert told["summary"]["losing_tickers"] == 1
    assert told["summary"]["win_rate_percentage"] == 75.0
    assert all(ticker["closed_trades"] > 0 for ticker in told["tickers"])


def test_the_sample_is_what_running_its_files_gives(api, alice):
    client = api(alice)
    files = [
        upload(as_csv(daily_bars(ticker, services.SAMPLE_YEARS, services.SAMPLE_SEED)), f"{ticker}.csv")
        for ticker in services.SAMPLE_TICKERS
    ]
    one, other = client.get(SAMPLE).json(), client.post(RUN, {"file": files}).json()
    assert one["data_hash"] == other["data_hash"]
    assert one["tickers"] == other["tickers"]


def test_the_sample_is_kept_once_for_each_user_and_parameters(api, alice, bob):
    client = api(alice)
    first, again = client.get(SAMPLE).json(), client.get(SAMPLE).json()
    assert first == again
    assert client.get(SAMPLE, {"fast": 20}).json()["run_id"] != first["run_id"]
    assert api(bob).get(SAMPLE).json()["run_id"] != first["run_id"]
    assert Run.objects.count() == 3
    assert PriceData.objects.count() == 1


def test_the_sample_refuses_wrong_parameters_by_name(api, alice):
    response = api(alice).get(SAMPLE, {"fast": "x", "moon": "1"})
    assert response.status_code == 400
    assert {field for field, _ in fields_of(response)} == {"fast", "moon"}
    assert api(alice).get(SAMPLE, {"fast": "9", "slow": "9999"}).status_code == 422


def test_help_tells_every_parameter_with_its_range(api, alice):
    told = api(alice).get(HELP).json()
    strategy = next(strategy for strategy in told["strategies"] if strategy["name"] == "ma_crossover")
    assert [(p["name"], p["default"], p.get("minimum")) for p in strategy["parameters"]] == [
        ("fast", 50, 1),
        ("slow", 200, 2),
        ("average", "sma", None),
    ]
    assert {p["name"] for p in told["parameters"]} >= {"strategy", "initial_investment", "fee_bps", "fill"}
    assert len(told["csv_forms"]) == 3
    assert "/algorithm/run" in told["example"]


def test_the_csv_examples_of_the_help_can_be_read(api, alice):
    from strategies.prices import read_file

    for form in api(alice).get(HELP).json()["csv_forms"]:
        assert read_file("AAPL.csv", form["example"].encode())


# Kept runs ---------------------------------------------------------------------------------


@pytest.fixture
def kept(api, alice) -> Run:
    run_up(api(alice))
    return Run.objects.get()


PARTS = {
    "": "application/json",
    "/chart.png": "image/png",
    "/charts/UP.png": "image/png",
    "/charts/UP.svg": "image/svg+xml",
    "/trades.csv": "text/csv; charset=utf-8",
    "/equity.csv": "text/csv; charset=utf-8",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_kept_run_answers_with_an_etag_and_304(api, alice, kept, part):
    client, address = api(alice), f"/algorithm/runs/{kept.pk}{part}"
    response = client.get(address)
    assert (response.status_code, response["Content-Type"]) == (200, PARTS[part])
    assert response.content
    again = client.get(address, headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address, headers={"Accept": PARTS[part].partition(";")[0]}).status_code == 200


@pytest.mark.parametrize("part", PARTS)
def test_a_run_belongs_to_its_owner_and_the_back_office_sees_it(api, bob, carol, dave, kept, part):
    address = f"/algorithm/runs/{kept.pk}{part}"
    assert [api(user).get(address).status_code for user in (bob, carol, dave)] == [404, 200, 200]
    assert api().get(address).status_code == 401


@pytest.mark.parametrize("part", PARTS)
def test_the_queries_of_a_kept_run_are_few(api, alice, kept, part, django_assert_max_num_queries):
    client = api(alice)
    client.get(f"/algorithm/runs/{kept.pk}{part}")
    with django_assert_max_num_queries(3):
        client.get(f"/algorithm/runs/{kept.pk}{part}")


def test_a_kept_run_is_answered_as_it_was_given(api, alice):
    client = api(alice)
    given = run_up(client).json()
    assert client.get(f"/algorithm/runs/{given['run_id']}").json() == given


def test_the_pictures_of_a_result_are_there(api, alice):
    client = api(alice)
    told = client.post(RUN, {"file": [upload(UP), upload(UP, "BRK.B.csv")]} | SHORT).json()
    assert {client.get(address).status_code for address in told["charts"].values()} == {200}
    assert set(told["charts"]) == {"UP", "BRK.B"}


@pytest.mark.parametrize(
    "address", ["0", "99999999999999999999", "x", "-1", "1/charts/NOPE.png", "1/charts/UP.gif", "1/report.pdf", "%00"]
)
def test_what_is_not_there_is_404(api, alice, kept, address):
    assert api(alice).get(RUNS + address).status_code == 404


def test_the_trade_log_is_a_download(api, alice, kept):
    response = api(alice).get(f"/algorithm/runs/{kept.pk}/trades.csv")
    assert response["Content-Disposition"] == f'attachment; filename="run-{kept.pk}-trades.csv"'
    assert response.content.decode().splitlines()[1].startswith("UP,2024-01-04,4.0,2024-01-07,5.0,")


def test_runs_are_listed_newest_first_by_cursor(api, alice, bob):
    client = api(alice)
    made = [run_up(client).json()["run_id"] for _ in range(3)]
    run_up(api(bob))
    page = client.get(RUNS, {"page_size": 2}).json()
    rest = client.get(page["next"]).json()
    assert [row["run_id"] for row in page["results"] + rest["results"]] == made[::-1]
    assert rest["next"] is None
    assert page["results"][0]["url"].endswith(f"/algorithm/runs/{made[-1]}")


def test_the_list_costs_the_same_for_one_run_and_for_many(api, alice, django_assert_max_num_queries):
    client = api(alice)
    for _ in range(5):
        run_up(client)
    with django_assert_max_num_queries(2):
        assert len(client.get(RUNS).json()["results"]) == 5


@pytest.mark.parametrize("query", ["cursor=x", "page_size=0", "page_size=1001", "page_size=x", "cursor=%00"])
def test_the_list_refuses_bad_pages(api, alice, query):
    assert api(alice).get(f"{RUNS}?{query}").status_code == 400


# What was tampered with -----------------------------------------------------------------------


@pytest.mark.parametrize("packed", [b"", b"junk"])
def test_damaged_rows_are_a_409_and_break_no_list(api, alice, kept, packed):
    PriceData.objects.update(packed=packed)
    client = api(alice)
    assert client.get(RUNS).status_code == 200
    assert client.get(f"/algorithm/runs/{kept.pk}").status_code == 409
    assert client.get(f"/algorithm/runs/{kept.pk}/chart.png").status_code == 409


@pytest.mark.parametrize(
    "changed",
    [
        {"summary": []},
        {"summary": 5},
        {"summary": {}},
        {"parameters": []},
        {"strategy": "gone"},
        {"tickers": []},
        {"tickers": 5},
        {"tickers": [5]},
    ],
)
def test_an_odd_row_gives_no_5xx(api, alice, kept, changed):
    Run.objects.filter(pk=kept.pk).update(**changed)
    client = api(alice)
    for address in (RUNS, *(f"{RUNS}{kept.pk}{part}" for part in PARTS)):
        assert client.get(address).status_code < 500


def test_a_result_never_holds_what_json_cannot(api, alice):
    written = run_up(api(alice)).content
    assert json.loads(written, parse_constant=pytest.fail)["status"]
    assert b":null" in written  # so is what is not defined, and not NaN


# In a browser ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("address", "status"), [(RUN, 405), (SAMPLE, 200), (HELP, 200), (RUNS, 200)])
def test_a_browser_gets_the_browsable_api(client, alice, address, status):
    client.force_login(alice)
    response = client.get(address, headers={"Accept": "text/html"})
    assert (response.status_code, response["Content-Type"]) == (status, "text/html; charset=utf-8")


def test_a_kept_run_can_be_browsed(client, alice, kept):
    client.force_login(alice)
    assert client.get(f"{RUNS}{kept.pk}", headers={"Accept": "text/html"}).status_code == 200


def test_a_dry_run_checks_and_keeps_nothing(api, alice):
    client = api(alice)
    told = client.post(RUN, {"file": upload(UP.replace("2024-01-07,5", "2024-01-20,50"))} | SHORT | {"dry_run": "true"})
    assert told.status_code == 200
    assert told.json()["tickers"] == [
        {"ticker": "UP", "bars": 7, "first_date": "2024-01-01", "last_date": "2024-01-20", "columns": ["close"]}
    ]
    assert {warning["code"] for warning in told.json()["warnings"]} >= {"missing_sessions"}
    assert (told.json()["skipped"], told.json()["can_run"]) == ([], True)
    lacking = run_up(client, dry_run="true", fill="next_open").json()
    assert (lacking["skipped"][0]["code"], lacking["can_run"]) == ("no_open", False)
    assert not Run.objects.exists() and not PriceData.objects.exists()
