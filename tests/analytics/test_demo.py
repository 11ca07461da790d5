"""The demo's lake."""

import pytest

from analytics import demo
from analytics.checking import check_lake, days_to_check
from analytics.models import LakeFile
from tests.analytics.conftest import DAY
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job
from tradeops.core.users.models import User

pytestmark = pytest.mark.django_db


def test_the_latest_days_of_the_book_are_owed_once(day_of_trades):
    trader = User.objects.get(username="owner")
    runner.load_handlers()
    demo.load_demo(trader)
    demo.load_demo(trader)
    assert list(Job.objects.order_by("id").values_list("key", flat=True)) == ["2025-01-14", "2025-01-15", "2025-01-16"]
    runner.run_owed()
    demo.load_demo(trader)
    assert Job.objects.filter(kind="export").count() == 3
    assert LakeFile.objects.filter(day=DAY, kind__in=("trades", "analytics")).count() == 4


def test_the_days_before_them_follow_one_by_one_and_leave_nothing_behind(day_of_trades, monkeypatch):
    monkeypatch.setattr(demo, "DAYS", 1)
    runner.load_handlers()
    demo.load_demo(User.objects.get(username="owner"))
    owed = list(Job.objects.order_by("due_at"))
    assert [job.key for job in owed] == ["2025-01-16", "2025-01-15", "2025-01-14"]
    assert owed[1].due_at - owed[0].due_at > demo.OLDER_AFTER - demo.EVERY
    Job.objects.update(due_at=owed[0].due_at)
    while runner.run_owed():
        pass
    assert list(check_lake(days_to_check())) == []


def test_an_empty_book_owes_nothing(alice):
    demo.load_demo(alice)
    assert Job.objects.count() == 0
