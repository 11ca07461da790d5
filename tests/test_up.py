"""`manage.py up` as a process: it starts, serves, stops clean and comes back."""

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.desk import ROOT, SQLITE_NAME, Desk
from tradeops.management.commands import up


def children_of(pid: int) -> set[int]:
    """All processes below `pid`, from /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found, frontier = set(), {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def left_of(family: set[int]) -> list[int]:
    """Who of it does not end; what is ended takes a moment to be gone."""
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [pid for pid in family if is_alive(pid)]


def assert_all_stops(desk: Desk, number: int) -> None:
    family = children_of(desk.process.pid)
    assert desk.stop(number) == 0, desk.log.read_text()
    assert left_of(family) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", desk.port)) != 0


@pytest.fixture
def with_an_ampersand():
    """A script that starts something with & has it begin with Ctrl-C ignored."""
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("with_an_ampersand")
def test_ctrl_c_stops_everything_also_where_a_script_started_it(tmp_path):
    with Desk(tmp_path) as desk:
        assert desk.get("/health").status_code == 200
        assert_all_stops(desk, signal.SIGINT)


@pytest.mark.embedded
def test_the_check_of_a_running_desk_finds_nothing_ill(tmp_path):
    """Of the one process that a newcomer meets; test_production.py has it check a desk of many."""
    with Desk(tmp_path) as desk:
        deadline = time.monotonic() + 120
        while desk.get("/health").json()["status"] != "ok" and time.monotonic() < deadline:
            time.sleep(0.3)
        told = desk.manage("check_system", "--base-url", desk.url)
        assert (told.returncode, "Everything that was tried works." in told.stdout) == (0, True), told.stdout


@pytest.mark.embedded
def test_a_stop_ends_also_where_a_request_outlasts_it(tmp_path):
    """Its thread waits for a loop that is no more, and Python would wait for the thread for ever."""
    body = json.dumps({"ticker": "AAPL", "quantity": "1", "price": "1", "trade_type": "BUY"})
    with Desk(tmp_path, "--no-feed") as desk, closing(sqlite3.connect(tmp_path / "var" / SQLITE_NAME)) as book:
        book.execute("BEGIN IMMEDIATE")  # a booking waits for it longer than a stop does
        with closing(http.client.HTTPConnection("127.0.0.1", desk.port)) as waiting:
            waiting.request("POST", "/trades/", body, {"Content-Type": "application/json"})
            assert desk.get("/health/live").status_code == 200  # by now the other has been taken
            assert_all_stops(desk, signal.SIGTERM)


def test_the_feed_alone_prepares_a_fresh_database(tmp_path):
    environment = Desk(tmp_path, fresh=True).environment | {"PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "manage.py", "feed", "--console"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as feed:
        assert feed.stdout.readline() == "Preparing the database ...\n"
        assert feed.stdout.readline().startswith("Broadcasting ")
        feed.terminate()
    assert feed.returncode == 0


def test_the_ledger_of_a_database_that_is_not_there_is_not_verified(tmp_path):
    done = Desk(tmp_path, fresh=True).manage("verify_ledger")
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The database is not as this version needs it; run: ")


def test_a_booked_trade_survives_kill_and_a_second_start_which_a_signal_stops_whole(tmp_path):
    with Desk(tmp_path) as desk:
        body = {"ticker": "AAPL", "quantity": "3", "price": "150.25", "trade_type": "BUY"}
        booked = desk.post("/trades/", json=body).json()
        family = children_of(desk.process.pid)
        desk.stop(signal.SIGKILL)
        assert left_of(family) == []
        desk.start()
        assert desk.get(f"/trades/{booked['id']}").json() == booked
        assert "Demo login" in desk.log.read_text()
        assert_all_stops(desk, signal.SIGTERM)


def test_a_taken_port_is_said_plainly(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        desk = Desk(tmp_path)
        done = desk.manage("up", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert "Traceback" not in done.stderr


def refusal_of(*arguments: str) -> str:
    """What a command says that does not come as far as to serve. A process each would take longest to begin."""
    with pytest.raises(CommandError) as refusal:
        call_command(*arguments)
    return str(refusal.value)


@pytest.fixture
def never_served(monkeypatch):
    def serve(*_, **__):
        raise AssertionError("It starts.")

    monkeypatch.setattr(up.Command, "prepare", serve)


@pytest.mark.embedded
@pytest.mark.usefixtures("never_served")
@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "999.1.1.1"])
def test_an_address_that_is_not_this_machines_is_said_plainly(host):
    assert refusal_of("up", "--host", host).startswith(f"TradeOps cannot listen on {host}, port ")


@pytest.mark.embedded
@pytest.mark.usefixtures("never_served")
@pytest.mark.parametrize("arguments", [("up", "--demo"), ("serve",)])
def test_demo_mode_starts_on_no_other_address(settings, arguments):
    settings.TRADEOPS_DEMO = True
    assert "serves this machine alone" in refusal_of(*arguments, "--host", "0.0.0.0")


@pytest.mark.embedded
@pytest.mark.usefixtures("never_served")
@pytest.mark.parametrize(
    "arguments", [("--speed", "0"), ("--speed", "1e9"), ("--speed", "nan"), ("--port", "0"), ("--seed", "-1")]
)
def test_wrong_arguments_are_refused(arguments):
    assert refusal_of("up", *arguments).startswith(arguments[0])


@pytest.mark.services
def test_a_part_that_dies_is_started_again(tmp_path):
    with Desk(tmp_path, "--no-feed", demo=False) as desk:
        family = children_of(desk.process.pid)
        web = next(pid for pid in family if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        os.kill(web, signal.SIGKILL)
        deadline = time.monotonic() + 60
        answered = False
        while not answered and time.monotonic() < deadline:
            time.sleep(0.3)
            try:
                answered = desk.get("/health").status_code == 200
            except OSError:
                continue
        assert answered
        assert "web ended" in desk.log.read_text()
