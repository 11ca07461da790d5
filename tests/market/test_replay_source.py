"""A tape is played in one order at every speed; a pause stands still."""

import hashlib

import numpy as np
import pytest

from market.sources.replay import ReplaySource, batches_of, check_replay_speed
from market.tape_files import make_tape

pytestmark = pytest.mark.pure

TAPE = make_tape((place * 137, f"T{place % 7}", 10**6 + place * 977 % 10**5, place) for place in range(1, 2_000))


class Clock:
    """Time that passes only by sleeping, and a little by working."""

    def __init__(self, work: float = 0.0):
        self.now, self.work, self.slept = 100.0, work, 0.0

    def __call__(self) -> float:
        self.now += self.work
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


async def play(clock: Clock, **options) -> list:
    source = ReplaySource(TAPE, clock=clock, sleep=clock.sleep, **{"after": 0} | options)
    played = [batch async for batch in source.batches()]
    assert source.is_at_end
    return played


def digest(batches) -> str:
    marks = hashlib.sha256()
    for batch in batches:
        for column in (batch.indexes, batch.times, batch.prices, batch.volumes):
            marks.update(column.tobytes() + b"|")
    return marks.hexdigest()


@pytest.mark.parametrize("speed", [1, 7.5, 60, 1000])
async def test_what_comes_in_which_flush_is_the_same_at_every_speed(speed):
    clock = Clock(work=0.0001)
    assert digest(await play(clock, speed=speed)) == digest(batches_of(TAPE, 0))
    tape_seconds = (TAPE.times[-1] - TAPE.times[0]) / 1000
    assert clock.now - 100 == pytest.approx(tape_seconds / speed, rel=0.05, abs=0.5)


def test_no_flush_has_a_ticker_twice_and_all_ticks_are_in_one():
    batches = list(batches_of(TAPE, 0))
    assert all(len(set(batch.indexes.tolist())) == len(batch.indexes) for batch in batches)
    assert np.array_equal(np.concatenate([batch.prices for batch in batches]), TAPE.prices)


def test_what_is_played_from_the_middle_on_is_the_rest_of_the_whole():
    whole = list(batches_of(TAPE, 0))
    rest = list(batches_of(TAPE, whole[99].at_ms))
    assert digest(rest) == digest(whole[100:])


async def test_a_pause_stands_still_and_a_new_speed_counts_at_once():
    clock = Clock()
    source = ReplaySource(TAPE, after=0, clock=clock, sleep=clock.sleep)
    batches = source.batches()
    await anext(batches)
    source.is_paused = True
    slept = 0

    async def sleep(seconds):
        nonlocal slept
        slept += 1
        if slept == 50:
            source.is_paused, source.speed = False, 1000.0
        await clock.sleep(seconds)

    source.sleep = sleep
    before = clock.now
    await anext(batches)
    assert clock.now - before == pytest.approx(50 * 0.1, abs=0.2)  # five seconds of pause, then hardly any


async def test_a_source_that_is_over_ends_also_in_a_pause():
    clock = Clock()
    source = ReplaySource(TAPE, after=0, is_paused=True, clock=clock, sleep=clock.sleep)

    async def sleep(seconds):
        source.is_over = True

    source.sleep = sleep
    assert [batch async for batch in source.batches()] == []
    assert not source.is_at_end


@pytest.mark.parametrize("speed", [0, 0.5, 1001, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(ValueError, match="speed is"):
        check_replay_speed(speed)
