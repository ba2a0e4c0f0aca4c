"""A lost device comes back by itself, and none waits for another."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DeviceTimeout
from grading.values import Instrument
from station.board import Board
from station.clock import SystemClock
from station.connections import Connection, backoff


@given(
    first=st.floats(0.01, 10), factor=st.floats(1, 100), jitter=st.floats(0, 1, exclude_max=True)
)
def test_waits_grow_and_are_bounded(first, factor, jitter):
    longest = first * factor
    waits = list(itertools.islice(backoff(first, longest, lambda: jitter), 20))
    assert all(a <= b for a, b in itertools.pairwise(waits))
    assert all(first <= wait <= longest for wait in waits)
    assert waits[-1] == longest


def test_two_devices_do_not_come_back_in_step():
    one, other = (list(itertools.islice(backoff(1, 60), 4)) for _ in range(2))
    assert one != other


class RecordingClock(SystemClock):
    """Waits for nothing, and says how long it would have waited."""

    def __init__(self, most: int) -> None:
        self.waits: list[float] = []
        self._most = most

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) >= self._most:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


class FakeDevice:
    """Fails at the attempts whose number is given, counted from 0."""

    def __init__(self, name: str, failing: set[int]) -> None:
        self.name = name
        self._failing = failing
        self._numbers = itertools.count()

    async def connect(self) -> Instrument:
        if next(self._numbers) in self._failing:
            raise DeviceTimeout(self.name, "It did not answer.", "Look at its cable.")
        return Instrument(role=self.name, maker="Acme", model="M", serial="1", firmware="1")

    async def close(self) -> None:
        """Nothing to let go of."""


async def test_wait_starts_anew_once_the_device_answered():
    clock = RecordingClock(8)
    board = Board(clock)
    link = Connection("tester", FakeDevice("tester", {1, 2, 3, 5, 6}), board, clock, 1.0, 60.0)
    with pytest.raises(asyncio.CancelledError):
        await link.keep()
    answered, w1, w2, w3, again, w4, w5, last = clock.waits
    assert answered == again == last == 1.0
    for wait, doubled in ((w1, 1.0), (w2, 2.0), (w3, 4.0), (w4, 1.0), (w5, 2.0)):
        assert doubled <= wait <= 1.25 * doubled
    assert link.connected
    assert [alarm.active for alarm in board.alarms] == [False]


class DeadDevice(FakeDevice):
    """Its connect never returns."""

    async def connect(self) -> Instrument:
        await asyncio.Event().wait()
        raise AssertionError


async def test_device_that_never_answers_holds_up_no_other_and_no_screen():
    clock = SystemClock()
    board = Board(clock)
    dead = Connection("tester", DeadDevice("tester", set()), board, clock, 0.01, 0.02)
    well = Connection("washer", FakeDevice("washer", set()), board, clock, 0.01, 0.02)
    tasks = [asyncio.create_task(link.keep()) for link in (dead, well)]
    try:
        async with asyncio.timeout(2):
            async for connected in board.changes(lambda: (dead.connected, well.connected)):
                if connected == (False, True):
                    break
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert not dead.connected
