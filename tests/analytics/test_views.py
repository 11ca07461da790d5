"""The reports page: the lake's files, the jobs, and running one."""

import asyncio
import datetime as dt

import pytest
from django.core.files.storage import storages
from django.test import AsyncRequestFactory
from django.utils import timezone

from analytics import services
from analytics.layout import object_key
from analytics.models import LakeFile
from analytics.views import download_file
from tests.analytics.conftest import DAY
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job

pytestmark = pytest.mark.django_db

PAGE, RUN = "/desk/reports/", "/desk/reports/run/"


@pytest.fixture
def a_day(day_of_trades):
    services.make_day(DAY)


def test_who_is_owed_too_many_exports_is_told_to_wait_and_finds_the_day_as_it_was(signed_in, alice, settings):
    settings.JOBS_A_USER = 1
    client = signed_in(alice)
    assert client.post(RUN, {"date": "2025-01-15"}).status_code == 302
    refused = client.post(RUN, {"date": "2025-01-16"})
    assert (refused.status_code, refused["Retry-After"]) == (429, "30")
    assert "Wait until some are done" in refused.content.decode()
    assert 'value="2025-01-16"' in refused.content.decode()


def test_the_back_office_sees_rows_sizes_and_checksums(signed_in, carol, a_day):
    page = signed_in(carol).get(PAGE).content.decode()
    file = LakeFile.objects.get(key=object_key("trades", DAY))
    assert file.key in page
    assert file.sha256 in page
    assert f"/desk/reports/files/{file.pk}/" in page


def test_a_trader_sees_that_a_day_is_there_and_nothing_of_its_rows(signed_in, alice, a_day):
    page = signed_in(alice).get(PAGE).content.decode()
    file = LakeFile.objects.get(key=object_key("trades", DAY))
    assert file.key in page
    assert file.sha256[:12] not in page
    assert "/desk/reports/files/" not in page


def test_an_empty_lake_says_what_will_be_there(signed_in, alice):
    page = signed_in(alice).get(PAGE).content.decode()
    assert "Nothing in the lake yet" in page
    assert "No jobs yet" in page


def test_a_day_is_run_from_the_page(signed_in, alice, day_of_trades):
    client = signed_in(alice)
    assert client.post(RUN, {"date": "2025-01-15"}, follow=True).redirect_chain == [(PAGE, 302)]
    runner.load_handlers()
    runner.run_owed()
    page = client.get(PAGE).content.decode()
    assert "succeeded" in page
    assert 'aria-label="Run 2025-01-15 again"' in page


def test_a_trader_sees_own_jobs_alone(signed_in, alice, bob):
    services.request_export(DAY, bob)
    assert "2025-01-15" not in signed_in(alice).get(PAGE).content.decode()
    services.request_export(DAY, alice)
    assert "2025-01-15" in signed_in(alice).get(PAGE).content.decode()


@pytest.mark.parametrize("day", ["", "tomorrow", "1899-12-31", "9999-12-31", "2025-02-30"])
def test_a_day_that_cannot_be_is_said_at_its_field(signed_in, alice, day):
    page = signed_in(alice).post(RUN, {"date": day})
    assert page.status_code == 422
    assert 'class="error"' in page.content.decode()
    assert Job.objects.count() == 0


def test_auditors_look_and_do_not_run(signed_in, dave, a_day):
    client = signed_in(dave)
    assert RUN not in client.get(PAGE).content.decode()
    assert client.post(RUN, {"date": "2025-01-15"}).status_code == 403


def test_a_file_is_downloaded_whole_by_those_who_see_all(signed_in, carol, dave, a_day):
    file = LakeFile.objects.get(key=object_key("trades", DAY))
    for user in (carol, dave):
        answer = signed_in(user).get(f"/desk/reports/files/{file.pk}/")
        content = b"".join(answer.streaming_content)
        assert (answer.status_code, len(content)) == (200, file.size)
        assert answer["Content-Disposition"] == 'attachment; filename="trades_2025-01-15.csv"'
        assert answer["Content-Type"] == "text/csv; charset=utf-8"


