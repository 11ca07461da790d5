"""Long runs: asked for with 202, worked out apart, kept once, cancelled; on the desk with progress."""

import pytest

from strategies import aside, pending, services, single
from strategies.models import PendingRun, PriceData, Run
from strategies.standing import Standing
from tests.strategies.test_api import RUN, SHORT, run_up, upload
from tests.strategies.test_results import UP
from tests.strategies.test_views import PAGE, VALUES
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job, State

pytestmark = pytest.mark.django_db
LATER = {"Prefer": "respond-async, wait=10"}


@pytest.fixture(autouse=True)
def handlers():
    runner.load_handlers()


def ask(client, **more):
    return client.post(RUN, {"file": upload(UP)} | SHORT | more, headers=LATER)


@pytest.fixture
def asked(api, alice) -> PendingRun:
    assert ask(api(alice)).status_code == 202
    return PendingRun.objects.get()


def test_who_does_not_wait_is_told_where_to_look_and_gets_the_same_run(api, alice):
    client = api(alice)
    answer = ask(client)
    address = answer.json()["status_url"]
    assert (answer.status_code, answer.json()["status"], answer["Location"]) == (202, "queued", address)
    assert client.get(address).json()["status"] == "queued" and not Run.objects.exists()
    assert runner.run_owed() == 1
    told = client.get(address).json()
    assert (told["status"], told["progress"], told["run_id"]) == ("succeeded", 100, Run.objects.get().pk)
    apart, at_once = client.get(told["run_url"]).json(), run_up(client).json()
    own = ("run_id", "charts", "created_at")
    assert {k: v for k, v in apart.items() if k not in own} == {k: v for k, v in at_once.items() if k not in own}


def test_who_is_owed_too_many_runs_is_told_to_wait_by_program_and_page(api, alice, client, settings, monkeypatch):
    settings.JOBS_A_USER = 1
    monkeypatch.setattr(single, "LONG_SECONDS", 0.0)
    assert ask(api(alice)).status_code == 202
    refused = ask(api(alice))
    assert (refused.status_code, refused["Retry-After"], PendingRun.objects.count()) == (429, "30", 1)
    assert refused["Content-Type"] == "application/problem+json"
    assert "1 jobs of kind backtest are owed to you" in refused.json()["detail"]
    client.force_login(alice)
    page = client.post(PAGE, VALUES | {"file": upload(UP), "fee_bps": "7.25"}, headers={"Accept": "text/html"})
    assert (page.status_code, page["Retry-After"]) == (429, "30")
    assert "Wait until some are done" in page.content.decode()
    assert 'value="7.25"' in page.content.decode()  # the form is as it was filled in


def test_a_long_run_on_bars_of_the_desk_is_not_waited_for(api, alice, monkeypatch):
    monkeypatch.setattr("strategies.asked.read_stored", lambda wanted: services.sample_prices()[0])
    body = {"tickers": ["AAPL"], "strategy": "buy_and_hold"}
    assert api(alice).post(RUN, body, format="json").status_code == 200
    monkeypatch.setattr(single, "LONG_SECONDS", 0.01)
    assert api(alice).post(RUN, body, format="json").status_code == 202


def test_a_cancelled_run_never_appears(api, alice, asked):
    client, address = api(alice), f"/algorithm/runs/pending/{asked.pk}"
    assert client.delete(address).status_code == 204
    assert runner.run_owed() == 1
    assert client.get(address).json() | {"created_at": 0, "estimated_seconds": 0} == {
        "id": asked.pk, "status": "failed", "progress": 0, "reason": "Cancelled.", "created_at": 0,
        "estimated_seconds": 0,
    }  # fmt: skip
    assert client.delete(address).status_code == 409
    assert not Run.objects.exists()


