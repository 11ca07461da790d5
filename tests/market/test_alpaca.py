"""Alpaca's stream, against a local server that speaks it."""

import asyncio
import contextlib
import json

import pytest
from websockets.asyncio.server import serve

from market.sources.alpaca import LONGEST_WAIT_SECONDS, AlpacaAccess, AlpacaSource, Refused
from market.ticks import Amendment

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
        told = [("AAPL", 150_250_000, 10), ("MSFT", 424_200_000, 10), ("AAPL", 150_500_000, 3)]
        assert await ticks(batches, 3) == told
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


@pytest.mark.parametrize("code", [400, 402, 406, 409, 410])
async def test_what_a_quick_try_does_not_mend_is_tried_seldom(code):
    alpaca = Alpaca()
    alpaca.refusals["auth"] = [(code, "no")]
    alpaca.scripts = [[[trade()]]]
    async with listening(alpaca) as (source, batches):
        await ticks(batches, 1)
        (wait,) = [wait for wait in source.waits if wait != 0.5]
    assert wait >= 0.75 * LONGEST_WAIT_SECONDS


async def test_of_more_tickers_than_the_plan_allows_as_many_come_as_are_taken(caplog):
    alpaca = Alpaca()
    alpaca.refusals["subscribe"] = [(405, "symbol limit exceeded")]
    alpaca.scripts = [[[trade()]]]
    async with listening(alpaca) as (_, batches):
        await ticks(batches, 1)
    assert [request["trades"] for request in alpaca.heard if "trades" in request] == [["AAPL", "MSFT"], ["AAPL"]]
    assert "It is asked for 1 tickers now; 1 get no price." in caplog.text


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
        assert await ticks(batches, 2) == [("AAPL", 150_250_000, 10), ("AAPL", 150_000_000, 10)]
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
    assert source.flush()[0].times.tolist() == [noon - 100]
    source.take_trade(trade(at="2025-01-15T11:59:59.950Z"))
    assert source.flush()[0].times.tolist() == [noon + 500]


def test_nor_does_a_report_rewrite_what_was_final_before_the_process_was_started_again():
    noon = 1_736_942_400_000
    access = AlpacaAccess("k", "s", "ws://127.0.0.1:9")
    source = AlpacaSource(TICKERS, access, flushed_ms=noon + 500, clock=lambda: noon + 9_000)
    source.take_trade(trade(at="2025-01-15T11:59:59.900Z"))
    assert source.flush()[0].times.tolist() == [noon + 500]


# What is told otherwise afterwards ----------------------------------------------------------------


def told(*trades: dict, later: tuple[dict, ...] = ()) -> AlpacaSource:
    """A source that took `trades`, flushed them, and then took `later`."""
    source = AlpacaSource(TICKERS, AlpacaAccess("k", "s", "ws://127.0.0.1:9"), clock=lambda: 1_736_951_401_000)
    source.take(json.dumps(trades))
    source.flush()
    source.take(json.dumps(later))
    return source


def numbered(number: int, price: float, size: int = 10, **extra) -> dict:
    return trade(price=price, size=size, i=number, at=f"2025-01-15T14:30:00.{number:03}Z", **extra)


def cancel(number: int) -> dict:
    return {
        "T": "x",
        "S": "AAPL",
        "i": number,
        "x": "V",
        "p": 1,
        "s": 1,
        "a": "C",
        "z": "C",
        "t": "2025-01-15T14:31:00Z",
    }


def test_of_a_flush_the_first_the_highest_the_lowest_and_the_last_price_are_kept_with_all_that_was_traded():
    source = told()
    source.take(json.dumps([numbered(place, price) for place, price in enumerate([5, 4, 9, 6, 2, 3, 7], start=1)]))
    batches = source.flush()
    assert [batch.prices.tolist() for batch in batches] == [[5_000_000], [9_000_000], [2_000_000], [7_000_000]]
    assert [batch.volumes.tolist() for batch in batches] == [[10], [20], [20], [20]]


def test_a_trade_at_a_price_that_is_not_the_markets_counts_as_volume_alone():
    average, official = numbered(2, 500, c=["@", "W"]), numbered(3, 500, c=["M"])
    source = told(average, official)
    assert source.fresh[0].volume == 10  # waits for a price
    source.take(json.dumps([numbered(4, 150)]))
    (batch,) = source.flush()
    assert (batch.prices.tolist(), batch.volumes.tolist()) == ([150_000_000], [20])


def test_a_trade_that_is_canceled_before_it_was_flushed_never_comes():
    source = told()
    source.take(json.dumps([numbered(1, 150), numbered(2, 999), cancel(2)]))
    (batch,) = source.flush()
    assert (batch.prices.tolist(), source.amended) == ([150_000_000], [])


def test_of_what_was_flushed_it_is_said_what_it_comes_to_without_the_trade_and_what_the_price_is_now():
    source = told(numbered(1, 150), numbered(2, 140), numbered(3, 999), later=(cancel(3), cancel(77)))
    first = 1_736_951_400_001
    ends = (150_000_000, 140_000_000, 150_000_000, 140_000_000)
    assert source.amended == [Amendment("AAPL", first, first + 2, ends, 20)]
    (batch,) = source.flush()
    assert (batch.prices.tolist(), batch.volumes.tolist()) == ([140_000_000], [0])


def test_a_correction_stands_in_the_place_of_its_trade_and_may_be_taken_back_itself():
    correction = {
        "T": "c",
        "S": "AAPL",
        "x": "V",
        "oi": 1,
        "op": 999,
        "os": 10,
        "oc": ["@"],
        "ci": 8,
        "cp": 151,
        "cs": 4,
    }
    correction |= {"cc": ["@"], "z": "C", "t": "2025-01-15T14:31:00Z"}
    source = told(numbered(1, 999), numbered(2, 150), later=(correction, cancel(8), correction))
    prices = [(amendment.prices, amendment.volume) for amendment in source.amended]
    both = (151_000_000, 150_000_000, 151_000_000, 150_000_000)
    assert prices == [(both, 14), ((150_000_000,) * 4, 10)]  # the second time its trade is not known any more


async def test_an_amendment_is_told_after_all_the_ticks_that_it_is_about():
    alpaca = Alpaca()
    alpaca.scripts = [[[numbered(1, 150), numbered(2, 160)]]]
    async with listening(alpaca) as (source, batches):
        assert len(await ticks(batches, 1)) == 1
        source.take(json.dumps([cancel(1)]))
        assert (len(source.amended), source.amendments) == (1, [])
        assert len(await ticks(batches, 1)) == 1
        await anext(batches)
        assert len(source.amendments) == 1


def test_an_error_names_its_code():
    assert (Refused(406, "connection limit exceeded").code, str(Refused(406, "x"))) == (406, "406 x")
