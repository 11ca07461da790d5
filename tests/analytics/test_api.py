"""Asking for a day's analysis and following its job."""

import datetime as dt

import pytest
from django.utils import timezone

from analytics import services
from analytics.models import ExportRequest, LakeFile
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe

pytestmark = pytest.mark.django_db

DONE = {"date": "2025-01-15"}
EMPTY = {"data": b"", "content_type": "application/json"}


@pytest.fixture(autouse=True)
def handlers():
    runner.load_handlers()


def ask(client, body=DONE):
    return client.post("/analytics/process", body, format="json")


def follow(client, answer):
    return client.get(f"/analytics/jobs/{answer.data['job_id']}")


def test_a_day_is_owed_done_and_reported(api, alice, day_of_trades):
    client = api(alice)
    answer = ask(client)
    assert answer.status_code == 202
    job = Job.objects.get()
    assert answer.data == {
        "job_id": job.pk,
        "status": "queued",
        "status_url": f"http://testserver/analytics/jobs/{job.pk}",
    }
    assert answer["Location"] == answer.data["status_url"]
    assert (job.kind, job.key, job.owner) == ("export", "2025-01-15", alice)
    assert follow(client, answer).data["status"] == "queued"
    runner.run_owed()
    told = follow(client, answer).data
    assert (told["status"], told["progress"], told["date"], told["attempt"]) == ("succeeded", 100, "2025-01-15", 1)
    assert told["keys"] == [
        "trades/2025/01/15/trades_2025-01-15.csv",
        "trades/2025/01/15/trades_2025-01-15.parquet",
        "analytics/2025/01/15/analysis_2025-01-15.csv",
        "analytics/2025/01/15/analysis_2025-01-15.parquet",
        "anchors/2025/01/15/anchors_2025-01-15.csv",
        "manifests/2025/01/15/manifest_2025-01-15.json",
    ]


@pytest.mark.usefixtures("one_day")
@pytest.mark.parametrize("path", ["/analytics/process", "/analytics/process/"])
@pytest.mark.parametrize("sent", [{"format": "json", "data": {}}, {}, EMPTY])
def test_without_a_date_it_is_yesterday(api, alice, path, sent):
    assert api(alice).post(path, **sent).status_code == 202
    assert Job.objects.get().key == str(timezone.now().date() - dt.timedelta(days=1))


def test_today_is_fine(api, alice):
    assert ask(api(alice), {"date": str(timezone.now().date())}).status_code == 202


def test_a_day_done_before_is_done_again(api, alice):
    first = ask(api(alice))
    runner.run_owed()
    second = ask(api(alice))
    assert second.data["job_id"] != first.data["job_id"]
    assert second.data["status"] == "queued"
    runner.run_owed()
    assert follow(api(alice), second).data["status"] == "succeeded"


def test_asking_twice_is_one_job(api, alice):
    assert ask(api(alice)).data == ask(api(alice)).data
    assert Job.objects.count() == ExportRequest.objects.count() == 1


def test_who_asks_again_while_a_day_is_made_gets_what_was_booked_meanwhile(api, alice, book, monkeypatch):
    made, read = [], services.CurrentTrades

    def reading(day):
        trades = read(day)
        if not made.append(day) and len(made) == 1:  # once the book has been read
            trades.rows = lambda: iter(())
            book("AAPL", "BUY", "1", "1", dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC))
            ask(api(alice))
        return trades

    monkeypatch.setattr("analytics.services.CurrentTrades", reading)
    answer = ask(api(alice))
    runner.run_owed(limit=1)
    assert follow(api(alice), answer).data["status"] == "succeeded"
    assert (len(made), LakeFile.objects.get(kind="trades", file_format="csv").rows) == (2, 1)


def test_a_second_asker_gets_the_job_under_way_and_may_follow_it(api, alice, bob):
    first = ask(api(alice))
    assert follow(api(bob), first).status_code == 404
    assert ask(api(bob)).data == first.data
    assert follow(api(bob), first).data["status"] == "queued"
    assert Job.objects.get().owner == alice


def test_one_who_asks_while_the_night_runs_may_follow_it(api, alice):
    owe("export", "2025-01-15")
    assert follow(api(alice), ask(api(alice))).status_code == 200


