"""What waits for a client: bounded, in order, and of prices only the newest."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.client import CHANNELS, Choice
from market.latest import FlushMessage, Latest
from market.mailbox import MAX_BYTES, MAX_WAITING_DROPPABLE, Mailbox, QuotesFrame

pytestmark = pytest.mark.pure


def frame(seq: int, **prices: int) -> QuotesFrame:
    return QuotesFrame(
        seq, seq * 500, {name: f'{{"ticker":"{name}","price":{price}}}' for name, price in prices.items()}
    )


def quotes_in(text: str) -> tuple[int, dict[str, int]]:
    read = json.loads(text)
    return read["seq"], {quote["ticker"]: quote["price"] for quote in read["quotes"]}


def test_frames_leave_in_order_and_quotes_after_them():
    mailbox = Mailbox()
    mailbox.put_quotes(frame(1, A=5))
    mailbox.put("first")
    mailbox.put("second")
    assert [mailbox.take(), mailbox.take(), quotes_in(mailbox.take()), mailbox.take()] == [
        "first", "second", (1, {"A": 5}), None,
    ]  # fmt: skip
    assert not mailbox


@given(st.lists(st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 99), min_size=1), min_size=1, max_size=20))
def test_a_slow_client_gets_the_newest_value_of_each_ticker(flushes):
    mailbox, newest = Mailbox(), {}
    for seq, prices in enumerate(flushes, 1):
        mailbox.put_quotes(frame(seq, **prices))
        newest |= prices
    assert quotes_in(mailbox.take()) == (len(flushes), newest)
    assert mailbox.conflated == len(flushes) - 1


def test_conflating_for_one_client_leaves_the_frame_of_the_others_alone():
    shared, slow = frame(1, A=5), Mailbox()
    slow.put_quotes(shared)
    slow.put_quotes(frame(2, A=6))
    assert quotes_in(shared.text) == (1, {"A": 5})


def test_clients_that_wait_for_the_same_wait_for_one_frame():
    shared, newer, one, other = frame(1, A=5), frame(2, B=6), Mailbox(), Mailbox()
    for mailbox in (one, other):
        mailbox.put_quotes(shared)
        mailbox.put_quotes(newer)
    assert one.quotes is other.quotes
    assert quotes_in(one.take()) == (2, {"A": 5, "B": 6})


def test_there_is_an_end_to_what_is_kept():
    mailbox = Mailbox()
    taken = 0
    while mailbox.put("x" * 1_000):
        taken += 1
    assert taken * 1_000 <= MAX_BYTES
    mailbox.take()
    assert mailbox.put("x" * 1_000)


def test_a_snapshot_may_be_longer_than_all_that_may_wait_and_only_the_newest_waits():
    mailbox = Mailbox()
    mailbox.put("welcome")
    for seq in (1, 2):
        mailbox.put_snapshot(str(seq) * 2 * MAX_BYTES)
        assert mailbox.put("event")
    assert [mailbox.take()[:7] for _ in range(4)] == ["welcome", "event", "2222222", "event"]
    assert (mailbox.waiting_bytes, mailbox.snapshot) == (0, None)


def test_what_is_replaced_anyway_is_not_kept_for_one_who_is_behind():
    mailbox = Mailbox()
    for _ in range(MAX_WAITING_DROPPABLE * 2):
        mailbox.put_droppable("heartbeat")
    assert len(mailbox.frames) == MAX_WAITING_DROPPABLE


def test_a_snapshot_takes_the_waiting_quotes_over():
    mailbox = Mailbox()
    mailbox.put_quotes(frame(1, A=5))
    assert mailbox.take_waiting_tickers() == {"A"}
    assert mailbox.take() is None


# What a client wants ------------------------------------------------------------------


def test_the_first_subscribe_replaces_everything_and_later_ones_add():
    first = Choice().adding(["A"], ["quotes"])
    assert (first.tickers, first.channels) == ({"A"}, {"quotes"})
    second = first.adding(["B"], ["alerts"])
    assert (second.tickers, second.channels) == ({"A", "B"}, {"quotes", "alerts"})


def test_what_the_first_subscribe_leaves_out_stays_everything():
    assert Choice().adding(["A"], None).channels == CHANNELS
    assert Choice().adding(None, ["alerts"]).tickers is None


def test_unsubscribing_takes_away_from_what_is_wanted():
    assert Choice().without(["A"], None, every=["A", "B"]).tickers == {"B"}
    assert Choice().without(None, ["quotes"], every=[]).channels == CHANNELS - {"quotes"}


@pytest.mark.parametrize(
    ("before", "tickers", "channels", "gained"),
    [
        (Choice(), ["A"], None, None),
        (Choice(frozenset("A"), CHANNELS, False), ["A", "B"], None, {"B"}),
        (Choice(frozenset("A"), frozenset({"alerts"}), False), [], ["quotes"], None),
        (Choice(None, CHANNELS, False), ["A"], None, frozenset()),
    ],
)
def test_the_snapshot_is_of_what_is_new(before, tickers, channels, gained):
    assert before.adding(tickers, channels).gained_since(before) == gained


# What the process knows ---------------------------------------------------------------


def flush(seq: int, ts: int, epoch: str = "e", **prices: int) -> FlushMessage:
    return FlushMessage(epoch, seq, ts, 10_000, list(prices), [ts] * len(prices), [str(p) for p in prices.values()])


def test_a_flush_that_comes_late_or_twice_is_no_news():
    latest = Latest()
    latest.take(flush(5, 1_000, A=1))
    assert [latest.is_news(flush(seq, 2_000, A=2)) for seq in (4, 5, 6)] == [False, False, True]
    assert latest.is_news(flush(1, 2_000, epoch="another", A=2))


def test_a_ticker_without_a_price_for_ten_seconds_is_stale_until_the_next():
    latest = Latest()
    latest.take(flush(1, 1_000, A=1, B=2))
    assert latest.fall_asleep(11_000) == []
    assert latest.fall_asleep(11_001) == ["A", "B"]
    assert latest.fall_asleep(12_000) == []
    assert latest.take(flush(2, 12_000, A=3)) == ["A"]
    assert latest.stale == {"B"}


def test_a_ticker_of_which_no_price_is_due_is_not_stale():
    latest = Latest()
    latest.take(flush(1, 1_000, A=1, B=2))
    assert latest.fall_asleep(11_001) == ["A", "B"]
    latest.take(replace(flush(2, 12_000), quiet=frozenset("B")))
    assert latest.stale == {"A"}
    assert latest.fall_asleep(30_000) == []
    latest.take(flush(3, 31_000))
    assert latest.fall_asleep(31_001) == ["B"]


def test_the_prices_of_a_replay_are_over_with_it():
    latest = Latest()
    latest.take(flush(1, 1_000, A=1, B=2))
    latest.take(replace(flush(1, 1_000, epoch="replay", B=3, C=4), replayed=frozenset("BC")))
    assert latest.parts_of(None) == ["1", "3", "4"]
    latest.fall_asleep(20_000)
    latest.take(flush(1, 20_000, epoch="after"))
    assert (latest.parts_of(None), latest.stale, set(latest.times)) == (["1"], {"A"}, {"A"})


def test_quotes_are_told_by_ticker():
    latest = Latest()
    latest.take(flush(1, 1_000, B=2, A=1))
    assert latest.parts_of(None) == ["1", "2"]
    assert latest.parts_of(frozenset({"B", "unknown"})) == ["2"]
    assert (latest.age_ms(1_400), Latest().age_ms(5)) == (400, None)
