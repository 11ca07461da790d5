"""How frames leave for a client: straight to its socket where that may be, else by the mailbox; always in order."""

import asyncio
import json

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from market.client import HIGH_WATER, Audience, Credential, LiveClient
from market.frames import wire_of
from market.hub import Hub
from market.mailbox import QuotesFrame

pytestmark = pytest.mark.pure


def frames_in(wire: bytes) -> list[str]:
    """The texts of the frames in `wire`, as another implementation of the protocol reads them."""
    reader, texts = StreamReader(), []
    reader.feed_data(wire)
    while reader.buffer:
        reading = Frame.parse(reader.read_exact, mask=False, max_size=None)
        with pytest.raises(StopIteration) as done:
            next(reading)
        frame = done.value.value
        assert (frame.opcode, frame.fin, frame.rsv1) == (Opcode.TEXT, True, False)
        texts.append(frame.data.decode())
    return texts


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_ready_bytes_are_frames_of_every_length(length):
    assert frames_in(wire_of("x" * length, "second")) == ["x" * length, "second"]


class Socket:
    """A socket with room, or none; `said` are the texts in the order in which they went out, and by which way."""

    def __init__(self, *, takes_bytes: bool = True, is_clear: bool = False):
        self.takes_bytes, self.unsent, self.said, self.is_clear = takes_bytes, 0, [], is_clear
        self.client = LiveClient(send_text=self.send_text, credential=Credential("demo", "", 1), outlet=self)

    def set_clear(self, is_clear: bool) -> None:
        self.is_clear = is_clear
        self.user.outlet_changed()

    def unsent_bytes(self) -> int:
        return self.unsent

    def write(self, wire: bytes, most_unsent: int) -> bool:
        if not self.takes_bytes or self.unsent > most_unsent:
            return False
        self.said += [("bytes", text) for text in frames_in(wire)]
        return True

    async def send_text(self, text: str) -> None:
        self.said.append(("send", text))

    async def write_all(self) -> None:
        writer = asyncio.create_task(self.client.write())
        await asyncio.wait_for(self.client.until_drained(), 60)
        writer.cancel()


def quotes(seq: int, price: int) -> QuotesFrame:
    return QuotesFrame(seq, seq, {"A": f'{{"ticker":"A","price":{price}}}'})


async def test_what_nothing_waits_before_is_written_at_once():
    socket = Socket()
    socket.client.post("first")
    socket.client.post_droppable("second", "third")
    assert socket.said == [("bytes", "first"), ("bytes", "second"), ("bytes", "third")]


async def test_where_ready_bytes_may_not_be_written_frames_go_by_send():
    socket = Socket(takes_bytes=False)
    socket.client.post("first")
    socket.client.post_quotes(quotes(1, 5))
    await socket.write_all()
    assert [way for way, _ in socket.said] == ["send", "send"]
    assert json.loads(socket.said[1][1])["quotes"] == [{"ticker": "A", "price": 5}]


async def test_one_who_is_behind_gets_all_that_must_arrive_in_order_and_the_newest_price():
    socket = Socket()
    socket.unsent = HIGH_WATER + 1
    socket.client.post_quotes(quotes(1, 5))
    socket.client.post("alert")
    socket.unsent = 0
    socket.client.post("later alert")
    socket.client.post_quotes(quotes(2, 6))
    await socket.write_all()
    assert [text for _, text in socket.said[:2]] == ["alert", "later alert"]
    assert [json.loads(text)["quotes"][0]["price"] for _, text in socket.said[2:]] == [6]
    assert socket.client.mailbox.conflated == 1


async def test_what_a_client_was_not_sent_apart_is_counted_on_when_it_has_left():
    hub, socket = Hub(), Socket()
    socket.unsent = HIGH_WATER + 1
    hub.clients.add(socket.client)
    for number in (1, 2, 3):
        socket.client.post_quotes(quotes(number, 5))
    assert hub.conflated() == 2
    for _ in range(2):  # a socket may be told to close from both its ends
        hub.leave(socket.client)
    assert hub.conflated() == 2


class ClearSocket(Socket):
    """A socket of which the kernel takes `room` bytes more; `wire` is what it and Twisted were given."""

    def __init__(self, room: int):
        super().__init__(is_clear=True)
        self.room, self.wire = room, b""

    def send(self, wire: bytes) -> int:
        if not self.room:
            raise BlockingIOError
        taken = min(self.room, len(wire))
        self.wire, self.room = self.wire + wire[:taken], self.room - taken
        return taken

    def leave_rest(self, wire: bytes) -> None:
        self.wire += wire
        self.set_clear(False)


def audience_of(sockets: list[Socket]) -> Audience:
    audience = Audience()
    for socket in sockets:
        socket.client.enter(audience)
    return audience


def test_a_flush_reaches_each_whole_whatever_the_kernel_takes_of_it():
    frame = quotes(1, 5)
    sockets = [ClearSocket(room) for room in (10_000, 7, 0)]
    audience_of(sockets).tell(frame)
    assert [frames_in(socket.wire) for socket in sockets] == [[frame.text]] * 3
    assert [socket.is_clear for socket in sockets] == [True, False, False]


def test_a_flush_does_not_overtake_what_waits():
    behind, full = ClearSocket(10_000), ClearSocket(10_000)
    behind.client.fall_behind()
    audience = audience_of([behind, full])
    full.unsent = HIGH_WATER + 1
    full.set_clear(False)
    audience.tell(quotes(1, 5))
    assert (behind.wire, full.wire, full.said) == (b"", b"", [])
    assert behind.client.mailbox.quotes and full.client.mailbox.quotes


def test_who_leaves_is_told_no_more_and_who_is_clear_again_is_told_at_once():
    staying, leaving = ClearSocket(10_000), ClearSocket(10_000)
    audience = audience_of([staying, leaving])
    staying.set_clear(False)
    leaving.client.leave_audience()
    staying.set_clear(True)
    leaving.set_clear(False)
    audience.tell(quotes(1, 5))
    assert (frames_in(staying.wire), leaving.wire, list(audience)) == ([quotes(1, 5).text], b"", [staying.client])
