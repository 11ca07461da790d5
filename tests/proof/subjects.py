"""Every subject's parts, registered by being imported."""

from tests.proof import (
    audit,
    cuts,
    doors,
    dumps,
    feed,
    files,
    front,
    guessing,
    history,
    hostile,
    imports,
    keys,
    kills,
    numbers,
    old_rows,
    outages,
    races,
    reading,
    replay,
    secrets,
    sockets,
    stores,
    tape,
    together,
    upstreams,
    work,
)
from tests.proof.register import REGISTER

SUBJECTS = (
    audit, cuts, doors, dumps, feed, files, front, guessing, history, hostile, imports, keys, kills, numbers, old_rows,
    outages, races, reading, replay, secrets, sockets, stores, tape, together, upstreams, work
)  # fmt: skip
__all__ = ["REGISTER", "SUBJECTS"]
