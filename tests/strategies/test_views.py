"""The strategies pages: form, list and one run, without JavaScript."""

from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from strategies.library import strategies
from strategies.metrics import METRICS
from strategies.models import PriceData, Run
from tests.strategies.test_results import DOWN, UP

pytestmark = pytest.mark.django_db

PAGE = "/desk/strategies/"
VALUES = {"fast": "1", "slow": "2", "initial_investment": "10000", "fee_bps": "0", "fill": "close", "ticker": ""}


def upload(text: str = UP, name: str = "UP.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, text.encode(), "text/csv")


@pytest.fixture
def desk(client, alice):
    client.force_login(alice)
    return client


def start(desk, **more):
    return desk.post(PAGE, VALUES | {"file": upload()} | more)


def test_a_stranger_is_sent_to_sign_in(client):
    for address in (PAGE, PAGE + "1/"):
        assert client.get(address).headers["Location"].startswith("/desk/sign-in/")


def test_the_form_shows_every_parameter_with_range_and_help(desk):
    page = desk.get(PAGE).content.decode()
    for name in ("fast", "slow", "initial_investment", "fee_bps", "fill", "file", "ticker"):
        assert f'name="{name}"' in page
    assert "1 to 5,000" in page
    assert "No runs yet" in page


def test_an_upload_runs_and_goes_to_its_page(desk):
    response = start(desk)
    run = Run.objects.get()
    assert (response.status_code, response.headers["Location"]) == (302, f"{PAGE}{run.pk}/")
    page = desk.get(response.headers["Location"]).content.decode()
    assert "12,500.00" in page
    assert run.data_id in page
    assert f"/algorithm/runs/{run.pk}/chart.png" in page


def test_the_page_of_a_run_tells_every_figure_with_its_formula_and_how_far_to_believe_it(desk):
    start(desk, file=[upload(), upload(DOWN.replace("2024-01-05,6", "2024-01-05,2.9"), "DOWN.csv")])
    page = unescape(desk.get(f"{PAGE}{Run.objects.get().pk}/").content.decode())
    assert all(metric.formula in page and metric.title in page for metric in METRICS)
    assert "No look-ahead" in page
    assert "by a split" in page
    assert '<th scope="row">2024</th>' in page


def test_several_files_are_taken_and_a_ticker_can_be_chosen(desk):
    start(desk, file=[upload(), upload(DOWN, "DOWN.csv")])
    run = Run.objects.get()
    assert "Trades of DOWN" in desk.get(f"{PAGE}{run.pk}/").content.decode()
    assert "Trades of UP" in desk.get(f"{PAGE}{run.pk}/?ticker=UP").content.decode()
    assert "Trades of DOWN" in desk.get(f"{PAGE}{run.pk}/?ticker=<script>").content.decode()


def test_the_sample_needs_no_file_and_is_run_once(desk):
    values = VALUES | {"fast": "50", "slow": "200", "data": "sample"}
    places = {desk.post(PAGE, values).headers["Location"] for _ in range(2)}
    assert len(places) == 1
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fast": "300"}, "fast is 300 and slow is 2"),
        ({"fast": "x"}, "“x” is not a whole number"),
        ({"slow": ""}, "This field is required"),
        ({"fee_bps": "5000"}, "the most is 1000"),
        ({"file": ""}, "This field is required"),
        ({"file": upload("date,close\n2024-01-01,1\n2024-01-01,2\n")}, "UP.csv, row 3, column date: UP has two prices"),
        ({"file": upload("<b>x</b>\n1\n", "<b>.csv")}, "There is no column date"),
        ({"slow": "100"}, "No ticker could be run. UP: 7 bars"),
        ({"fill": "next_open"}, "no open prices"),
        ({"ticker": "A B"}, "is not a ticker"),
    ],
)
def test_a_refusal_stands_in_the_form_with_its_reason(desk, given, said):
    response = start(desk, **given)
    page = response.content.decode()
    assert response.status_code == 422
    assert said in page
    assert "<b>" not in page
    assert not Run.objects.exists()


