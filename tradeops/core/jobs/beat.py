"""celery-beat's scheduler, from the database, showing that it ticks."""

import logging
import time

from django.db import DatabaseError
from django_celery_beat.schedulers import DatabaseScheduler

from .services import note_heartbeat

logger = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 10


class BeatScheduler(DatabaseScheduler):
    """django-celery-beat's own, plus a Heartbeat row: written by the tick, so a beat that hangs falls silent."""

    heartbeat_due = 0.0

    def tick(self, *args, **kwargs) -> float:
        if time.monotonic() >= self.heartbeat_due:
            self.show_life()
        return min(super().tick(*args, **kwargs), HEARTBEAT_SECONDS)

    def show_life(self) -> None:
        try:
            note_heartbeat("beat")
            self.heartbeat_due = time.monotonic() + HEARTBEAT_SECONDS
        except DatabaseError as error:
            logger.warning("The beat could not show life: %s", type(error).__name__)
