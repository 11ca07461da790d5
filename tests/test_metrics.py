"""`/metrics`: who may see it, and that what it says is what happened; log lines for machines."""

import json
import logging
import sys
from datetime import timedelta

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from analytics.models import LakeFile
from market.models import Alert, FeedState, Instrument
from tests.factories import book, make_account
from tradeops import metrics
from tradeops.core.jobs.models import Heartbeat, Job
from tradeops.core.request_id import JsonFormatter
from trades.models import Position

pytestmark = pytest.mark.django_db
TOKEN = "scrape-me-1234567890abcdef"


@pytest.fixture
def scrape(client, settings):
    """`scrape()` reads the figures as Prometheus does: (name, labels) -> value."""
    settings.METRICS_TOKEN = TOKEN

    def read() -> dict:
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        families = text_string_to_metric_families(answer.content.decode())
        return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}

    return read


def test_the_figures_are_what_happened(scrape, client, alice):
    now = timezone.now()
    account = make_account(alice)
    book(account), book(account, side="SELL", quantity="10")
    FeedState.objects.create(seq=82, flush_count=42, tick_count=504, flushed_at=now - timedelta(seconds=30))
    Heartbeat.objects.update_or_create(part="worker", defaults={"at": now - timedelta(seconds=5)})
    Job.objects.create(kind="export", key="a", due_at=now - timedelta(seconds=100))
    verified = {"difference_count": 3}
    Job.objects.create(kind="verify_ledger", key="b", state="succeeded", result=verified, finished_at=now)
    for key, state in (("mended", "failed"), ("mended", "succeeded"), ("dead", "failed")):
        Job.objects.create(kind="export", key=key, state=state, finished_at=now)
    Instrument.objects.get_or_create(ticker="AAPL")
    for number in range(3):
        tick_at = now - timedelta(seconds=60 + number)
        waited = timedelta(milliseconds=100 * (number + 1))
        Alert.objects.create(
            instrument_id="AAPL", kind="percent_change", price=1, change_percentage=3, window_seconds=60, threshold=2,
            source="simulated", tick_at=tick_at, detected_at=tick_at, published_at=tick_at + waited,
        )  # fmt: skip
    before = scrape().get(("tradeops_requests_total", "200", "GET", "health-live"), 0)
    client.get("/health/live")
    client.get("/nothing/here/that-a-stranger-made-up")
    seen = scrape()
    assert seen["tradeops_requests_total", "200", "GET", "health-live"] == before + 1
    assert seen["tradeops_requests_total", "404", "GET", "none"] >= 1
    assert not any("stranger" in "".join(key) for key in seen)
    assert (seen["tradeops_ledger_entries_total",], seen["tradeops_trades",]) == (2, 2)
    assert seen["tradeops_ledger_differences",] == 3
    assert (seen["tradeops_feed_flushes_total",], seen["tradeops_feed_ticks_total",]) == (42, 504)
    assert seen["tradeops_alert_latency_seconds", "1"] == pytest.approx(0.3)
    assert seen["tradeops_alert_latency_seconds", "0.5"] == pytest.approx(0.2)
    assert (seen["tradeops_jobs", "export", "queued"], seen["tradeops_database_up",]) == (1, 1)
    assert (seen["tradeops_jobs", "export", "failed"], seen["tradeops_jobs", "export", "succeeded"]) == (1, 1)
    assert seen["tradeops_job_wait_seconds",] >= 100 and seen["tradeops_feed_age_seconds",] >= 30
    assert seen["tradeops_heartbeat_age_seconds", "worker"] >= 5 and seen["tradeops_socket_clients",] == 0


def test_a_lake_that_has_nothing_lags_since_the_first_day_that_was_traded_on(scrape, alice, monkeypatch):
    noon = timezone.now().replace(hour=12)
    monkeypatch.setattr(metrics.timezone, "now", lambda: noon)
    assert ("tradeops_lake_lag_days",) not in scrape()
    book(make_account(alice), executed_at=noon - timedelta(days=3))
    assert scrape()["tradeops_lake_lag_days",] == 3
    day = noon.date() - timedelta(days=2)
    LakeFile.objects.create(key="x", day=day, kind="trades", file_format="csv", rows=1, size=1, sha256="0")
    assert scrape()["tradeops_lake_lag_days",] == 1


def test_without_the_database_the_process_still_tells_its_own(scrape, monkeypatch):
    monkeypatch.setattr(metrics, "is_answering", lambda: False)
    seen = scrape()
    assert seen["tradeops_database_up",] == 0 and "process_cpu_seconds_total" in {key[0] for key in seen}
    assert ("tradeops_trades",) not in seen


def test_a_row_that_makes_a_query_fail_hides_its_own_figures_alone(scrape, monkeypatch, caplog):
    def overflow():
        raise metrics.DatabaseError("integer out of range")
        yield

    monkeypatch.setattr(metrics, "READERS", (overflow, *metrics.READERS))
    seen = scrape()
    assert (seen["tradeops_database_up",], seen["tradeops_unread_figures",], seen["tradeops_trades",]) == (1, 1, 0)
    assert "Figures could not be read: overflow" in caplog.text


def test_counts_at_the_end_of_their_columns_are_told(scrape, alice):
    account = make_account(alice)
    book(account)
    Position.objects.update(buy_count=2**31 - 1, sell_count=2**31 - 1)
    seen = scrape()
    assert (seen["tradeops_trades",], seen["tradeops_unread_figures",]) == (2**32 - 2, 0)


@pytest.mark.parametrize("result", ["x", [None], {"difference_count": "many"}, 5])
def test_a_result_that_is_none_of_ours_is_no_figure(scrape, result):
    Job.objects.create(kind="verify_ledger", key="b", state="succeeded", result=result, finished_at=timezone.now())
    Job.objects.create(kind="reconcile_lake", key="b", state="succeeded", result={"finding_count": 2})
    assert not [key for key in scrape() if key[0] in ("tradeops_ledger_differences", "tradeops_lake_differences")]


def test_they_are_for_staff_and_the_scrape_token(client, settings, alice, carol, dave):
    def status(user=None, **headers) -> int:
        client.logout()
        if user:
            client.force_login(user, backend="tradeops.core.users.backend.RoleBackend")
        return client.get("/metrics", headers=headers).status_code

    assert [status(user) for user in (None, alice, carol, dave)] == [401, 403, 200, 200]
    assert status(Authorization="Bearer ") == 401  # no token is set: none opens it
    settings.METRICS_TOKEN = TOKEN
    assert [status(Authorization=f"Bearer {given}") for given in (TOKEN, TOKEN + "x", "", "ü")] == [200, 401, 401, 401]


def test_a_log_line_for_machines_is_json_with_the_requests_id_and_the_stack():
    try:
        raise ValueError("a\nb")
    except ValueError:
        record = logging.LogRecord("trades", logging.ERROR, __file__, 1, "bad: %s", ("ü",), sys.exc_info())
    record.request_id = "request-1"
    line = JsonFormatter().format(record)
    told = json.loads(line)
    assert "\n" not in line and told["exception"].endswith("ValueError: a\nb")
    assert [told[name] for name in ("level", "logger", "request_id", "message")] == [
        "ERROR", "trades", "request-1", "bad: ü",
    ]  # fmt: skip
