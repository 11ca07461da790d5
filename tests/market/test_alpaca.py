"""Alpaca's stream, against a local server that speaks it."""

import asyncio
import contextlib
import json

import pytest
from websockets.asyncio.server import serve

from market.sources.alpaca import LONGEST_WAIT_SECONDS, AlpacaAccess, AlpacaSource, Refused

pytestmark = pytest.mark.pure

TICKERS = ("AAPL", "MSFT")


def trade(ticker="AAPL", price=150.25, size=10, at="2025-01-15T14:30:00.123456789Z", **extra) -> dict:
    return {"T": "t", "i": 1, "S": ticker, "x": "V", "p": price, "s": size, "t": at, "c": ["@"], "z": "C"} | extra


class Alpaca:
    """The server: who may sign in, what it answers to a subscribe, and what it sends afterwards."""

    def __init__(self):
        self.heard, self.scripts, self.connections = [], [], 0
        self.refusals: dict[str, list] = {"auth": [], "subscribe": []}

    async def handle(self, socket) -> None:
        self.connections += 1
        await self.say(socket, {"T": "success", "msg": "connected"})
        async for text in socket:
            request = json.loads(text)
            self.heard.append(request)
            action = request["action"]
            if self.refusals[action]:
                code, words = self.refusals[action].pop(0)
                await self.say(socket, {"T": "error", "code": code, "msg": words})
                return
            if action == "auth":
                is_known = (request["key"], request["secret"]) == ("key", "secret")
                good, bad = {"T": "success", "msg": "authenticated"}, {"T": "error", "code": 402, "msg": "auth failed"}
                await self.say(socket, good if is_known else bad)
            else:
                await self.say(socket, {"T": "subscription", "trades": request["trades"], "quotes": [], "bars": []})
                await self.play(socket)

    async def play(self, socket) -> None:
        """The next script: frames, and None for a cut."""
        for frame in self.scripts.pop(0) if self.scripts else []:
            if frame is None:
                await socket.close(1011)
                return
            await socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    async def say(self, socket, *messages) -> None:
        await socket.send(json.dumps(messages))


@contextlib.asynccontextmanager
async def listening(alpaca: Alpaca, **access):
    """A source of a running server, with its waits written down instead of waited for."""
    async with serve(alpaca.handle, "127.0.0.1", 0) as server:
        address = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        waits = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            await asyncio.sleep(0.002)

        access = AlpacaAccess(**{"key": "key", "secret": "secret", "address": address} | access)
        source = AlpacaSource(TICKERS, access, clock=lambda: 1_000, sleep=sleep)
        source.waits = waits
        async with contextlib.aclosing(source.batches()) as batches:
            yield source, batches


async def ticks(batches, count: int) -> list[tuple]:
    """The first `count` ticks, as (ticker, price, volume)."""
    found = []
    async with asyncio.timeout(60):
        while len(found) < count:
            batch = await anext(batches)
            columns = zip(batch.indexes.tolist(), batch.prices.tolist(), batch.volumes.tolist(), strict=True)
            found += [(TICKERS[place], price, volume) for place, price, volume in columns]
    return found


async def until(batches, is_there) -> None:
    async with asyncio.timeout(60):
        async for _ in batches:
            if is_there():
                return


async def test_it_signs_in_subscribes_and_brings_trades():
    alpaca = Alpaca()
    alpaca.scripts = [[[trade(), trade(price=150.5, size=3), trade("MSFT", 424.2), trade("ZZZ", 1)]]]
    async with listening(alpaca) as (_, batches):
        assert await ticks(batches, 2) == [("AAPL", 150_500_000, 13), ("MSFT", 424_200_000, 10)]
    assert alpaca.heard == [
        {"action": "auth", "key": "key", "secret": "secret"},
        {"action": "subscribe", "trades": ["AAPL", "MSFT"], "statuses": ["AAPL", "MSFT"]},
    ]


async def test_after_a_cut_it_signs_in_again_and_goes_on():
    alpaca = Alpaca()
    alpaca.scripts = [[[trade()], None], [[trade(price=151)]]]
    async with listening(alpaca) as (_, batches):
        found = await ticks(batches, 2)
    assert [price for _, price, _ in found] == [150_250_000, 151_000_000]
    assert [request["action"] for request in alpaca.heard] == ["auth", "subscribe"] * 2


async def test_waits_grow_while_it_fails_and_are_short_again_after_it_worked():
    alpaca = Alpaca()
    alpaca.refusals["subscribe"] = [(500, "internal error")] * 4
    alpaca.scripts = [[[trade()], None]]
    async with listening(alpaca) as (source, batches):
        await ticks(batches, 1)
        await until(batches, lambda: alpaca.connections >= 6)
        waits = [wait for wait in source.waits if wait != 0.5]
    for wait, nominal in zip(waits, [1, 2, 4, 8, 1], strict=False):
        assert 0.75 * nominal <= wait <= 1.25 * nominal
    assert len(waits) >= 5