def test_a_job_that_failed_says_why(api, alice, monkeypatch):
    monkeypatch.setattr("analytics.services.make_trades", raising(ValueError("line 3: price is not a plain decimal")))
    answer = ask(api(alice))
    runner.run_owed()
    told = follow(api(alice), answer).data
    assert (told["status"], told["reason"], told["keys"]) == ("failed", "line 3: price is not a plain decimal", [])


def test_a_result_that_a_hand_put_in_names_no_keys(api, alice):
    answer = ask(api(alice))
    Job.objects.update(result=[1])
    assert follow(api(alice), answer).data["keys"] == []


def test_a_job_that_is_tried_again_says_which_attempt(api, alice, monkeypatch):
    from analytics.lake import LakeError

    monkeypatch.setattr("analytics.services.make_trades", raising(LakeError("The lake did not take it: SlowDown.")))
    answer = ask(api(alice))
    runner.run_owed()
    told = follow(api(alice), answer).data
    assert (told["status"], told["attempt"], told["reason"]) == ("retrying", 1, "The lake did not take it: SlowDown.")


def raising(error):
    def fail(*args):
        raise error

    return fail


TOMORROW = str(timezone.now().date() + dt.timedelta(days=2))


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"date": TOMORROW}, "date", "max_value"),
        ({"date": "1899-12-31"}, "date", "min_value"),
        ({"date": "2025-02-30"}, "date", "invalid"),
        ({"date": "20250115"}, "date", "invalid"),
        ({"date": "2025-01-15T00:00:00Z"}, "date", "invalid"),
        ({"date": "２０２５-01-15"}, "date", "invalid"),
        ({"date": 20250115}, "date", "invalid"),
        ({"date": ["2025-01-15"]}, "date", "invalid"),
        ({"date": None}, "date", "null"),
        ({"date": ""}, "date", "invalid"),
        ({"day": "2025-01-15"}, "day", "unknown_field"),
        (["2025-01-15"], "non_field_errors", "invalid"),
    ],
)
def test_what_is_no_day_is_refused_by_its_field(api, alice, body, field, code):
    answer = ask(api(alice), body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert [(error["field"], error["code"]) for error in answer.data["errors"]] == [(field, code)]
    assert Job.objects.count() == 0


def test_the_first_day_there_is_can_be_asked_for(api, alice):
    ask(api(alice), {"date": "1900-01-01"})
    runner.run_owed()
    assert Job.objects.get(kind="export").state == "succeeded"


def test_who_may_ask(api, alice, carol, dave):
    assert ask(api()).status_code == 401
    assert ask(api(alice, scope="read")).status_code == 403
    assert ask(api(dave)).status_code == 403
    assert ask(api(alice, scope="trade")).status_code == 202
    assert ask(api(carol)).status_code == 202


def test_who_may_follow(api, alice, bob, carol, dave):
    answer = ask(api(alice))
    seen = [follow(api(user), answer).status_code for user in (alice, bob, carol, dave)]
    assert seen == [200, 404, 200, 200]
    assert follow(api(), answer).status_code == 401
    assert follow(api(alice, scope="read"), answer).status_code == 200


def test_unknown_foreign_and_other_jobs_answer_alike(api, alice, bob):
    foreign = ask(api(alice)).data["job_id"]
    other = owe("other-kind", "a", owner=bob).pk
    answers = [api(bob).get(f"/analytics/jobs/{number}") for number in (foreign, other, 999_999, 2**80)]
    assert {(answer.status_code, answer.data["detail"]) for answer in answers} == {
        (404, "There is nothing at this address.")
    }


def test_following_takes_a_fixed_number_of_queries(api, alice, django_assert_max_num_queries):
    answer = ask(api(alice))
    client = api(alice)
    follow(client, answer)
    with django_assert_max_num_queries(3):  # the token (and its use), the job
        follow(client, answer)


def test_a_browser_sees_the_browsable_api(api, alice):
    page = api(alice).get("/analytics/process", HTTP_ACCEPT="text/html")
    assert page.status_code == 405
    assert "text/html" in page["Content-Type"]


def test_asking_takes_a_fixed_number_of_queries(api, alice, django_assert_max_num_queries, monkeypatch):
    monkeypatch.setattr("tradeops.core.jobs.clock.READ_EVERY_SECONDS", 3600)  # one query more, each ten seconds
    client = api(alice)
    ask(client)
    # The token and its use; owing and following it, each in its savepoint; the job for the answer.
    with django_assert_max_num_queries(16):
        ask(client, {"date": "2025-01-14"})
