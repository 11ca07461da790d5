"""The page of jobs: who sees which, and a dead one owed again."""

import pytest

from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe

from .test_runner import raising

pytestmark = pytest.mark.django_db


def test_a_dead_job_is_owed_again_by_a_person_and_only_by_one_who_sees_it(kind, client, alice, bob, dave):
    job = owe(kind(raising(ValueError("no such day"))), "a", owner=alice)
    runner.run_owed()
    again = f"/desk/jobs/{job.pk}/again/"

    def as_user(user):
        client.force_login(user, backend="tradeops.core.users.backend.RoleBackend")
        return client

    assert as_user(bob).post(again).status_code == 404
    assert "no such day" not in as_user(bob).get("/desk/jobs/").content.decode()
    assert as_user(dave).post(again).status_code == 403
    page = as_user(alice).get("/desk/jobs/?state=failed").content.decode()
    assert "no such day" in page and again in page
    as_user(alice).post(again)
    assert list(Job.objects.values_list("state", flat=True)) == ["queued", "failed"]
    as_user(alice).post(f"/desk/jobs/{job.pk + 1}/again/")
    assert Job.objects.count() == 2  # what is unfinished is left as it is


@pytest.mark.parametrize(
    "query", ["?state=x", "?before=x", "?before=99999999999999999999999", "?state=failed&before=1"]
)
def test_odd_addresses_of_the_page_are_pages(client, carol, query):
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    assert client.get(f"/desk/jobs/{query}").status_code == 200