@pytest.mark.parametrize("code", [402, 405, 406, 409])
async def test_what_a_quick_try_does_not_mend_is_tried_seldom(code):
    alpaca = Alpaca()
    alpaca.refusals["auth"] = [(code, "no")]
    alpaca.scripts = [[[trade()]]]
    async with listening(alpaca) as (source, batches):
        await ticks(batches, 1)
        (wait,) = [wait for wait in source.waits if wait != 0.5]
    assert wait >= 0.75 * LONGEST_WAIT_SECONDS


async def test_a_wrong_key_is_said_in_the_log_without_the_secret(caplog):
    alpaca = Alpaca()
    async with listening(alpaca, secret="canary") as (_, batches):
        await until(batches, lambda: any("402" in record.getMessage() for record in caplog.records))
    assert "canary" not in caplog.text
    assert "auth failed" in caplog.text


async def test_flushes_go_on_empty_while_there_is_no_connection():
    source = AlpacaSource(TICKERS, AlpacaAccess("k", "s", "ws://127.0.0.1:9"), sleep=lambda _: asyncio.sleep(0))
    async with contextlib.aclosing(source.batches()) as batches:
        assert [len((await anext(batches)).indexes) for _ in range(3)] == [0, 0, 0]


async def test_a_late_report_does_not_turn_time_back_and_nonsense_is_left_out():
    alpaca = Alpaca()
    odd = [
        trade(price="a lot"),
        trade(price=-1),
        trade(price=1e300),
        trade(size=-5),
        trade(at="noon"),
        {"T": "t"},
        {"T": "x"},
    ]
    late = trade(price=150, at="2025-01-15T14:29:00Z")
    alpaca.scripts = [[[trade(), *odd, late]]]
    async with listening(alpaca) as (source, batches):
        assert await ticks(batches, 1) == [("AAPL", 150_000_000, 20)]
    assert source.latest[0] == 1_736_951_400_123


async def test_a_frame_that_is_none_costs_the_connection_and_no_more():
    alpaca = Alpaca()
    alpaca.scripts = [["{", [trade()]], ["[1]"], [[trade(price=152)]]]
    async with listening(alpaca) as (_, batches):
        assert await ticks(batches, 1) == [("AAPL", 152_000_000, 10)]
    assert alpaca.connections == 3


async def test_halts_and_resumptions_are_noted():
    alpaca = Alpaca()
    halted = {"T": "s", "S": "AAPL", "sc": "H", "sm": "Trading Halt", "rm": "Trading Halted", "z": "A"}
    alpaca.scripts = [[[halted, halted | {"S": "ZZZ"}, halted | {"sc": "T", "rm": ""}, trade()]]]
    async with listening(alpaca) as (source, batches):
        await ticks(batches, 1)
    assert source.statuses == [("AAPL", True, "Trading Halted"), ("AAPL", False, "Trading Halt")]


def test_of_a_halts_words_only_what_a_database_keeps_is_taken():
    source = AlpacaSource(TICKERS, AlpacaAccess("k", "s", "ws://127.0.0.1:9"))
    source.take_status({"T": "s", "S": "AAPL", "sc": "H", "rm": "Caf\u00e9 news\0 \ud800pending\n" + "x" * 100})
    assert source.statuses == [("AAPL", True, ("Caf\u00e9 news pending" + "x" * 100)[:80])]


async def test_a_trade_after_a_halt_ends_it_where_the_resumption_was_lost_in_a_cut():
    alpaca = Alpaca()
    halted = {"T": "s", "S": "AAPL", "sc": "P", "rm": "Volatility", "t": "2025-01-15T14:30:00Z"}
    before, after = trade(at="2025-01-15T14:29:59Z"), trade(at="2025-01-15T14:35:00Z")
    alpaca.scripts = [[[halted, before], None], [[after]]]
    async with listening(alpaca) as (source, batches):
        await ticks(batches, 1)
        assert source.statuses == [("AAPL", True, "Volatility")]
        await ticks(batches, 1)
    assert source.statuses == [("AAPL", True, "Volatility"), ("AAPL", False, "")]


def test_a_report_from_before_the_last_flush_is_of_the_moment_at_which_it_is_known():
    """A minute's bar that is final by then is not rewritten."""
    noon = 1_736_942_400_000
    source = AlpacaSource(TICKERS, AlpacaAccess("k", "s", "ws://127.0.0.1:9"), clock=lambda: noon + 500)
    source.take_trade(trade(at="2025-01-15T11:59:59.900Z"))
    assert source.flush().times.tolist() == [noon - 100]
    source.take_trade(trade(at="2025-01-15T11:59:59.950Z"))
    assert source.flush().times.tolist() == [noon + 500]


def test_nor_does_a_report_rewrite_what_was_final_before_the_process_was_started_again():
    noon = 1_736_942_400_000
    access = AlpacaAccess("k", "s", "ws://127.0.0.1:9")
    source = AlpacaSource(TICKERS, access, flushed_ms=noon + 500, clock=lambda: noon + 9_000)
    source.take_trade(trade(at="2025-01-15T11:59:59.900Z"))
    assert source.flush().times.tolist() == [noon + 500]


def test_an_error_names_its_code():
    assert (Refused(406, "connection limit exceeded").code, str(Refused(406, "x"))) == (406, "406 x")
