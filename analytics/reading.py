"""A day of the lake as API and page show it."""

import datetime as dt
import re

from django.http import Http404

from analytics.layout import KINDS
from analytics.models import LakeFile, Revision

REVISIONS_SHOWN = 100
PLAIN_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_day(user, text: str) -> tuple[dt.date, list[LakeFile]]:
    """The files of a day, each with its newest revisions. Raises Http404 where `user` can see none."""
    try:
        day = dt.date.fromisoformat(text) if PLAIN_DAY.fullmatch(text) else None
    except ValueError:
        day = None
    files = list(LakeFile.objects.visible_to(user).filter(day=day).order_by("key")) if day else []
    if not files:
        raise Http404
    return day, with_revisions(sorted(files, key=lambda file: list(KINDS).index(file.kind)))


def with_revisions(files: list[LakeFile]) -> list[LakeFile]:
    found: dict[str, list[Revision]] = {file.key: [] for file in files}
    for revision in Revision.objects.filter(file_key__in=found).order_by("file_key", "-number"):
        found[revision.file_key].append(revision)
    for file in files:
        file.shown_revisions = found[file.key][:REVISIONS_SHOWN]
    return files
