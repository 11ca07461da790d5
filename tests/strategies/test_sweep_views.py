"""The pages of sweeps: form, estimate, progress, map and best rows, cancel; nobody else's."""

import pytest

from strategies.forms import AxisField
from strategies.library import ma_crossover
from strategies.models import Sweep
from strategies.sweeping import work_out_part
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
