"""A day's manifests held against what is noted today: each lists revisions that were, and those never change.

So a revision that was taken away with all its traces, or whose checksum or known entries were written anew together
with its file, is given away by every manifest that lists it.
"""

import datetime as dt
import json
from collections.abc import Iterator

from analytics import lake
from analytics.day_files import LISTED, listed
from analytics.findings import DAMAGED, Finding
from analytics.layout import FORMATS, object_key
from analytics.models import Revision

Listed = dict[str, object]


def check_manifests(day: dt.date) -> Iterator[Finding]:
    """Where a manifest that stands or once stood lists a revision otherwise than it is noted."""
    keys = [object_key(kind, day, name) for kind in LISTED for name in FORMATS[kind]]
    noted = {place_of(one): one for one in map(as_read, Revision.objects.filter(file_key__in=keys))}
    said = set()
    for manifest in Revision.objects.filter(file_key=object_key("manifests", day, "json")).order_by("number"):
        for words in differences(manifest, noted):
            if words not in said:
                said.add(words)
                yield Finding(day, DAMAGED, f"{words}, against {manifest.name}")


def differences(manifest: Revision, noted: dict[tuple, Listed]) -> Iterator[str]:
    content = lake.readable(manifest.key)
    if content is None:
        return
    try:
        files = read_manifest(content)
    except (ValueError, TypeError, KeyError):
        yield f"{manifest.file_key} is no manifest"
        return
    for told in files:
        key, number = place_of(told)
        today = noted.get((key, number))
        names = sorted(name for name in told if today and told[name] != today.get(name))
        if today is None:
            yield f"revision {number} of {key} is no longer noted"
        elif names:
            yield f"revision {number} of {key} is noted with other {', '.join(names)}"


def read_manifest(content: bytes) -> list[Listed]:
    """The files that a manifest lists. Raises ValueError, TypeError or KeyError where it is none."""
    files = json.loads(content)["files"]
    for file in files:
        hash(place_of(file))
    return files


def place_of(told: Listed) -> tuple[str, int]:
    return told["key"], told["revision"]


def as_read(revision: Revision) -> Listed:
    """What a manifest lists of a revision, as it reads there."""
    return json.loads(json.dumps(listed(revision)))
