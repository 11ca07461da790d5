"""A progress bar on a terminal; nothing where the output is no terminal."""

from typing import TextIO

WIDTH = 40


class ProgressBar:
    """Draws how much of something is done, each whole percent once."""

    def __init__(self, stream: TextIO, label: str):
        self.stream, self.label, self.shown = stream, label, -1

    def __call__(self, part: float) -> None:
        """`part` from 0 to 1."""
        percentage = int(100 * max(0.0, min(1.0, part)))
        if percentage == self.shown or not self.stream.isatty():
            return
        self.shown = percentage
        filled = "#" * (WIDTH * percentage // 100)
        self.stream.write(f"\r{self.label} [{filled:.<{WIDTH}}] {percentage:3d} %")
        self.stream.flush()

    def close(self) -> None:
        if self.shown >= 0:
            self.stream.write("\n")
