"""The current source that makes a panel glow, over SCPI; commands: docs/devices.md."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Literal

from pydantic import Field

from drivers.errors import DeviceError, DeviceRefused, ProtocolError
from drivers.roles import SourceReading
from drivers.scpi import ScpiLink, ScpiSettings
from grading.values import Instrument


class CurrentSourceScpiSettings(ScpiSettings):
    """How to reach the source, and what it may do at most."""

    kind: Literal["current_source_scpi"] = "current_source_scpi"
    name: str = "source"
    max_current: Annotated[float, Field(gt=0)] = 20.0  # A
    max_voltage: Annotated[float, Field(gt=0)] = 120.0  # V
    residual: Annotated[float, Field(gt=0)] = 0.05  # A, that still count as off
    settle: Annotated[float, Field(ge=0)] = 0.2  # s, before the reading


class CurrentSourceScpi:
    """The supply that makes the panel glow."""

    def __init__(self, settings: CurrentSourceScpiSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._link = ScpiLink(settings.name, "source", settings, at_rest="OUTP OFF")

    async def connect(self) -> Instrument:
        """Open the link, switch off what may be on, and return who answers; see the role."""
        return await self._link.connect()

    async def close(self) -> None:
        """Switch off, and let go of the link."""
        with contextlib.suppress(DeviceError):
            await self._link.write("OUTP OFF")
        await self._link.close()

    async def inject(self, *, current: float, voltage_limit: float) -> SourceReading:
        """Drive ``current`` [A] forward, at most ``voltage_limit`` [V]; returns the reading.

        A reading below ``current`` means that the voltage limit was reached: that is the panel's.
        """
        self._check("current", current, self._settings.max_current, "A")
        self._check("voltage limit", voltage_limit, self._settings.max_voltage, "V")
        await self._link.write(f"VOLT {voltage_limit:.4g}", f"CURR {current:.4g}", "OUTP ON")
        await asyncio.sleep(self._settings.settle)
        reading = await self._reading()
        if not reading.enabled:
            raise DeviceRefused(
                self.name, "The output went off by itself.", "Look at the source and its wiring."
            )
        return reading

    async def off(self) -> None:
        """Switch the output off, and check that it is."""
        await self._link.write("OUTP OFF")
        reading = await self._reading()
        if reading.enabled or abs(reading.current) > self._settings.residual:
            raise ProtocolError(
                self.name,
                f"The output is off but {reading.current:.2f} A still flow.",
                "Do not open the cabinet; switch the source off by hand.",
            )

    async def _reading(self) -> SourceReading:
        output = await self._link.query("OUTP?")
        (current,) = await self._link.numbers("MEAS:CURR?", 1)
        (voltage,) = await self._link.numbers("MEAS:VOLT?", 1)
        most, highest = 1.1 * self._settings.max_current, 1.1 * self._settings.max_voltage
        if output not in ("0", "1") or abs(current) > most or abs(voltage) > highest:
            raise self._link.distrusted(f"it reads {current:g} A, {voltage:g} V, output {output!r}")
        return SourceReading(current=current, voltage=voltage, enabled=output == "1")

    def _check(self, what: str, value: float, limit: float, unit: str) -> None:
        if not 0 < value <= limit:
            raise DeviceRefused(
                self.name,
                f"A {what} of {value:g} {unit} is not within 0 to {limit:g} {unit}.",
                "Correct the panel's nameplate or the source's limits.",
            )