def test_a_run_is_stopped_when_it_is_cancelled_in_between(asked, monkeypatch):
    looks, seen = iter([False, True]), []
    monkeypatch.setattr(pending, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(pending, "is_cancelled", lambda asked: next(looks))
    assert pending.work_out(asked, seen.append) == {"run": "cancelled"}
    assert len(seen) == 1 and not Run.objects.exists()


def test_a_killed_process_is_tried_again_and_the_run_is_kept_once(asked, monkeypatch):
    monkeypatch.setattr(aside.sys, "executable", "/bin/false")
    with pytest.raises(runner.TryAgain):
        pending.work_out(asked, lambda percentage: None)
    monkeypatch.undo()
    first = pending.work_out(asked, lambda percentage: None)
    assert pending.work_out(PendingRun.objects.get(), lambda percentage: None) == first
    assert pending.work_out(asked, lambda percentage: None) == first  # a runner that was thought dead
    assert Run.objects.count() == 1


def test_a_run_that_cannot_be_is_told_by_the_job(api, alice):
    told = ask(api(alice), slow="100").json()
    runner.run_owed()
    found = api(alice).get(told["status_url"]).json()
    assert found["status"] == "failed" and "needs at least 100" in found["reason"]


def test_what_was_asked_in_vain_goes_with_the_run_of_the_same_rows(api, alice):
    for number in range(4):
        ask(api(alice), fee_bps=number)
        runner.run_owed()
    kept, also_kept, failed, cancelled = PendingRun.objects.order_by("pk")
    PendingRun.objects.filter(pk__in=[failed.pk, cancelled.pk]).update(run=None)
    Job.objects.filter(key=failed.pk).update(state=State.FAILED)
    pending.cancel(cancelled)
    Run.objects.exclude(pk__in=[kept.run_id, also_kept.run_id]).delete()
    ask(api(alice), fee_bps=9)
    services.remove(kept.run)
    left = PendingRun.objects.order_by("pk")
    assert [asked.run_id is None for asked in left] == [False, True]  # the other run, and what is under way
    runner.run_owed()
    for asked in left.all():
        services.remove(asked.run)
    assert not PriceData.objects.exists()


def test_what_was_asked_in_vain_is_removed_by_its_owner_alone_with_rows_nothing_else_rests_on(api, alice, bob):
    told = ask(api(alice), slow="100").json()
    ask(api(bob))
    runner.run_owed()
    address = told["status_url"]
    assert api(alice).delete(address).status_code == 409  # it has ended, and nobody said that it may go
    assert api(bob).delete(f"{address}?remove=true").status_code == 404
    assert api(alice).delete(f"{address}?remove=maybe").status_code == 400
    assert api(alice).delete(f"{address}?remove=true").status_code == 204
    assert api(alice).get(address).status_code == 404
    services.remove(Run.objects.get())  # bob's, whose rows they are too
    assert not PriceData.objects.exists()


def test_a_run_that_is_done_is_not_removed_as_one_in_vain(api, alice, asked):
    runner.run_owed()
    assert api(alice).delete(f"/algorithm/runs/pending/{asked.pk}?remove=true").status_code == 409
    assert Run.objects.exists()


def test_a_run_that_is_removed_before_its_turn_is_never_kept(api, alice, asked):
    begun = PendingRun.objects.select_related("data").get()
    assert api(alice).delete(f"/algorithm/runs/pending/{asked.pk}?remove=true").status_code == 204
    runner.run_owed()
    assert pending.work_out(begun, lambda percentage: None) == {"run": "cancelled"}
    assert not Run.objects.exists() and not PriceData.objects.exists()


def test_the_desk_lists_what_was_in_vain_with_its_reason_and_deletes_it(api, client, alice, bob, dave):
    ask(api(alice), slow="100")
    runner.run_owed()
    address = f"{PAGE}pending/{PendingRun.objects.get().pk}/"
    client.force_login(alice)
    listed = client.get(PAGE).content.decode()
    assert address in listed and "needs at least 100" in listed
    assert f"{address}remove/" in client.get(address).content.decode()
    for stranger, refused in ((bob, 404), (dave, 403)):
        client.force_login(stranger)
        assert client.post(f"{address}remove/").status_code == refused
    client.force_login(alice)
    assert client.post(f"{address}remove/").headers["Location"] == PAGE
    assert address not in client.get(PAGE).content.decode() and not PriceData.objects.exists()


def test_a_job_whose_run_was_removed_is_no_failure(asked):
    asked.delete()
    runner.run_owed()
    assert Job.objects.values_list("state", "result").get() == ("succeeded", {"run": "removed"})


@pytest.mark.parametrize("status", ["queued", "failed"])
def test_a_run_that_another_request_has_just_removed_is_404(api, alice, asked, monkeypatch, status):
    def removed_meanwhile(asked: PendingRun) -> Standing:
        PendingRun.objects.filter(pk=asked.pk).delete()
        return Standing(status, 0)

    monkeypatch.setattr(pending, "standing", removed_meanwhile)
    assert api(alice).delete(f"/algorithm/runs/pending/{asked.pk}?remove=true").status_code == 404


def test_what_is_done_by_now_is_not_said_to_be_deleted(api, client, alice, asked, monkeypatch):
    runner.run_owed()
    client.force_login(alice)
    removal = client.post(f"{PAGE}pending/{asked.pk}/remove/", follow=True)
    assert removal.redirect_chain[-1][0] == f"{PAGE}{Run.objects.get().pk}/"
    assert "is deleted" not in removal.content.decode()
    monkeypatch.setattr(PendingRun, "run_id", None)  # as it was read just before
    monkeypatch.setattr(pending, "standing", lambda asked: Standing("failed", 0))
    refused = api(alice).delete(f"/algorithm/runs/pending/{asked.pk}?remove=true")
    assert (refused.status_code, Run.objects.count()) == (409, 1)


def test_a_run_under_way_stands_before_any_number_of_later_failures(client, alice, carol, asked):
    told = {name: getattr(asked, name) for name in ("strategy", "parameters", "terms", "source", "data")}
    failed = [PendingRun(owner=alice, estimated_seconds=1, **told) for _ in range(pending.SHOWN + 1)]
    PendingRun.objects.bulk_create(failed)
    listed = [(one.pk, standing.status) for one, standing in pending.without_run(alice)]
    assert listed[0] == (asked.pk, "queued")
    assert listed[1:] == [(one.pk, "failed") for one in reversed(failed[1:])]
    pending.cancel(asked)
    assert {standing.status for _, standing in pending.without_run(alice)} == {"failed"}
    for user, is_named in ((alice, False), (carol, True)):  # the back office sees whose it is
        client.force_login(user)
        assert (" by alice" in client.get(PAGE).content.decode()) is is_named


def test_it_belongs_to_its_owner(api, bob, asked):
    for method in ("get", "delete"):
        assert getattr(api(bob), method)(f"/algorithm/runs/pending/{asked.pk}").status_code == 404


def test_the_page_of_a_long_run_shows_its_progress_and_goes_to_the_run(client, alice, bob, monkeypatch):
    client.force_login(alice)
    monkeypatch.setattr(single, "LONG_SECONDS", 0.0)
    address = client.post(PAGE, VALUES | {"file": upload(UP)}).headers["Location"]
    asked = PendingRun.objects.get()
    assert address == f"{PAGE}pending/{asked.pk}/"
    page = client.get(address).content.decode()
    assert "Queued" in page and 'hx-trigger="every 2s' in page and "<progress" in page
    assert address in client.get(PAGE).content.decode()
    runner.run_owed()
    run_page = f"{PAGE}{Run.objects.get().pk}/"
    assert client.get(address).headers["Location"] == run_page
    assert client.get(address, headers={"HX-Request": "true"}).headers["HX-Redirect"] == run_page
    assert address not in client.get(PAGE).content.decode()
    client.force_login(bob)
    assert client.get(address).status_code == 404


def test_a_long_run_is_cancelled_from_its_page(client, alice, asked):
    client.force_login(alice)
    assert client.post(f"{PAGE}pending/{asked.pk}/cancel/").status_code == 302
    page = client.get(f"{PAGE}pending/{asked.pk}/").content.decode()
    assert "Cancelled." in page and "hx-trigger" not in page
    assert Job.objects.get().state == "queued"
