"""Keeps the desk's processes running, and leaves none behind.

A part that dies is started again, slower each time; SIGINT and SIGTERM stop all; and should
the supervisor itself be killed, the kernel ends its children (Linux).
"""

import ctypes
import logging
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0


def die_with_parent() -> None:
    """In the child, before it becomes the part: ask the kernel for SIGTERM when the parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Part:
    """One process of the desk and how it has fared."""

    name: str
    command: list[str]
    process: subprocess.Popen | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause_seconds: float = field(default=1.0)

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches the supervisor alone, which then stops the parts in order.
        self.process = subprocess.Popen(self.command, preexec_fn=die_with_parent, start_new_session=True)
        self.started_at = time.monotonic()

    def look_after(self) -> None:
        """Starts the part again when it has ended and its pause is over."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_again_at:
                self.start()
        elif self.process.poll() is not None:
            steady = now - self.started_at > STEADY_SECONDS
            self.pause_seconds = 1.0 if steady else min(self.pause_seconds * 2, LONGEST_PAUSE_SECONDS)
            self.start_again_at = now + self.pause_seconds
            logger.warning(
                "%s ended with status %s; it starts again in %.0f s.",
                self.name,
                self.process.returncode,
                self.pause_seconds,
            )
            self.process = None


def supervise(parts: list[Part], stop: threading.Event) -> None:
    """Runs `parts` until `stop` is set, then ends them all."""
    try:
        while not stop.is_set():
            for part in parts:
                part.look_after()
            stop.wait(0.5)
    finally:
        stop_all(parts)


def stop_all(parts: list[Part]) -> None:
    running = [part.process for part in parts if part.process is not None and part.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
