"""Live messages are hints: sent in order, never waited for, dropped where they cannot be sent."""

import asyncio
import queue
import threading

import pytest

from tradeops.core.events import relay

pytestmark = pytest.mark.pure


class Layer:
    """A channel layer that keeps what it is sent."""

    def __init__(self):
        self.sent = queue.Queue()

    async def group_send(self, group, message):
        for one in message.get("messages", [message]):
            self.sent.put((group, one["n"]))


class HangingLayer(Layer):
    async def group_send(self, group, message):
        await super().group_send(group, message)
        await asyncio.sleep(3600)


class FailingLayer(Layer):
    async def group_send(self, group, message):
        await super().group_send(group, message)
        raise ConnectionError("redis://:hunter2@host")


@pytest.fixture
def use(monkeypatch):
    """`use(layer)` has messages sent to it, by a sender of its own."""

    def put(layer):
        monkeypatch.setattr(relay, "get_channel_layer", lambda: layer)
        monkeypatch.setattr(relay, "server_loop", None)
        monkeypatch.setattr(relay, "sender", relay.Sender())
        return layer

    return put


def test_messages_go_to_all_hubs_in_order(use):
    layer = use(Layer())
    for number in range(50):
        relay.send({"n": number})
    assert [layer.sent.get(timeout=60) for _ in range(50)] == [("live", number) for number in range(50)]


def test_what_waits_while_one_is_sent_goes_together(use, monkeypatch):
    monkeypatch.setattr(relay, "SEND_SECONDS", 120)
    journeys, all_wait = queue.Queue(), threading.Event()

    class SlowLayer(Layer):
        async def group_send(self, group, message):
            journeys.put(message)
            await asyncio.to_thread(all_wait.wait, 60)

    use(SlowLayer())
    relay.send({"n": 0})
    assert journeys.get(timeout=60) == {"n": 0}
    for number in (1, 2, 3):
        relay.send({"n": number})
    all_wait.set()
    several = {"type": "live.several", "messages": [{"n": 1}, {"n": 2}, {"n": 3}]}
    assert journeys.get(timeout=60) == several


def test_a_layer_that_hangs_holds_up_nobody_and_what_is_too_much_is_dropped(use, monkeypatch, caplog):
    monkeypatch.setattr(relay, "MAX_WAITING", 5)
    monkeypatch.setattr(relay, "SEND_SECONDS", 120)
    layer = use(HangingLayer())
    relay.send({"n": 0})
    assert layer.sent.get(timeout=60) == ("live", 0)  # and there it hangs
    for number in range(1, 7):
        relay.send({"n": number})
    assert caplog.text.count("5 are waiting") == 1


def test_a_layer_that_hangs_is_given_up_for_the_next_message(use, monkeypatch):
    monkeypatch.setattr(relay, "SEND_SECONDS", 0.01)
    layer = use(HangingLayer())
    relay.send({"n": 1})
    relay.send({"n": 2})
    assert [layer.sent.get(timeout=60)[1] for _ in range(2)] == [1, 2]


def test_a_layer_that_fails_drops_the_message_and_says_no_secret(use, caplog):
    layer = use(FailingLayer())
    for number in (1, 2):  # the second is sent when the first has failed
        relay.send({"n": number})
        assert layer.sent.get(timeout=60) == ("live", number)
    assert "ConnectionError" in caplog.text
    assert "hunter2" not in caplog.text


def test_in_one_process_the_servers_own_loop_sends(use, monkeypatch):
    layer = use(Layer())
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(60)  # it runs
    monkeypatch.setattr(relay, "server_loop", loop)
    relay.send({"n": 7})
    assert layer.sent.get(timeout=60) == ("live", 7)
    assert relay.sender.process is None
    loop.call_soon_threadsafe(loop.stop)