def test_pages_of_the_list_go_back_and_forth(desk):
    for _ in range(3):
        start(desk)
    first = desk.get(PAGE, {"page_size": 2})
    assert first.context["previous"] is None
    second = desk.get(first.context["next"])
    assert [run.pk for run in first.context["runs"]] + [run.pk for run in second.context["runs"]] == sorted(
        Run.objects.values_list("pk", flat=True), reverse=True
    )
    assert desk.get(PAGE, {"cursor": "x"}).status_code == 400


def test_another_traders_run_is_404_and_the_back_office_sees_whose_it_is(desk, client, bob, carol):
    start(desk)
    run = Run.objects.get()
    client.force_login(bob)
    assert client.get(f"{PAGE}{run.pk}/").status_code == 404
    assert "No runs yet" in client.get(PAGE).content.decode()
    client.force_login(carol)
    assert "by alice" in client.get(f"{PAGE}{run.pk}/").content.decode()
    assert "alice" in client.get(PAGE).content.decode()


def test_the_pages_cost_a_fixed_number_of_queries(desk, django_assert_max_num_queries):
    for _ in range(4):
        start(desk)
    with django_assert_max_num_queries(5):
        desk.get(PAGE)
    with django_assert_max_num_queries(4):
        desk.get(f"{PAGE}{Run.objects.first().pk}/")


def test_the_pages_hold_no_inline_style_or_script(desk):
    start(desk)
    for address in (PAGE, f"{PAGE}{Run.objects.get().pk}/"):
        page = desk.get(address).content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page


@pytest.mark.parametrize(
    "changed",
    [{"summary": []}, {"summary": {"tickers": [{}, 5]}}, {"tickers": 5}, {"parameters": []}, {"strategy": "gone"}],
)
def test_an_odd_row_breaks_no_page(desk, changed):
    start(desk)
    Run.objects.update(**changed)
    assert desk.get(PAGE).status_code == 200
    assert desk.get(f"{PAGE}{Run.objects.get().pk}/").status_code == 200


