"""How far something has come that is owed as jobs, and how it is cancelled."""

from dataclasses import dataclass

from django.db.models import Model
from django.http import Http404
from django.utils import timezone

from tradeops.core.jobs.models import State


@dataclass(frozen=True)
class Standing:
    """Status and progress in the words of jobs."""

    status: str
    progress: int
    attempt: int = 1
    reason: str = ""

    @property
    def is_finished(self) -> bool:
        return self.status in (State.SUCCEEDED, State.FAILED)

    def told(self) -> dict:
        """As the API tells it: the attempt while it is tried again, the reason where there is one."""
        told = {"status": self.status, "progress": self.progress}
        if self.status == State.RETRYING:
            told["attempt"] = self.attempt
        return told | ({"reason": self.reason} if self.reason else {})


def mark_cancelled(asked: Model, **still: object) -> None:
    """Marks a row that has `cancelled_at`, where it is `still` so. Raises Http404 where it has just been removed."""
    rows = type(asked).objects.filter(pk=asked.pk)
    rows.filter(cancelled_at=None, **still).update(cancelled_at=timezone.now())
    try:
        asked.refresh_from_db(fields=["cancelled_at", *still])
    except asked.DoesNotExist:
        raise Http404 from None


def is_cancelled(asked: Model) -> bool:
    """Cancelled, or removed."""
    return not type(asked).objects.filter(pk=asked.pk, cancelled_at=None).exists()
