"""The insulation and continuity tester; after docs/devices.md.

High voltage only with every door closed. Faults besides those of every SCPI instrument:
``low_voltage`` (it does not reach its voltage), ``cut_short`` (it stops early).
"""

from __future__ import annotations

import math
import time

from simulators.faults import Faults
from simulators.scpi import (
    INTERLOCK_OPEN,
    NO_DATA,
    SETTINGS_CONFLICT,
    ScpiInstrument,
    ScpiRefusal,
    number,
)
from simulators.wire import WireKind
from simulators.world import World

RANGE = 10_000.0  # MΩ
OVERRANGE = 9.9e37
WET_SHARE = 0.6  # of the dry resistance that a sound panel keeps when wet
BYPASS_LIMIT = 12.0  # V, that the source of the bypass test reaches


class SimulatedInsulationTester(ScpiInstrument):
    """The insulation tester; ``time_scale`` shortens the wait, not what it reports."""

    def __init__(
        self,
        world: World,
        faults: Faults | None = None,
        *,
        kind: WireKind = WireKind.TCP,
        port: int = 0,
        time_scale: float = 1.0,
    ) -> None:
        super().__init__(
            ("Zonkeur", "SimIso 15", "SI-0001", "1.0"),
            {
                "SYSTem:INTerlock?": lambda _: str(int(self._world.door_closed)),
                "CONFigure:INSulation": lambda p: self._configure("insulation", p),
                "CONFigure:WETleakage": lambda p: self._configure("wet", p),
                "CONFigure:CONTinuity": lambda _: self._configure_quick("continuity"),
                "CONFigure:BYPass": self._configure_bypass,
                "INITiate": lambda _: self._begin(),
                "ABORt": lambda _: self._abort(),
                "FETCh?": lambda _: self._fetch(),
                "*OPC": lambda _: None,
                "*ESR?": lambda _: str(int(self._result is not None and self._is_over())),
            },
            kind=kind,
            port=port,
            faults=faults,
        )
        self._world = world
        self._time_scale = time_scale
        self._kind = ""
        self._voltage = 0.0
        self._current = 0.0
        self._duration = 0.0
        self._begun = 0.0
        self._result: str | None = None

    def _configure(self, kind: str, parameters: list[str]) -> None:
        self._voltage = number(parameters, 50, 1500)
        self._duration = number(parameters, 0.1, 600, at=1)
        self._kind, self._result = kind, None

    def _configure_quick(self, kind: str) -> None:
        self._kind, self._duration, self._result = kind, 0.2, None

    def _configure_bypass(self, parameters: list[str]) -> None:
        self._current = number(parameters, 0.1, 20)
        self._configure_quick("bypass")

    def _begin(self) -> None:
        if not self._kind:
            raise ScpiRefusal(SETTINGS_CONFLICT)
        if not self._world.door_closed:
            raise ScpiRefusal(INTERLOCK_OPEN)
        self._begun = time.monotonic()
        self._result = self._measured()

    def _abort(self) -> None:
        self._result = None

    def _is_over(self) -> bool:
        return time.monotonic() - self._begun >= self._duration / self._time_scale

    def _measured(self) -> str:
        panel = self._world.panel
        if self._kind == "continuity":
            path = None if panel is None else panel.safety.ground_continuity
            return f"{OVERRANGE if path is None else path:.4E}"
        if self._kind == "bypass":
            drop = math.inf if panel is None else panel.reverse_voltage(current=self._current)
            driven = self._current if drop <= BYPASS_LIMIT else 0.02
            return f"{min(drop, BYPASS_LIMIT):.4E},{driven:.3f}"
        resistance = OVERRANGE if panel is None else panel.safety.insulation_resistance
        if panel is not None and resistance is not None and self._kind == "wet":
            wet = panel.safety.wet_leakage_resistance
            resistance = WET_SHARE * resistance if wet is None else wet
        if resistance is None or resistance > RANGE:
            resistance = OVERRANGE
        voltage = self._voltage * (0.4 if self.faults.take("low_voltage") else 1.004)
        duration = self._duration * (0.5 if self.faults.take("cut_short") else 1.0)
        return f"{resistance:.4E},{voltage:.1f},{duration:.3f}"

    def _fetch(self) -> str:
        if self._result is None or not self._is_over():
            raise ScpiRefusal(NO_DATA)
        return self._result
