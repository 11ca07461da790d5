"""Where each stream of events stands in a server process: nothing twice, nothing left out, in order.

Hints may come late, twice or not at all. A hint that is the next number is passed on; one
that is further ahead means that some are missing, and they are read from their rows.
"""

from collections.abc import Callable

from tradeops.core.events.models import Event
from tradeops.core.events.services import latest_numbers

READ_AT_ONCE = 500
RESUMED_AT_ONCE = 200  # as many as one client's mailbox has room for

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


def are_kept(asked: dict[str, tuple[int, int]]) -> bool:
    """Whether the events first < n <= last of each stream are still there: the oldest go first."""
    return all(Event.objects.filter(stream=stream, number=first + 1).exists() for stream, (first, _) in asked.items())


def read_missed(stream: str, first: int, last: int) -> list[dict]:
    """The frames of some events after `first`, up to `last`, in order and without a gap."""
    events = Event.objects.after(stream, first)[:RESUMED_AT_ONCE]
    expected = range(first + 1, last + 1)
    return [event.frame() for event, number in zip(events, expected, strict=False) if event.number == number]
