"""What is done to the line, when, and how often: all of it from one seed."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from campaign.operator import CarefulOperator
from campaign.panels import Supply
from campaign.process import StationProcess
from simulators.line import SimulatedLine
from simulators.washer import EXECUTE
from simulators.world import TruePanel

PAUSE = 1.5  # s, between two acts, on average
WATCHDOG_MARGIN = 0.5  # s
LONGEST_WAIT = 8.0  # s, for a moment worth it
OPEN_FOR_CERTAIN = 0.3  # s: a door that opens in the last moment is the tester's to notice
LINK_FAULTS = {
    "washer": ("corrupt", "truncate", "drop_reply", "late_reply", "hang_up", "torn_snapshot"),
    "tester": ("corrupt@FETC", "truncate", "drop_reply", "late_reply", "hang_up", "nan_sample"),
    "source": ("truncate", "drop_reply", "late_reply", "hang_up"),
    "insulation": ("truncate", "drop_reply", "late_reply", "low_voltage", "cut_short"),
    "camera": ("black", "slow_copy", "cut_short", "no_picture"),
    "printer": ("drop_reply", "hang_up"),
}
WEIGHTS = {
    "link": 10,
    "kill": 2,
    "kill_at_work": 2,
    "power_cut": 1,
    "door": 2,
    "stranger": 1,
    "exchange_while_down": 1,
    "barcode": 1,
    "old_sweep": 1,
    "sweep_damaged": 1,
    "controller_hangs": 1,
    "emergency_stop": 0.5,
    "disk_full": 0.5,
}


@dataclass
class Disturber:
    """Does things to the line until cancelled; ``done`` counts them."""

    line: SimulatedLine
    station: StationProcess
    operator: CarefulOperator
    supply: Supply
    rng: random.Random
    only: tuple[str, ...] = tuple(WEIGHTS)
    pause: float = PAUSE
    done: Counter[str] = field(default_factory=Counter)
    flashes_told_with_open_door: int = 0
    moved_with_dead_station: int = 0
    link_faults: int = 0
    _door_opened: float | None = None

    def __post_init__(self) -> None:
        self._swap_next = False
        self._one_at_a_time = asyncio.Lock()
        self._may_act = asyncio.Event()
        self._may_act.set()
        enter, flash = self.line._enter_cabinet, self.line.tester._flash

        def entering(panel: TruePanel) -> None:
            self.operator.expected = panel
            if self._swap_next:
                self._swap_next = False
                panel = self.supply.stranger()
            enter(panel)

        def flashing() -> None:
            opened = self._door_opened
            certain = opened is not None and time.monotonic() - opened > OPEN_FOR_CERTAIN
            if certain and not self.line.world.door_closed:
                self.flashes_told_with_open_door += 1
            flash()

        self.line.washer.on_released = entering
        self.line.tester._flash = flashing  # type: ignore[method-assign]

    async def run(self) -> None:
        """Act, wait, and act again."""
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            name: getattr(self, name) for name in self.only
        }
        weights = [WEIGHTS[name] for name in acts]
        while acts:
            await asyncio.sleep(self.rng.expovariate(1 / self.pause))
            await self._may_act.wait()
            (name,) = self.rng.choices(list(acts), weights)
            async with self._one_at_a_time:
                await acts[name]()
            self.done[name] += 1

    def rest(self) -> None:
        """Begin nothing more until :meth:`go_on`."""
        if self._may_act.is_set():
            self.done["rests"] += 1
        self._may_act.clear()

    def go_on(self) -> None:
        """Act again."""
        self._may_act.set()

    async def link(self) -> None:
        """A damaged, lost, late or broken answer of one device."""
        role = self.rng.choice(list(LINK_FAULTS))
        fault = self.rng.choice(LINK_FAULTS[role])
        times = self.rng.choice((1, 1, 2, 5))
        getattr(self.line, role).faults.once(fault, times)
        self.link_faults += times

    async def kill(self) -> None:
        """``kill -9`` at any moment; in a third of them the washer's watchdog is waited for."""
        self.station.kill()
        await self._while_down()

    async def kill_at_work(self) -> None:
        """``kill -9`` while a panel is measured and its evidence goes to the disk."""
        await self._reach(("el",))
        await asyncio.sleep(self.rng.uniform(0.0, 1.8))
        await self.kill()

    async def heed(self) -> None:
        """The station asks to be started again."""
        async with self._one_at_a_time:
            self.done["station_fault"] += 1
            self.station.kill()
            await self.station.start()
            self.operator.begin_again()

    async def power_cut(self) -> None:
        """Everything off; what was not synced is torn."""
        self.done["files_torn"] += self.station.cut_power(self.rng)
        await self._while_down()

    async def exchange_while_down(self) -> None:
        """Somebody puts another panel into the cabinet while the station is dead."""
        await self._reach(("safety", "flash", "el"))
        self.station.kill()
        panel = self.line.world.panel
        if panel is not None and panel is self.operator.expected:
            self.line.world.panel = self.supply.stranger()
            self.done["exchanged"] += 1
        await self._while_down()

    async def _reach(self, phases: tuple[str, ...]) -> None:
        """Wait until a panel is in one of these phases, but not for ever."""
        until = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < until:
            snapshot = await self.station.service.get("/api/station")
            if snapshot and any(visit["phase"] in phases for visit in snapshot["visits"]):
                return
            await asyncio.sleep(0.02)

    async def _while_down(self) -> None:
        if self.rng.random() < 0.33:
            await asyncio.sleep(self.line.washer._timeout + WATCHDOG_MARGIN)
            self.moved_with_dead_station += self.line.washer._plc.state == EXECUTE
            self.done["watchdog_looked_at"] += 1
        await self.station.start()
        self.operator.begin_again()

    async def door(self) -> None:
        """The cabinet is opened for a while, half of the times while the lamp charges."""
        world = self.line.world
        if self.rng.random() < 0.5:
            await self._reach(("flash",))
        if world.panel is None or not world.door_closed:
            return
        world.door_closed, self._door_opened = False, time.monotonic()
        await asyncio.sleep(self.rng.uniform(0.2, 4.0))
        if world.panel is not None:
            world.door_closed = True
        self._door_opened = None

    async def stranger(self) -> None:
        """The next panel that enters the cabinet is not the one that was tracked."""
        self._swap_next = True

    async def barcode(self) -> None:
        """The cabinet's scanner reads another label, or none; or the door does not close."""
        self.line.faults.once(self.rng.choice(("wrong_barcode", "no_barcode", "door_blocked")))

    async def old_sweep(self) -> None:
        """The tester returns the sweep of before, maybe of the panel before."""
        self.line.tester.faults.once("old_sweep", 2)

    async def sweep_damaged(self) -> None:
        """A bit of a sweep is turned on the wire."""
        self.line.tester.faults.once("corrupt@FETC")

    async def controller_hangs(self) -> None:
        """The washer's program stands still for a while."""
        self.line.washer.faults.always("plc_hangs")
        await asyncio.sleep(self.rng.uniform(0.5, 5.0))
        self.line.washer.faults.clear("plc_hangs")

    async def emergency_stop(self) -> None:
        """Somebody hits the red button, and turns it back."""
        self.line.washer.emergency_stop = True
        await asyncio.sleep(self.rng.uniform(0.3, 1.5))
        self.line.washer.emergency_stop = False

    async def disk_full(self) -> None:
        """No file grows for a while; who watches starts the station again if it says so."""
        self.station.fill_disk()
        await asyncio.sleep(self.rng.uniform(0.5, 2.0))
        self.station.empty_disk()
