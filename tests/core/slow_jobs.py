"""A kind of job for the tests of the worker: says that it runs, waits to be let go, then leaves its mark."""

import os
from pathlib import Path

from tradeops.core.jobs.models import Heartbeat
from tradeops.core.jobs.services import register


@register("slow")
def slow(job) -> dict[str, int]:
    """The key is a folder: `pid` is written there, `go` waited for, `done` gets a line an end."""
    import time

    folder = Path(job.key)
    (folder / "pid").write_text(str(os.getpid()))
    while not (folder / "go").exists():
        time.sleep(0.02)
    Heartbeat.objects.update_or_create(part="mark", defaults={"at": job.created_at})
    with (folder / "done").open("a") as file:
        file.write(f"{job.attempts}\n")
    return {"attempt": job.attempts}
