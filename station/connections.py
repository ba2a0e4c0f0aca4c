"""One device's link: connected, and connected again after a break, with a growing wait."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from drivers.errors import DeviceError, IdentityChanged
from drivers.roles import Device
from grading.values import Instrument
from station.board import Board
from station.clock import Clock

GROWTH = 2.0
JITTER = 0.25  # a share of each wait, so that devices of one switch do not come back in step


def backoff(
    first: float, longest: float, jitter: Callable[[], float] = random.random
) -> Iterator[float]:
    """Yield the wait [s] before each new attempt: growing, with jitter, at most ``longest``.

    Args:
        first: the shortest wait [s].
        longest: the bound of every wait [s].
        jitter: returns a number from 0 to 1.
    """
    wait = first
    while True:
        yield min(longest, wait * (1 + JITTER * jitter()))
        wait = min(longest, wait * GROWTH)


class Connection:
    """Keeps one device connected, in a task of its own: no other device waits for it.

    Args:
        role: what the device does on the line.
        device: the device.
        interval: between two looks at a link that works, and the first wait after a break [s].
        longest: the longest wait between two attempts [s].
    """

    def __init__(
        self, role: str, device: Device, board: Board, clock: Clock, interval: float, longest: float
    ) -> None:
        self.role = role
        self.device = device
        self.connected = False
        self.instrument: Instrument | None = None  # the first that answered
        self._board = board
        self._clock = clock
        self._interval = interval
        self._longest = longest

    async def keep(self) -> None:
        """Connect, and connect again whenever the link was lost; never ends."""
        waits = backoff(self._interval, self._longest)
        while True:
            if await self._attempt():
                waits = backoff(self._interval, self._longest)
                await self._clock.sleep(self._interval)
            else:
                await self._clock.sleep(next(waits))

    async def _attempt(self) -> bool:
        try:
            self._check_identity(await self.device.connect())
        except DeviceError as error:
            self._set(connected=False)
            self._board.raise_device_alarm(error)
            return False
        if not self.connected:
            self._board.clear_device_alarms(self.device.name)
        self._set(connected=True)
        return True

    def _check_identity(self, instrument: Instrument) -> None:
        known = self.instrument = self.instrument or instrument
        if known != instrument:
            raise IdentityChanged(
                self.device.name,
                f"{instrument.maker} {instrument.model} {instrument.serial} answers instead of "
                f"{known.maker} {known.model} {known.serial}.",
                "Restart the station once the calibration of the new instrument is entered.",
            )

    def _set(self, *, connected: bool) -> None:
        if self.connected != connected:
            self.connected = connected
            self._board.changed()
