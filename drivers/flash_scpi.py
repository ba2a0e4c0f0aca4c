"""The flash tester over SCPI; commands and block format: docs/devices.md."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import struct
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from drivers.errors import DeviceRefused, InterlockOpen
from drivers.roles import FlashSetup, Interlock
from drivers.scpi import ScpiLink, ScpiSettings
from grading.values import FloatArray, Instrument, IVCurve, Sweep

# Sweep block: magic, flash id, points, direction (0 up, 1 down), temperature [°C]; then for each
# point time [s], voltage [V], current [A] and irradiance [W/m²]. All little-endian.
HEADER = struct.Struct("<4sIHBd")
MAGIC = b"ZIV1"
COLUMNS = 4
LIMITS = {
    "time": (0.0, 60.0),
    "voltage": (-20.0, 2000.0),
    "current": (-50.0, 100.0),
    "irradiance": (0.0, 2000.0),
}
TEMPERATURES = (-40.0, 120.0)
# What TRACe:PANel takes; it cannot end the command or begin another.
PANEL_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z()./:_%+-]{0,79}")


class FlashScpiSettings(ScpiSettings):
    """How to reach the flash tester. ``flash_timeout`` includes charging the lamp."""

    kind: Literal["flash_scpi"] = "flash_scpi"
    name: str = "tester"
    flash_timeout: Annotated[float, Field(gt=0)] = 15.0  # s


class FlashScpi:
    """The sun simulator with its electronic load."""

    def __init__(self, settings: FlashScpiSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._link = ScpiLink(settings.name, "tester", settings)
        self._turn = asyncio.Lock()
        # From anywhere: a sweep that the tester kept from before our restart has another number.
        self._ids = itertools.count(1 + secrets.randbelow(2**31))

    async def connect(self) -> Instrument:
        """Open the link, and return who answers; see the role."""
        return await self._link.connect()

    async def close(self) -> None:
        """Let go of the link; the tester flashes only when triggered."""
        await self._link.close()

    async def interlock(self) -> Interlock:
        """Read the safety circuit: door, circuit, lamp, and the flashes that the lamp has made."""
        answer = await self._link.query("SYST:INT?")
        fields = answer.split(",")
        if len(fields) != 3 or any(field not in ("0", "1") for field in fields):
            raise self._link.distrusted(f"it answers SYST:INT? with {answer!r}")
        flashes = await self._link.query("LAMP:COUN?")
        if not flashes.isdigit():
            raise self._link.distrusted(f"it answers LAMP:COUN? with {flashes!r}")
        door, circuit, lamp = (field == "1" for field in fields)
        return Interlock(
            door_closed=door, circuit_closed=circuit, lamp_ready=lamp, lamp_flashes=int(flashes)
        )

    async def flash(self, setup: FlashSetup, *, panel_id: str) -> tuple[IVCurve, ...]:
        """Flash the identified panel once per sweep and return the raw curves; see the role."""
        if not PANEL_ID.fullmatch(panel_id):
            raise DeviceRefused(
                self.name,
                f"No panel was identified ({panel_id!r}): nothing flashes.",
                "Scan the barcode of the panel in the cabinet.",
            )
        sweeps = (Sweep.UP, Sweep.DOWN) if setup.both_directions else (Sweep.UP,)
        async with self._turn:
            await self._link.write(
                f"SOUR:IRR {setup.irradiance:g}",
                f"SWE:POIN {setup.points}",
                f"SENS:VOLT:RANG {setup.v_max:g}",
                f"SENS:CURR:RANG {setup.i_max:g}",
            )
            return tuple([await self._sweep(sweep, setup, panel_id) for sweep in sweeps])

    async def _sweep(self, sweep: Sweep, setup: FlashSetup, panel_id: str) -> IVCurve:
        flash_id = next(self._ids)
        await self._link.write(
            f"SWE:DIR {sweep.value.upper()}", f"TRAC:ID {flash_id}", f"TRAC:PAN {panel_id}"
        )
        await self._wait_for_lamp()
        before = await self._require_safe()
        if not before.lamp_ready:
            raise DeviceRefused(
                self.name,
                "The lamp is cooling or not charged: nothing flashes.",
                "Wait a minute and try again; if it stays so, look at the lamp's supply.",
            )
        await self._link.write("INIT")
        await self._link.complete(within=self._settings.flash_timeout)
        made = (await self._require_safe()).lamp_flashes - before.lamp_flashes
        if made != 1:
            raise self._link.distrusted(f"its lamp made {made} flashes instead of 1")
        block = await self._link.block("FETC:SWE?", within=self._settings.timeout)
        return self._decode(block, flash_id, sweep, setup.points)

    async def _wait_for_lamp(self) -> None:
        await self._link.write("LAMP:CHAR")
        await self._link.complete(within=self._settings.flash_timeout)

    async def _require_safe(self) -> Interlock:
        """Look at door and circuit: the last thing before the trigger, and the first after it.

        A door that opened meanwhile let light in: such a sweep is none.
        """
        state = await self.interlock()
        if not state.safe:
            what = "door" if not state.door_closed else "safety circuit"
            raise InterlockOpen(self.name, f"The {what} is open.", "Close the cabinet.")
        return state

    def _decode(self, block: bytes, flash_id: int, sweep: Sweep, points: int) -> IVCurve:
        """Return the curve of a sweep block; raises ProtocolError for any other."""
        if len(block) < HEADER.size:
            raise self._link.distrusted(f"a sweep of {len(block)} bytes is too short")
        magic, answered, count, down, temperature = HEADER.unpack_from(block)
        if magic != MAGIC or len(block) != HEADER.size + 8 * COLUMNS * count:
            raise self._link.distrusted(f"{len(block)} bytes are no sweep of {count} points")
        if answered != flash_id or bool(down) != (sweep is Sweep.DOWN):
            raise self._link.distrusted(f"it returned sweep {answered} instead of {flash_id}")
        if not 2 <= count <= points:
            raise self._link.distrusted(f"it returned {count} points instead of {points}")
        rows = np.frombuffer(block, "<f8", offset=HEADER.size).reshape(count, COLUMNS)
        columns = dict(zip(LIMITS, rows.T, strict=True))
        for name, values in columns.items():
            self._check(name, values, LIMITS[name])
        self._check("temperature", np.array([temperature]), TEMPERATURES)
        return IVCurve(
            **columns, temperature=temperature, sweep=sweep, curve_id=f"{flash_id}-{sweep.value}"
        )

    def _check(self, name: str, values: FloatArray, limits: tuple[float, float]) -> None:
        low, high = limits
        if not (np.isfinite(values) & (low <= values) & (values <= high)).all():
            raise self._link.distrusted(f"the {name} of a sweep is not within {low:g} to {high:g}")
