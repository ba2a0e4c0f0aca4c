"""The insulation and continuity tester over SCPI; commands: docs/devices.md.

Methods: IEC 61215-2, MQT 03 (insulation), MQT 15 (wet leakage current), MQT 18.2 (bypass diodes).
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Annotated, Literal

from pydantic import Field

from drivers.errors import DeviceError, DeviceRefused, InterlockOpen
from drivers.roles import BypassReading, InsulationReading
from drivers.scpi import ScpiLink, ScpiSettings
from grading.values import Instrument

OVERRANGE = 9.9e37  # SCPI-99, 7.2.1.4: more than can be measured
MARGIN = 10.0  # s, to charge and discharge


class InsulationScpiSettings(ScpiSettings):
    """How to reach the tester. ``range`` [MΩ]: its highest reading; voltages V, current A."""

    kind: Literal["insulation_scpi"] = "insulation_scpi"
    name: str = "insulation"
    range: Annotated[float, Field(gt=0)] = 10_000.0
    max_voltage: Annotated[float, Field(gt=0)] = 1500.0
    max_current: Annotated[float, Field(gt=0)] = 20.0
    voltage_tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.1


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
        """Voltage at ``current`` [A] driven backwards through the panel in the dark (MQT 18.2)."""
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
        if not (0 <= voltage <= self._settings.max_voltage and 0 <= driven <= 1.1 * current):
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
        """Switch the high voltage on, with every door closed, and wait until it is off again."""
        if await self._link.query("SYST:INT?") != "1":
            raise InterlockOpen(self.name, "The cabinet is open.", "Close the cabinet.")
        try:
            await self._link.write("INIT")
            await self._link.finished(within=within)
        except (DeviceError, asyncio.CancelledError):
            with contextlib.suppress(DeviceError):
                await self._link.write("ABOR")
            raise

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
