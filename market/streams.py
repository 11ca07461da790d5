"""Where each stream of events stands in a server process: nothing twice, nothing left out, in order.

Hints may come late, twice or not at all. A hint that is the next number is passed on; one
that is further ahead means that some are missing, and they are read from their rows.
"""

from collections.abc import Callable

from tradeops.core.events.models import Event
from tradeops.core.events.services import latest_numbers

READ_AT_ONCE = 500
MAX_RESUMED = 5_000

# stream, number, frame
Deliver = Callable[[str, int, dict], None]


class Streams:
    """The last number passed on of each stream that somebody listens to."""

    def __init__(self, deliver: Deliver):
        self.deliver = deliver
        self.positions: dict[str, int] = {}
        self.behind: set[str] = set()

    def hint(self, stream: str, number: int, frame: dict) -> None:
        """Passes on an event that just happened, or notes that some are missing before it."""
        position = self.positions.get(stream)
        if position is None or number <= position:
            return
        if number > position + 1:
            self.behind.add(stream)
            return
        self.pass_on(stream, number, frame)

    def pass_on(self, stream: str, number: int, frame: dict) -> None:
        self.positions[stream] = number
        self.deliver(stream, number, frame)

    def compare(self, numbers: dict[str, int], positions: dict[str, int]) -> None:
        """Notes which streams are behind what the database says; `positions` are those of when it was asked."""
        for stream, number in numbers.items():
            if stream not in self.positions:
                continue
            if number > self.positions[stream]:
                self.behind.add(stream)
            elif number < positions[stream] and self.positions[stream] == positions[stream]:
                # Another database stands behind this address now; go on from what it has.
                self.positions[stream] = number

    def catch_up(self, stream: str, events: list[Event]) -> None:
        """Passes on events read after the stream's position."""
        for event in events:
            # While they were read, hints may have brought some of them.
            if stream in self.positions and event.number > self.positions[stream]:
                self.pass_on(stream, event.number, event.frame())
        if len(events) < READ_AT_ONCE:
            self.behind.discard(stream)


def read_after(stream: str, position: int) -> list[Event]:
    return list(Event.objects.after(stream, position)[:READ_AT_ONCE])


def read_positions(streams: list[str]) -> dict[str, int]:
    return latest_numbers(streams)


def read_missed(asked: dict[str, tuple[int, int]]) -> list[dict] | None:
    """The frames of events first < n <= last of each stream, in order.

    None when some of them are kept no longer, or they are too many to be told one by one.
    """
    frames = []
    for stream, (first, last) in asked.items():
        if first < 0 or last - first > MAX_RESUMED:
            return None
        events = list(Event.objects.after(stream, first).filter(number__lte=last))
        # Numbers have no gaps, so fewer rows than numbers means that old ones are gone.
        if len(events) < last - first:
            return None
        frames += [event.frame() for event in events]
    return frames
