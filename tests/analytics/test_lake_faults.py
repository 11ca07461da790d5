"""Whatever S3 does while a day is exported, there is one whole object in the end, and its checksum is the one noted."""

import contextlib
import csv
import datetime as dt
import hashlib
import io
import random
from collections import Counter
from types import SimpleNamespace

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from django.core.files.storage import storages
from django.utils import timezone

from analytics import services
from analytics.models import LakeFile, Revision
from tests.analytics.conftest import DAY
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job

pytestmark = [pytest.mark.services, pytest.mark.django_db]

EXPORTS = 20
FAULTS = 0.3


class Raw:
    """The body of an answer that never came from S3."""

    def stream(self, **options):
        yield b"<Error><Code>SlowDown</Code></Error>"


class Faults:
    """Stands between boto3 and the network: 500, a reset, a hang, an answer that is lost after the write was made."""

    def __init__(self, session, seed: int):
        self.session, self.random, self.made, self.share = session, random.Random(seed), Counter(), FAULTS

    def send(self, request):
        if self.random.random() >= self.share:
            return self.session.send(request)
        fault = self.random.choice([self.refuse, self.reset, self.hang, self.lose])
        self.made[fault.__name__] += 1
        return fault(request)

    def refuse(self, request):
        return AWSResponse(request.url, 503, {"content-type": "application/xml"}, Raw())

    def reset(self, request):
        raise ConnectionClosedError(endpoint_url=request.url)

    def hang(self, request):
        raise ReadTimeoutError(endpoint_url=request.url)

    def lose(self, request):
        self.session.send(request)
        raise ConnectionClosedError(endpoint_url=request.url)

    def close(self):
        self.session.close()


@pytest.fixture
def faults(lake, monkeypatch):
    endpoint = lake.connection.meta.client._endpoint
    faults = Faults(endpoint.http_session, seed=7)
    monkeypatch.setattr(endpoint, "http_session", faults)
    # The waits between attempts are the product's, not the test's.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    return faults


def run_to_the_end() -> None:
    """Does what is owed, and what that owes in its turn."""
    while Job.objects.unfinished().exists():
        Job.objects.unfinished().update(due_at=timezone.now())
        runner.run_owed()


def test_twenty_exports_at_thirty_percent_faults_end_whole(faults, alice, day_of_trades, book):
    runner.load_handlers()
    for number in range(EXPORTS):
        noon = dt.datetime(2025, 1, 15, 12, number, tzinfo=dt.UTC)
        book("MSFT", "BUY", "1", "400", noon, trade_id=1000 + number)
        services.request_export(DAY, alice)
        run_to_the_end()
        assert not Job.objects.exclude(state="succeeded").exists()
        check_day(faults, {"2", "3", "4"} | {str(1000 + n) for n in range(number + 1)})
    assert set(faults.made) == {"refuse", "reset", "hang", "lose"}
    check_lake(faults)


def check_day(faults: Faults, trades: set[str]) -> None:
    """The day's file is whole, and holds the trades of the book."""
    file = LakeFile.objects.get(key="trades/2025/01/15/trades_2025-01-15.csv")
    with without(faults):
        content = storages["lake"].bucket.Object(file.key).get()["Body"].read()
    assert hashlib.sha256(content).hexdigest() == file.sha256
    rows = [row["id"] for row in csv.DictReader(io.StringIO(content.decode()))]
    assert (len(rows), set(rows)) == (len(trades), trades)


def check_lake(faults: Faults) -> None:
    """All that is noted is there, whole, with nothing beside it but the links."""
    noted = {kept.key: kept.sha256 for kept in [*LakeFile.objects.all(), *Revision.objects.all()]}
    with without(faults):
        found = {kept.key: kept.get()["Body"].read() for kept in storages["lake"].bucket.objects.all()}
    found = {key: hashlib.sha256(content).hexdigest() for key, content in found.items() if not key.startswith("links/")}
    assert found == noted


@contextlib.contextmanager
def without(faults: Faults):
    faults.share = 0
    try:
        yield
    finally:
        faults.share = FAULTS
