"""The pages of sweeps: form, estimate, progress, map and best rows, cancel; nobody else's."""

import pytest

from strategies import sweeping, walking
from strategies.forms import AxisField
from strategies.library import ma_crossover
from strategies.models import Sweep
from strategies.prices import read_file
from strategies.sweeping import work_out_part
from strategies.walk_forward import walk
from tests.strategies.test_api import upload
from tests.strategies.test_sweep_api import LONG
from tradeops.core.jobs.models import Job

pytestmark = pytest.mark.django_db

PAGE = "/desk/strategies/sweeps/"
VALUES = {"fast": "2..4", "slow": "10, 20", "average": "sma", "initial_investment": "10000", "fee_bps": "0"}


@pytest.fixture
def desk(client, alice):
    client.force_login(alice)
    return client


def start(desk, **more):
    return desk.post(PAGE, VALUES | {"fill": "close", "file": upload(LONG, "AAPL.csv")} | more)


def test_a_sweep_is_asked_for_watched_and_read(desk):
    response = start(desk)
    sweep = Sweep.objects.get()
    assert (response.status_code, response.headers["Location"]) == (302, f"{PAGE}{sweep.pk}/")
    waiting = desk.get(response.headers["Location"]).content.decode()
    assert "Queued" in waiting and 'hx-trigger="every 2s' in waiting
    work_out_part(sweep, 0, lambda percentage: None)
    page = desk.get(f"{PAGE}{sweep.pk}/", {"metric": "sharpe_ratio", "x": "slow", "y": "fast"}).content.decode()
    assert "Best by sharpe ratio" in page and 'class="heat-8"' in page and 'hx-trigger="every 2s' not in page
    assert "strategy=ma_crossover" in page
    assert desk.get(f"{PAGE}{sweep.pk}/", {"metric": "<b>", "x": "moon"}).status_code == 200
    assert "Sweep" in desk.get(PAGE).content.decode()


def test_a_sweep_that_these_bars_do_not_fit_says_why(desk):
    closes = "date,close\n" + "".join(f"2024-01-{day:02},{100 + day}\n" for day in range(1, 31))
    start(desk, fill="next_open", file=upload(closes, "AAPL.csv"))
    sweep = Sweep.objects.get()
    work_out_part(sweep, 0, lambda percentage: None)
    assert "The file has no open prices" in desk.get(f"{PAGE}{sweep.pk}/").content.decode()


def test_what_it_would_take_is_told_first(desk):
    page = start(desk, estimate="yes")
    assert "6 combinations" in page.content.decode()
    assert not Sweep.objects.exists() and not Job.objects.exists()


def test_the_best_row_leads_to_the_form_with_its_values(desk):
    page = desk.get("/desk/strategies/?strategy=ma_crossover&fast=7&slow=33&fill=close").content.decode()
    assert 'value="7"' in page and 'value="33"' in page


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fast": "x"}, "not a whole number"),
        ({"fast": "5..1"}, "not a range"),
        ({"fast": "1..2/0.0001"}, "not a range"),
        ({"fast": "2", "slow": "10"}, "Nothing varies"),
        ({"fast": "30, 40", "slow": "10"}, "fast must be less than slow"),
        ({"fee_bps": "x"}, "not a plain decimal"),
        ({"file": upload("date,close\n2024-01-01,x\n", "A.csv")}, "A.csv, row 2"),
    ],
)
def test_a_refusal_stands_in_the_form(desk, given, said):
    response = start(desk, **given)
    assert (response.status_code, said in response.content.decode()) == (422, True)
    assert not Sweep.objects.exists()


def test_a_sweep_is_cancelled_by_its_owner_alone(desk, client, bob):
    start(desk)
    sweep = Sweep.objects.get()
    client.force_login(bob)
    assert client.get(f"{PAGE}{sweep.pk}/").status_code == 404
    assert client.post(f"{PAGE}{sweep.pk}/cancel/").status_code == 404
    client.force_login(sweep.owner)
    client.post(f"{PAGE}{sweep.pk}/cancel/")
    assert "Cancelled." in client.get(f"{PAGE}{sweep.pk}/").content.decode()


@pytest.mark.pure
@pytest.mark.parametrize(
    ("text", "values"),
    [("5", [5]), ("5, 7", [5, 7]), ("5..7", [5, 6, 7]), ("10..20/5, 50", [10, 15, 20, 50]), ("10..14/3", [10, 13])],
)
def test_values_may_be_listed_or_given_as_ranges(text, values):
    assert AxisField(ma_crossover.PARAMETERS[0]).clean(text) == values


def test_a_sweep_is_deleted_from_its_page_by_who_may(desk, client, bob, dave):
    start(desk)
    sweep = Sweep.objects.get()
    work_out_part(sweep, 0, lambda percentage: None)
    assert f"{PAGE}{sweep.pk}/remove/" in desk.get(f"{PAGE}{sweep.pk}/").content.decode()
    for stranger, refused in ((bob, 404), (dave, 403)):
        client.force_login(stranger)
        assert client.post(f"{PAGE}{sweep.pk}/remove/").status_code == refused
    client.force_login(sweep.owner)
    assert client.post(f"{PAGE}{sweep.pk}/remove/").headers["Location"] == PAGE
    assert not Sweep.objects.exists()


def test_a_sweep_is_walked_forward_on_the_desk_and_by_address(desk, client, bob):
    start(desk)
    sweep = Sweep.objects.get()
    page, address = f"{PAGE}{sweep.pk}/walk-forward/", f"/algorithm/sweeps/{sweep.pk}/walk-forward"
    told = desk.get(address, {"train": 100, "test": 50}).json()
    expected = walk(sweeping.grid_of(sweep), read_file("AAPL.csv", LONG.encode())[0], 100, 50)
    assert told == {"train": 100, "test": 50, "walks": [expected.told()]}
    shown = desk.get(page, {"train": 100, "test": 50}).content.decode()
    assert shown.count("<tr>") == 1 + len(expected.folds) and "train=100&amp;test=50" in shown
    equity, held = desk.get(f"{address}/curves/AAPL", {"train": 100, "test": 50}).json()["panels"][0]["series"]
    assert equity["values"][-1] == pytest.approx(expected.equity[-1])
    assert held["values"][0] == pytest.approx(10_000)
    assert desk.get(f"{address}/curves/NOPE").status_code == 404
    assert (desk.get(address).json()["train"], desk.get(page).status_code) == (len(expected.prices) // 3, 200)
    for refused in ({"train": "1"}, {"train": "x"}, {"trains": "5"}):
        assert desk.get(address, refused).status_code == 400
    assert desk.get(address, {"train": 5000}).json()["errors"][0]["code"] == "too_few_bars"
    assert desk.get(page, {"train": 5000}).status_code == 422
    client.force_login(bob)
    assert (client.get(page).status_code, client.get(address).status_code) == (404, 404)


def test_a_walk_that_would_take_long_is_refused(desk, monkeypatch):
    start(desk)
    monkeypatch.setattr(walking, "MOST_SECONDS", 0.0)
    answer = desk.get(f"/algorithm/sweeps/{Sweep.objects.get().pk}/walk-forward")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_large")


def test_an_estimate_says_what_is_wrong_where_it_stands(desk):
    page = start(desk, estimate="yes", fast="x")
    assert page.status_code == 200 and "not a whole number" in page.content.decode().partition('id="takes"')[2][:400]
