"""Faults that come together: each alone is another promise's, and the book is the same whatever meets."""

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import requests

from tests.desk import Desk, family_of
from tests.proof.ground import Client, Ground, trader, wait_for
from tests.proof.imports import bring, check_there_once, file_of
from tests.proof.kills import let_go_of_connections, unwell, write_while
from tests.proof.register import tries
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe
from trades.models import Account

IMPORTS, STOPPED_SECONDS, DAYS = 2, 5, 3
SECONDS_INTO_IMPORT, SECONDS_TO_GIVE_UP = 0.4, 120


@tries(
    "P01",
    f"{IMPORTS} × an import of 10,000 rows under load while PostgreSQL and Redis are killed at once; worker and beat "
    "killed together with work owed; a web process stopped by SIGSTOP",
    minutes=9,
)
def faults_that_meet_lose_nothing(ground: Ground) -> str:
    desk, other = ground.bare(), ground.serve_http()
    importer = trader("importer")
    journal = write_while([desk, other], partial(disturb, ground, desk, other, importer))
    wait_for(lambda: not Job.objects.unfinished().filter(kind="export").exists(), "what was owed is done", 240)
    ends = list(Job.objects.filter(kind="export", key__startswith="2025-01-").values_list("state", flat=True))
    assert ends == ["succeeded"] * DAYS, f"the exports: {ends}"
    return (
        f"{len(journal.told):,} acts acknowledged, each there once; {IMPORTS} imports there once; {DAYS} exports done; "
        f"{unwell(journal)}"
    )


def disturb(ground: Ground, desk: Desk, other: Desk, importer: tuple) -> None:
    user, first = importer
    for number in range(IMPORTS):
        account = first if not number else Account.objects.create(owner=user, name=f"Book {number}")
        interrupt_import(ground, Client(user, other.url, desk.url), account)
    for day in range(DAYS):
        owe("export", f"2025-01-{15 + day}")
    kill_both(desk)
    hold_up(other)


def interrupt_import(ground: Ground, client: Client, account: Account) -> None:
    """Kills PostgreSQL and Redis while a file comes in, which is sent again until it is taken."""
    bringing = threading.Thread(target=bring_until_taken, args=[client, account])
    bringing.start()
    time.sleep(SECONDS_INTO_IMPORT)
    servers = [ground.services.servers[name] for name in ("redis", "postgres")]
    for server in servers:
        server.kill()
    for server in servers:
        server.start_again()
    bringing.join()
    let_go_of_connections()
    check_there_once(account)


def bring_until_taken(client: Client, account: Account) -> None:
    deadline, content = time.monotonic() + SECONDS_TO_GIVE_UP, file_of(10_000)
    while time.monotonic() < deadline:
        try:
            if bring(client, account, content, key=f"import-{account.pk}").status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)


def kill_both(desk: Desk) -> None:
    """Kills the desk's worker and its beat at one time; the desk starts them again."""
    for pid in [pid for pid in family_of(desk.process.pid) if is_of_celery(pid)]:
        os.kill(pid, signal.SIGKILL)


def is_of_celery(pid: int) -> bool:
    return b"celery" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def hold_up(desk: Desk) -> None:
    """Stops a web process wherever it is, and lets it go on: others wait for no lock of its longer than they say."""
    pids = family_of(desk.process.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
