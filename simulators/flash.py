"""A flash tester: sun simulator, electronic load and monitor cell; after docs/devices.md.

Faults besides those of every SCPI instrument: ``lamp_fails`` (it does not charge), ``circuit_open``
(the safety circuit), ``old_sweep`` (it returns the sweep before), ``nan_sample``.
"""

from __future__ import annotations

import asyncio
import math
import struct

import numpy as np

from grading.values import FloatArray, IVCurve, Sweep
from simulators.faults import Faults
from simulators.scpi import (
    INTERLOCK_OPEN,
    NO_DATA,
    SETTINGS_CONFLICT,
    WRONG_PARAMETER,
    ScpiInstrument,
    ScpiRefusal,
    block,
    number,
)
from simulators.wire import WireKind
from simulators.world import World

HEADER = struct.Struct("<4sIHBd")
CHARGING = 0.05  # s


class SimulatedFlashTester(ScpiInstrument):
    """The flash tester; it refuses to flash with any door open, whatever it is told.

    Nor does it with a lamp that is not charged, or for a panel that was not named since the last
    flash.

    ``flashes`` counts those of the lamp; ``forbidden`` how often it was told to flash unsafely.
    """

    def __init__(
        self,
        world: World,
        faults: Faults | None = None,
        *,
        kind: WireKind = WireKind.PTY,
        port: int = 0,
    ) -> None:
        super().__init__(
            ("Zonkeur", "SimFlash 1", "SF-0001", "1.0"),
            {
                "SYSTem:INTerlock?": lambda _: self._interlock(),
                "LAMP:COUNt?": lambda _: str(self.flashes),
                "LAMP:CHARge": lambda _: self._charge(),
                "SOURce:IRRadiance": self._set_irradiance,
                "SWEep:POINts": self._set_points,
                "SWEep:DIRection": self._set_direction,
                "SENSe:VOLTage:RANGe": lambda p: self._set_range("voltage", p),
                "SENSe:CURRent:RANGe": lambda p: self._set_range("current", p),
                "TRACe:ID": self._set_id,
                "TRACe:PANel": self._set_panel,
                "INITiate": lambda _: self._flash(),
                "FETCh:SWEep?": lambda _: self._fetch(),
                "*OPC?": lambda _: self._complete(),
            },
            kind=kind,
            port=port,
            faults=faults,
        )
        self.flashes = 12_345
        self.forbidden = 0
        self._world = world
        self._charged = False
        self._irradiance = 1000.0
        self._points = 200
        self._direction = Sweep.UP
        self._range = {"voltage": 60.0, "current": 15.0}
        self._id = 0
        self._panel_id = ""
        self._sweeps: list[bytes] = []

    # --- settings --------------------------------------------------------------------------------

    def _set_irradiance(self, parameters: list[str]) -> None:
        self._irradiance = number(parameters, 200, 1200)

    def _set_points(self, parameters: list[str]) -> None:
        self._points = int(number(parameters, 2, 4000))

    def _set_range(self, which: str, parameters: list[str]) -> None:
        self._range[which] = number(parameters, 0.1, {"voltage": 200.0, "current": 30.0}[which])

    def _set_direction(self, parameters: list[str]) -> None:
        try:
            self._direction = Sweep(parameters[0].lower())
        except (ValueError, IndexError) as error:
            raise ScpiRefusal(WRONG_PARAMETER) from error

    def _set_id(self, parameters: list[str]) -> None:
        self._id = int(number(parameters, 1, 2**32 - 1))

    def _set_panel(self, parameters: list[str]) -> None:
        if len(parameters) != 1 or not parameters[0]:
            raise ScpiRefusal(WRONG_PARAMETER)
        self._panel_id = parameters[0]

    # --- flashing --------------------------------------------------------------------------------

    @property
    def _circuit_closed(self) -> bool:
        return self._world.circuit_closed and not self.faults.take("circuit_open")

    def _interlock(self) -> str:
        states = (self._world.door_closed, self._circuit_closed, self._charged)
        return ",".join(str(int(state)) for state in states)

    def _charge(self) -> None:
        if not self.faults.take("lamp_fails"):
            self._charged = True

    async def _complete(self) -> str:
        await asyncio.sleep(CHARGING)
        return "1"

    def _flash(self) -> None:
        """Flash and measure; the interlock is of wire, not of software, so it comes first."""
        if not (self._world.door_closed and self._circuit_closed):
            self.forbidden += 1
            raise ScpiRefusal(INTERLOCK_OPEN)
        if not self._charged or self._id == 0 or not self._panel_id:
            raise ScpiRefusal(SETTINGS_CONFLICT)
        self.flashes += 1
        self._charged = False
        self._panel_id = ""  # one identification, one flash
        self._sweeps.append(self._encoded(self._measured()))

    def _measured(self) -> IVCurve:
        panel = self._world.panel
        if panel is not None:
            return panel.sweep(self._direction, irradiance=self._irradiance, points=self._points)
        nothing = np.random.default_rng(self.flashes).normal(0, 1e-3, (2, self._points))
        return IVCurve(voltage=nothing[0], current=nothing[1], temperature=25.0)

    def _encoded(self, curve: IVCurve) -> bytes:
        """Return a sweep block; every second sample is left out where there are too many."""
        keep = slice(None, None, math.ceil(curve.voltage.size / self._points))
        count = curve.voltage[keep].size
        columns = (
            np.linspace(0.0, 0.01, count) if curve.time is None else curve.time[keep],
            curve.voltage[keep],
            curve.current[keep],
            self._light(curve)[keep],
        )
        rows = np.column_stack(columns).astype("<f8")
        if self.faults.take("nan_sample"):
            rows[count // 2, 2] = np.nan
        down = self._direction is Sweep.DOWN
        temperature = 25.0 if curve.temperature is None else curve.temperature
        return HEADER.pack(b"ZIV1", self._id, count, down, temperature) + rows.tobytes()

    def _light(self, curve: IVCurve) -> FloatArray:
        if curve.irradiance is not None:
            return curve.irradiance
        return np.full(curve.voltage.size, self._irradiance)

    def _fetch(self) -> bytes:
        if not self._sweeps:
            raise ScpiRefusal(NO_DATA)
        old = len(self._sweeps) > 1 and self.faults.take("old_sweep")
        return block(self._sweeps[-2 if old else -1])
