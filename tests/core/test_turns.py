"""Turns at computing: a few at a time, given up by who waits, and never waited for long."""

import threading

import pytest

from tradeops.core import turns

pytestmark = pytest.mark.pure


@pytest.fixture
def few(monkeypatch):
    """A single turn, for which one waits as long as it takes."""
    monkeypatch.setattr(turns, "_turns", threading.Semaphore(1))
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 120)


def in_thread(work) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_who_steps_aside_lets_another_in_and_gives_back_nothing_twice(few):
    seen = []

    def other():
        with turns.turn():
            seen.append("other")

    with turns.turn():
        thread = in_thread(other)
        seen.append("first")
        turns.step_aside()
        thread.join(60)
    assert seen == ["first", "other"]
    assert turns._turns.acquire(blocking=False)
    assert not turns._turns.acquire(blocking=False)


def test_nobody_is_kept_out_by_a_turn_that_never_ends(few, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.001)
    seen = []

    def other():
        with turns.turn():
            seen.append("other")

    with turns.turn():
        in_thread(other).join(60)
    assert seen == ["other"]
