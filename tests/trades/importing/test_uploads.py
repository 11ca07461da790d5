"""Files that wait on the desk: looked at and imported by jobs, once, and forgotten when nobody does."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from tests.factories import make_account
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import load_handlers, run_owed
from trades.importing import uploads
from trades.models import ImportBatch, Trade

TEXT = "Symbol,Side,Qty,Price,Date/Time,Desk\nAAPL,Buy,100,10.5,2025-01-15T14:30:00Z,x\n"


@pytest.fixture(autouse=True)
def handlers():
    load_handlers()


def keep(account, text: str = TEXT, **options) -> ImportBatch:
    file = SimpleUploadedFile("broker.csv", text.encode(), "text/csv")
    return uploads.keep_upload(account, account.owner, file, options)


def outcome(batch) -> dict:
    run_owed()
    job = uploads.last_job(batch)
    assert job.state == "succeeded", job.reason
    return job.result


@pytest.fixture
def account(alice):
    return make_account(alice)


def test_an_upload_is_looked_at(account):
    result = outcome(keep(account))
    assert result["columns"][2] == ["Qty", "quantity", ["100"]]
    assert result["columns"][5] == ["Desk", "", ["x"]]
    assert (result["rows"], result["imported"], result["duplicates"]) == (1, 1, 0)
    assert result["positions"][0]["quantity"] == "100"
    assert not Trade.objects.exists()


def test_what_is_wrong_is_kept_with_its_rows(account):
    result = outcome(keep(account, TEXT + "aapl,Buy,1,1,2025-01-15T14:30:00Z,x\n"))
    assert (result["fault_count"], result["bad_rows"]) == (1, 1)
    assert (result["faults"][0]["row"], result["faults"][0]["column"], result["faults"][0]["value"]) == (
        3,
        "Symbol",
        "aapl",
    )


def test_a_file_without_a_head_is_told_so(account):
    assert "columns" not in outcome(keep(account, "\n"))


def test_an_upload_is_imported_once_and_its_file_dropped(account):
    batch = keep(account)
    name = batch.stored_as
    outcome(batch)
    uploads.owe_import(batch, account.owner)
    assert outcome(batch)["imported"] == 1
    batch.refresh_from_db()
    assert (batch.state, batch.stored_as, batch.entry.actor) == ("imported", "", account.owner)
    assert not default_storage.exists(name)
    again = uploads.owe_import(batch, account.owner)
    assert uploads.import_upload(again)["imported"] == 1
    assert Trade.objects.count() == 1


def test_a_job_whose_runner_died_after_the_commit_books_nothing_again(account, monkeypatch):
    batch = keep(account)
    job = uploads.owe_import(batch, account.owner)
    drop = uploads.drop_file
    monkeypatch.setattr(uploads, "drop_file", lambda batch: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        uploads.import_upload(job)
    monkeypatch.setattr(uploads, "drop_file", drop)
    name = ImportBatch.objects.get().stored_as
    assert uploads.import_upload(job)["imported"] == 1
    assert (Trade.objects.count(), default_storage.exists(name)) == (1, False)


def test_an_upload_that_is_gone_fails_for_good(account):
    batch = keep(account)
    default_storage.delete(batch.stored_as)
    run_owed()
    job = uploads.last_job(batch)
    assert (job.state, job.reason) == ("failed", "The upload is no longer there: send it again.")


def test_uploads_are_forgotten_after_a_day(account):
    old, young = keep(account), keep(account)
    ImportBatch.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=1, minutes=1))
    assert uploads.forget_old_uploads() == 1
    assert list(ImportBatch.objects.all()) == [young]
    assert (default_storage.exists(old.stored_as), default_storage.exists(young.stored_as)) == (False, True)


def test_progress_is_told_without_touching_the_jobs_row(account, django_assert_num_queries):
    job = Job.objects.create(kind="import", key="1", state="running")
    with django_assert_num_queries(0):
        uploads.tell_part(job, 0.5)
    assert job.progress == 50
