"""The lake while its store fails, or the network to it, or who writes it is killed: each file whole in the end."""

import csv
import hashlib
import io
import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from datetime import date
from urllib.parse import urlsplit

from django.core.files.storage import storages
from django.utils import timezone

from analytics.models import LakeFile
from tests.desk import Desk
from tests.proof.ground import Ground, wait_for
from tests.proof.outages import TRADE, ask_for_export, check_of, days, ends_of_exports, wait_for_exports, workers_of
from tests.proof.register import tries
from tests.proof.suite import passed_tests
from tests.proof.table import spelled
from tests.proxy import Proxy
from tradeops.core.jobs.models import Job
from trades.models import Trade

LAKE_FAULTS = "tests/analytics/test_lake_faults.py"
EXPORTS, EACH_FAULT, WELL_SECONDS = 20, 3, (1.0, 5.0)
FAULTS = {"hangs": 6.0, "is cut": 1.5, "resets": 0.2, "loses answers": 1.5}  # and for how long


@tries("P27", "20 exports with 30 % of the S3 calls refused, reset, hung or lost", minutes=8)
def one_whole_object_at_the_end(ground: Ground) -> str:
    count = passed_tests(ground, LAKE_FAULTS, least=1)
    return f"{count} tests of the suite pass: every object whole, its checksum the one noted"


@tries(
    "P27",
    f"{EXPORTS} exports and more by a whole desk through a proxy that {', '.join(FAULTS)}, now one and now another, "
    f"each {EACH_FAULT} times at least",
    minutes=9,
)
def one_whole_object_through_a_bad_network(ground: Ground) -> str:
    proxy = ground.proxy(urlsplit(os.environ["AWS_S3_ENDPOINT_URL"]).port)
    desk = ground.up("--no-feed", AWS_S3_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}")
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works")
    with Disturber(proxy) as disturber:
        for number in itertools.count(1):
            export_another_trade(desk, day := days(EXPORTS)[number % EXPORTS])
            check_day(date.fromisoformat(day))  # at once: the next export of the day would mend it
            if number >= EXPORTS and min(disturber.made.values()) >= EACH_FAULT:
                break
    return f"{number} exports, every file whole and with the book's trades, after {spelled(disturber.made)}"


def book_on(desk: Desk, day: str) -> None:
    assert desk.post("/trades/", json=TRADE | {"executed_at": f"{day}T12:00:00Z"}).status_code == 201


def export_another_trade(desk: Desk, day: str) -> None:
    book_on(desk, day)
    wait_for_exports(desk, [ask_for_export(desk, day)])


class Disturber:
    """Does one thing after another to a proxy, with a while of quiet before each; `made` is how often what."""

    def __init__(self, proxy: Proxy):
        self.proxy, self.random, self.made = proxy, random.Random(7), Counter(dict.fromkeys(FAULTS, 0))
        self.over, self.thread = threading.Event(), threading.Thread(target=self.disturb)

    def __enter__(self) -> "Disturber":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.thread.join()

    def disturb(self) -> None:
        for fault in itertools.cycle(FAULTS):
            if self.over.wait(self.random.uniform(*WELL_SECONDS)):
                return
            self.begin(fault)
            self.made[fault] += 1
            self.over.wait(FAULTS[fault])
            self.proxy.mend()

    def begin(self, fault: str) -> None:
        if fault == "hangs":
            self.proxy.hang()
        elif fault == "loses answers":
            self.proxy.loses_answers = True
        elif fault == "is cut":
            self.proxy.cut()
        else:
            self.proxy.reset()


def check_day(day: date) -> None:
    """The day's file in the bucket is the one noted, and holds the trades of the book."""
    file = LakeFile.objects.get(key=f"trades/{day:%Y/%m/%d}/trades_{day}.csv")
    with storages["lake"].open(file.key) as stored:
        content = stored.read()
    assert hashlib.sha256(content).hexdigest() == file.sha256, f"{file.key} is not what is noted"
    rows = sorted(int(row["id"]) for row in csv.DictReader(io.StringIO(content.decode())))
    booked = Trade.objects.current().filter(executed_at__date=day).order_by("trade_id")
    assert rows == list(booked.values_list("trade_id", flat=True)), f"{day}: the file holds {rows}"


# Whoever writes it is killed -------------------------------------------------------------------


KILLS, PAUSE_SECONDS = 5, 0.5


@tries("P24", f"{EXPORTS} exports of a whole desk, of whose worker a process is killed -9 {KILLS} times at any moment")
def each_export_is_there_once(ground: Ground) -> str:
    desk, source = ground.up("--no-feed"), random.Random(7)
    wait_for(lambda: check_of(desk, "worker") == "ok", "the worker works")
    for day in days(EXPORTS):
        book_on(desk, day)
    owed, exports = [ask_for_export(desk, day) for day in days(EXPORTS)], Job.objects.filter(kind="export")
    for _ in range(KILLS):
        now = timezone.now()
        wait_for(lambda now=now: exports.filter(state="running", alive_at__gt=now).exists(), "an export is under way")
        time.sleep(source.uniform(0, PAUSE_SECONDS))
        os.kill(source.choice(workers_of(desk)), signal.SIGKILL)
    begun = time.monotonic()
    wait_for_exports(desk, owed)
    took = time.monotonic() - begun
    again = exports.filter(attempts__gt=1).count()
    assert again, "no export was hit"
    assert ends_of_exports() == Counter(succeeded=EXPORTS), f"the exports: {ends_of_exports()}"
    for day in days(EXPORTS):
        check_day(date.fromisoformat(day))
    return f"{again} exports begun again, all {EXPORTS} done {took:.0f} s after the last, every file whole, once"
