"""celery-beat's scheduler, from the database, that shares its slots with others and shows that it ticks.

What the schedule owes is a row at once: no message stands between a slot and its work.
"""

import logging
import time

from celery.result import AsyncResult
from django.db import DatabaseError, close_old_connections
from django.db.models import QuerySet
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from tradeops.core.outages import OUTAGES

from .nudging import NUDGES
from .services import note_heartbeat
from .slots import SlotEntry, entry_of, faults, take_due_slot

logger = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 10


class BeatScheduler(DatabaseScheduler):
    """django-celery-beat's own, which two may run side by side, plus a Heartbeat row.

    It is written by the tick, so a beat that hangs falls silent.
    """

    Entry = SlotEntry
    heartbeat_due = 0.0

    def tick(self, *args, **kwargs) -> float:
        if time.monotonic() >= self.heartbeat_due:
            self.show_life()
            self._heap = None  # the order of the slots is told anew: the clock may have been set
        return min(super().tick(*args, **kwargs), HEARTBEAT_SECONDS)

    def show_life(self) -> None:
        try:
            note_heartbeat("beat", faults())
            self.heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS
        except (DatabaseError, *OUTAGES) as error:
            logger.warning("The beat could not show life: %s", type(error).__name__)
            close_old_connections()

    def enabled_models_qs(self) -> QuerySet:
        """All of them: the package's own leaves out what is not due within two hours, and what was missed with it."""
        return self.Model.objects.enabled()

    def all_as_schedule(self) -> dict[str, ModelEntry]:
        """The entries by name, without those whose slots cannot be told: they must not end the beat."""
        entries = map(entry_of, self.enabled_models())
        return {entry.name: entry for entry in entries if entry is not None}

    def reserve(self, entry: ModelEntry) -> ModelEntry:
        """The entry of the next slot. Its row is written when the slot is taken, and not some minutes after."""
        following = super().reserve(entry)
        self._dirty.discard(following.name)
        return following

    def apply_async(self, entry: ModelEntry, *args, **kwargs) -> AsyncResult | None:
        """Runs a slot that no other beat has taken: only a nudge is sent, what owes work is called here."""
        row = PeriodicTask.objects.filter(pk=entry.model.pk).first()
        if row is None:
            return None
        # What this beat counts its next slot from stands in its own copy of the row.
        taken_at = entry.model.last_run_at
        if row.task in NUDGES:
            return self.send(entry, *args, **kwargs) if take_due_slot(row, taken_at, call=lambda row: None) else None
        if take_due_slot(row, taken_at):
            logger.info("The schedule ran %s.", row.name)
        return None

    def send(self, entry: ModelEntry, *args, **kwargs) -> AsyncResult | None:
        try:
            return super().apply_async(entry, *args, **kwargs)
        except Exception as error:  # the broker is away, and the next sweep finds what this one would have
            logger.warning("%s could not be sent: %s", entry.name, type(error).__name__)
            return None
