"""The insulation and continuity tester over SCPI; commands: docs/devices.md.

Methods: IEC 61215-2, MQT 03 (insulation), MQT 15 (wet leakage current), MQT 18.2 (bypass diodes).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import Annotated, Literal

from pydantic import Field

from drivers.errors import DeviceError, DeviceRefused, InterlockOpen, PanelLive
from drivers.roles import BypassReading, InsulationReading
from drivers.scpi import ScpiLink, ScpiSettings
from grading.values import Instrument

OVERRANGE = 9.9e37  # SCPI-99, 7.2.1.4: more than can be measured
MARGIN = 10.0  # s, to raise the voltage, at 500 V/s or slower (MQT 03), and to charge the panel
TOUCHABLE = 35.0  # V d.c., what may be touched where it is wet (IEC 61010-1, 6.3) [M]
LOOK_EVERY = 0.1  # s
BROKEN_OFF = 0b11000  # of the event status register: device-dependent and execution error


class InsulationScpiSettings(ScpiSettings):
    """How to reach the tester. ``range`` [MΩ]: its highest reading; voltages V, current A."""

    kind: Literal["insulation_scpi"] = "insulation_scpi"
    name: str = "insulation"
    range: Annotated[float, Field(gt=0)] = 10_000.0
    max_voltage: Annotated[float, Field(gt=0)] = 1500.0
    max_current: Annotated[float, Field(gt=0)] = 20.0
    voltage_tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.1
    discharge_timeout: Annotated[float, Field(gt=0)] = 10.0  # s


class InsulationScpi:
    """The insulation and continuity tester."""

    def __init__(self, settings: InsulationScpiSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._link = ScpiLink(settings.name, "insulation", settings, at_rest="ABOR")
        self._turn = asyncio.Lock()

    async def connect(self) -> Instrument:
        """Open the link, switch off what may be on, and return who answers; see the role."""
        return await self._link.connect()

    async def close(self) -> None:
        """Switch the high voltage off, and let go of the link."""
        with contextlib.suppress(DeviceError):
            await self._link.write("ABOR")
        await self._link.close()

    async def insulation(self, *, voltage: float, duration: float) -> InsulationReading:
        """Insulation resistance between the shorted leads and the frame (MQT 03)."""
        return await self._measure("INS", voltage, duration)

    async def wet_leakage(self, *, voltage: float, duration: float) -> InsulationReading:
        """Insulation resistance of the wet panel (MQT 15)."""
        return await self._measure("WET", voltage, duration)

    async def continuity(self) -> float:
        """Resistance of the frame's ground path [Ω]; infinite where there is none."""
        async with self._turn:
            await self._link.write("CONF:CONT")
            await self._start(MARGIN)
            (resistance,) = await self._link.numbers("FETC?", 1)
        if resistance >= OVERRANGE:
            return math.inf
        if not 0 <= resistance <= 1e6:
            raise self._link.distrusted(f"it reads {resistance:g} Ω")
        return resistance

    async def bypass(self, *, current: float) -> BypassReading:
        """Voltage at ``current`` [A] driven backwards through the panel in the dark (MQT 18.2).

        Infinite where it is above the range, as with a diode that is open.
        """
        if not 0 < current <= self._settings.max_current:
            raise DeviceRefused(
                self.name,
                f"{current:g} A is not within 0 to {self._settings.max_current:g} A.",
                "Correct the panel's nameplate or the tester's limit.",
            )
        async with self._turn:
            await self._link.write(f"CONF:BYP {current:g}")
            await self._start(MARGIN)
            voltage, driven = await self._link.numbers("FETC?", 2)
        if voltage >= OVERRANGE:
            voltage = math.inf
        sound = 0 <= voltage <= self._settings.max_voltage or voltage == math.inf
        if not (sound and 0 <= driven <= 1.1 * current):
            raise self._link.distrusted(f"it reads {voltage:g} V at {driven:g} A")
        return BypassReading(voltage=voltage, current=driven)

    async def _measure(self, kind: str, voltage: float, duration: float) -> InsulationReading:
        if not 0 < voltage <= self._settings.max_voltage:
            raise DeviceRefused(
                self.name,
                f"{voltage:g} V is not within 0 to {self._settings.max_voltage:g} V.",
                "Correct the panel's nameplate or the tester's limit.",
            )
        async with self._turn:
            await self._link.write(f"CONF:{kind} {voltage:g},{duration:g}")
            await self._start(duration + MARGIN)
            resistance, applied, lasted = await self._link.numbers("FETC?", 3)
        return self._reading(resistance, applied, lasted, voltage, duration)

    async def _start(self, within: float) -> None:
        """Test with every door closed, and come back when the panel may be touched.

        Whatever went wrong, a voltage that stays on the panel is told first, then an open door:
        it broke the test off, which is then none.
        """
        await self._require_closed()
        wrong: DeviceError | None = None
        try:
            await self._run(within)
        except (DeviceError, asyncio.CancelledError) as error:
            with contextlib.suppress(DeviceError):  # it empties the error queue as well
                await self._link.write("ABOR")
            if not isinstance(error, DeviceError):
                raise
            wrong = error
        await self._discharged()
        await self._require_closed()
        if wrong is not None:
            raise wrong

    async def _run(self, within: float) -> None:
        await self._link.write("INIT")
        if await self._link.finished(within=within) & BROKEN_OFF:
            raise DeviceRefused(
                self.name,
                "It broke the test off.",
                "Look whether the cabinet stays closed and the panel's leads lie apart.",
            )

    async def _require_closed(self) -> None:
        if await self._link.query("SYST:INT?") != "1":
            raise InterlockOpen(self.name, "The cabinet is open.", "Close the cabinet.")

    async def _discharged(self) -> None:
        """Wait until the panel no longer carries the voltage that it was tested with."""
        deadline = time.monotonic() + self._settings.discharge_timeout
        while abs(left := (await self._link.numbers("MEAS:VOLT?", 1))[0]) > TOUCHABLE:
            if time.monotonic() > deadline:
                raise PanelLive(
                    self.name,
                    f"The panel still carries {left:g} V.",
                    "Do not touch it or its leads. Call the one who looks after the tester.",
                )
            await asyncio.sleep(LOOK_EVERY)

    def _reading(
        self, resistance: float, applied: float, lasted: float, voltage: float, duration: float
    ) -> InsulationReading:
        """Return the reading; more than the range counts as the range, which it exceeds."""
        if abs(applied - voltage) > self._settings.voltage_tolerance * voltage:
            raise self._link.distrusted(f"it tested at {applied:g} V instead of {voltage:g} V")
        if lasted < duration:
            raise self._link.distrusted(f"it tested for {lasted:g} s instead of {duration:g} s")
        if resistance < 0:
            raise self._link.distrusted(f"it reads {resistance:g} MΩ")
        return InsulationReading(
            resistance=min(resistance, self._settings.range),
            test_voltage=applied,
            duration=lasted,
        )