def test_the_back_office_can_look_at_runs_and_not_change_them(client, desk, django_user_model):
    start(desk)
    run = Run.objects.get()
    boss = django_user_model.objects.create_superuser("boss", password="x" * 12)
    client.force_login(boss)
    for address in ("strategies/run/", f"strategies/run/{run.pk}/change/", "strategies/pricedata/"):
        assert client.get(f"/admin/{address}").status_code == 200
    assert client.get(f"/admin/strategies/pricedata/{run.data_id}/change/").status_code == 200
    assert client.get("/admin/strategies/run/add/").status_code == 403
    assert client.post(f"/admin/strategies/run/{run.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Run.objects.count() == 1


def test_every_strategy_of_the_library_has_its_form(desk):
    for name, module in strategies().items():
        page = desk.get(PAGE, {"strategy": name}).content.decode()
        assert module.DESCRIPTION in unescape(page)
        assert all(f'name="{parameter.name}"' in page for parameter in module.PARAMETERS)
    assert "Moving-average crossover" in desk.get(PAGE, {"strategy": "nope"}).content.decode()


def test_the_form_offers_the_next_open_first_and_leaves_the_other_terms_plain(desk):
    page = desk.get(PAGE)
    assert page.context["form"]["fill"].field.widget.choices[0][0] == "next_open"
    assert not page.context["form"].has_unusual_terms


def test_a_short_with_a_stop_is_run_from_the_form_and_told_on_its_page(desk):
    start(desk, direction="both", stop_loss_percentage="5", strategy="macd", fast="1", slow="2", signal="1")
    run = Run.objects.get()
    assert (run.strategy, run.terms["stop_loss_percentage"]) == ("macd", 5.0)
    page = desk.get(f"{PAGE}{run.pk}/").content.decode()
    assert "stop loss 5 %" in page
    assert "long and short, all in" in page


def test_tags_and_note_are_kept_from_the_page_and_find_the_run_again(desk):
    start(desk)
    run = Run.objects.get()
    assert desk.post(f"{PAGE}{run.pk}/words/", {"tags": "trend, keep ,trend", "note": "<i>"}).status_code == 302
    run.refresh_from_db()
    assert (run.tag_list, run.note) == (["trend", "keep"], "<i>")
    page = desk.get(f"{PAGE}{run.pk}/").content.decode()
    assert 'value="trend, keep"' in page and "&lt;i&gt;" in page
    assert desk.post(f"{PAGE}{run.pk}/words/", {"tags": "x" * 41, "note": ""}).status_code == 422
    assert f"Run {run.pk}</a>" in desk.get(PAGE, {"tag": "keep", "ordering": "-return_percentage"}).content.decode()
    assert "No such run" in desk.get(PAGE, {"of": "macd"}).content.decode()


def test_a_run_is_removed_from_its_page_with_the_price_rows_that_nothing_else_rests_on(desk, client, bob, dave):
    start(desk)
    start(desk, fee_bps="10")
    first, second = Run.objects.order_by("pk")
    assert first.data_id == second.data_id
    page = desk.get(f"{PAGE}{first.pk}/").content.decode()
    assert f'action="{PAGE}{first.pk}/remove/"' in page and f"Delete run {first.pk}" in page
    assert desk.get(f"{PAGE}{first.pk}/remove/").status_code == 405
    said = desk.post(f"{PAGE}{first.pk}/remove/", follow=True).content.decode()
    assert f"Run {first.pk} is deleted." in said
    assert list(Run.objects.all()) == [second] and PriceData.objects.count() == 1
    for stranger, status in ((bob, 404), (dave, 403)):
        client.force_login(stranger)
        assert client.post(f"{PAGE}{second.pk}/remove/").status_code == status
    client.force_login(second.owner)
    assert client.post(f"{PAGE}{second.pk}/remove/").status_code == 302
    assert not Run.objects.exists() and not PriceData.objects.exists()


def test_runs_are_compared_on_a_page_of_their_own(desk, client, bob):
    for fee in ("0", "10"):
        start(desk, fee_bps=fee)
    one, two = Run.objects.order_by("pk").values_list("pk", flat=True)
    address = f"{PAGE}compare/?run={one}&run={two}"
    page = desk.get(address).content.decode()
    assert "All on the same price rows" in page and 'fee_bps <span class="badge is-accent">differs' in page
    assert f'data-curves="/algorithm/runs/compare/curves?runs={one},{two}"' in page
    for odd in ("", "?run=x", f"?run={one}", "?run=%00"):
        assert "Nothing to compare yet" in desk.get(f"{PAGE}compare/{odd}").content.decode()
    client.force_login(bob)
    assert client.get(address).status_code == 404


def test_files_are_checked_before_a_run_and_nothing_is_kept(desk):
    odd = DOWN.replace("2024-01-05,6", "2024-01-05,2.9")
    page = start(desk, check="yes", file=[upload(), upload(odd, "ODD.csv")]).content.decode()
    assert "2 tickers read, nothing run" in page and "by a split" in page and "2024-01-07" in page
    few = start(desk, check="yes", slow="100").content.decode()
    assert "Cannot be run" in few and "needs at least 100" in few
    refused = start(desk, check="yes", file=upload("date,close\n2024-01-01,x\n"))
    assert refused.status_code == 200 and "UP.csv, row 2, column close" in refused.content.decode()
    assert not Run.objects.exists()


def test_files_with_closes_alone_are_told_to_choose_the_close(desk):
    page = unescape(start(desk, fill="next_open").content.decode())
    assert "Choose the signal bar's close: these files have closes alone." in page
    assert "choose fill=close" in start(desk, fill="next_open", check="yes").content.decode()
