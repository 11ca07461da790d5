"""Every subject's parts, registered by being imported."""

from tests.proof import (
    audit,
    doors,
    dumps,
    feed,
    files,
    guessing,
    history,
    hostile,
    imports,
    keys,
    kills,
    numbers,
    old_rows,
    races,
    replay,
    secrets,
    sockets,
    tape,
    together,
    upstreams,
    work,
)
from tests.proof.register import REGISTER

SUBJECTS = (
    audit, doors, dumps, feed, files, guessing, history, hostile, imports, keys, kills, numbers, old_rows, races,
    replay, secrets, sockets, tape, together, upstreams, work
)  # fmt: skip
__all__ = ["REGISTER", "SUBJECTS"]