def test_under_asgi_a_file_is_sent_a_part_at_a_time_and_is_closed(carol, a_day, monkeypatch):
    file = LakeFile.objects.get(key=object_key("trades", DAY))
    content = services.lake.read(file.key)
    monkeypatch.setattr(services.lake, "read", lambda key: content)
    monkeypatch.setattr(services.lake, "READ_BYTES", 100)
    request = AsyncRequestFactory().get("/")
    request.user = carol
    answer = download_file(request, file.pk)
    parts = asyncio.run(gathered(answer.streaming_content))
    assert answer.is_async and len(parts) == -(-file.size // 100) and len(b"".join(parts)) == file.size
    assert (answer["Content-Length"], content.closed) == (str(file.size), True)


async def gathered(parts) -> list[bytes]:
    return [part async for part in parts]


def test_a_trader_finds_no_file(signed_in, alice, a_day):
    file = LakeFile.objects.get(key=object_key("trades", DAY))
    client = signed_in(alice)
    assert client.get(f"/desk/reports/files/{file.pk}/").status_code == 404
    assert client.get("/desk/reports/files/999999/").status_code == 404


def test_a_file_that_is_gone_says_so(signed_in, carol, a_day):
    file = LakeFile.objects.get(key=object_key("trades", DAY))
    storages["lake"].delete(file.key)
    answer = signed_in(carol).get(f"/desk/reports/files/{file.pk}/")
    assert (answer.status_code, b"no longer in the lake" in answer.content) == (404, True)


def test_a_lake_that_fails_is_a_502(signed_in, carol, a_day, monkeypatch):
    def fail(key):
        raise services.lake.LakeError(f"The lake did not give {key}: SlowDown.")

    monkeypatch.setattr(services.lake, "read", fail)
    file = LakeFile.objects.first()
    answer = signed_in(carol).get(f"/desk/reports/files/{file.pk}/")
    assert (answer.status_code, b"Nothing was lost; try again shortly." in answer.content) == (502, True)


@pytest.mark.parametrize("before", ["2025-01-15", "x", "", "9999-99-99", "1899-01-01"])
def test_older_days_are_pages_and_odd_addresses_are_the_first(signed_in, carol, before):
    assert signed_in(carol).get(f"{PAGE}?before={before}").status_code == 200


def test_more_days_than_a_page_are_paged_by_whole_days(signed_in, carol):
    first = dt.date(2024, 1, 1)
    for number in range(40):
        for kind in ("trades", "analytics"):
            for name in ("csv", "parquet"):
                day = first + dt.timedelta(days=number)
                key = object_key(kind, day, name)
                LakeFile.objects.create(key=key, day=day, kind=kind, file_format=name, rows=1, size=1, sha256="0" * 64)
    client = signed_in(carol)
    page = client.get(PAGE)
    days = [day for day, _ in page.context["days"]]
    assert page.content.decode().count(" open>") == 1  # the newest: on a phone all of them are very long
    assert (days[0], len(days), {len(files) for _, files in page.context["days"]}) == (dt.date(2024, 2, 9), 30, {4})
    older = [day for day, _ in client.get(PAGE + page.context["older"]).context["days"]]
    assert [*days, *older] == [first + dt.timedelta(days=number) for number in reversed(range(40))]


def test_the_page_takes_a_fixed_number_of_queries(signed_in, carol, a_day, django_assert_max_num_queries):
    for day in (1, 2, 3):
        services.request_export(dt.date(2025, 1, day), carol)
    client = signed_in(carol)
    with django_assert_max_num_queries(7):  # session, user, files, statements, jobs, their owners, is there a worker
        client.get(PAGE)


@pytest.mark.parametrize(("method", "path"), [("get", PAGE), ("post", RUN), ("get", "/desk/reports/files/1/")])
def test_who_is_not_signed_in_is_sent_to_sign_in(client, method, path):
    answer = getattr(client, method)(path)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/desk/sign-in/")


@pytest.mark.parametrize(
    "path",
    [
        "jobs/job/",
        "jobs/heartbeat/",
        "analytics/lakefile/",
        "analytics/exportrequest/",
        "django_celery_beat/periodictask/",
    ],
)
def test_the_back_office_lists_them_in_the_admin(signed_in, path, a_day):
    from tests.factories import make_user

    admin = make_user("admin", "administrator")
    services.request_export(DAY, admin)
    assert signed_in(admin).get(f"/admin/{path}").status_code == 200


def test_a_job_that_failed_is_run_again_from_the_admin_and_no_other(signed_in, carol, alice):
    job = services.request_export(DAY, alice)
    for state, owed in (("succeeded", 0), ("failed", 1)):
        Job.objects.update(state=state, finished_at=timezone.now())
        signed_in(carol).post("/admin/jobs/job/", {"action": "run_again", "_selected_action": [job.pk]})
        assert Job.objects.filter(state="queued", key="2025-01-15").count() == owed
