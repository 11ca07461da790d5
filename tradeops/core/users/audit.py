"""What is done to users and tokens, noted in Django's own log beside what the back office changes.

(What is done to the book stands in its ledger entries.)
"""

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry


def note_made(actor, row, words: str) -> None:
    LogEntry.objects.log_actions(actor.pk, [row], ADDITION, words, single_object=True)


def note_changed(actor, row, words: str) -> None:
    LogEntry.objects.log_actions(actor.pk, [row], CHANGE, words, single_object=True)
