"""The supervisor: starts, restarts and ends its parts."""

import sys
import threading
import time

import pytest

from tradeops.supervisor import Part, supervise

pytestmark = pytest.mark.pure
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(600)
"""


def run(parts, stop):
    thread = threading.Thread(target=supervise, args=(parts, stop))
    thread.start()
    return thread


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def test_all_parts_are_ended_when_it_stops():
    parts, stop = [Part("one", SLEEPER), Part("two", SLEEPER)], threading.Event()
    thread = run(parts, stop)
    wait_until(lambda: all(part.process for part in parts))
    processes = [part.process for part in parts]
    stop.set()
    thread.join(60)
    assert all(process.poll() is not None for process in processes)


def test_a_part_that_ends_is_started_again():
    part, stop = Part("brief", [sys.executable, "-c", "pass"]), threading.Event()
    begun, start = [], part.start
    part.start = lambda: begun.append(start())
    thread = run([part], stop)
    wait_until(lambda: len(begun) >= 2)
    stop.set()
    thread.join(60)
    assert part.pause_seconds > 1


def test_a_part_that_will_not_end_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr("tradeops.supervisor.STOP_SECONDS", 1.0)
    ready = tmp_path / "ready"
    part, stop = Part("stubborn", [sys.executable, "-c", STUBBORN, str(ready)]), threading.Event()
    thread = run([part], stop)
    wait_until(ready.exists)
    process = part.process
    stop.set()
    thread.join(60)
    assert process.poll() == -9
