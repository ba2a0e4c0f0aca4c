"""The insulation and continuity tester; after docs/devices.md.

High voltage only with every door closed; a door that opens breaks a test off. The voltage is
raised slowly, and what the panel then holds is drained when the test is over. Faults besides
those of every SCPI instrument: ``low_voltage`` (it does not reach its voltage), ``cut_short``
(it stops early), ``stays_charged`` (the panel keeps its voltage).
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
BYPASS_LIMIT = 12.0  # V, that the source of the bypass test reaches
RAMP = 500.0  # V/s, the fastest that MQT 03 and MQT 15 allow
DRAIN = 0.2  # s, in which the voltage falls to 1/e
QUICK = 0.2  # s, that the tests without high voltage take
OPERATION_COMPLETE, EXECUTION_ERROR = 1, 16  # of the event status register


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
            ("Zonkeur", "SimIso 15", "SI-0001", "1.1"),
            {
                "SYSTem:INTerlock?": lambda _: str(int(self._world.door_closed)),
                "CONFigure:INSulation": lambda p: self._configure("insulation", p),
                "CONFigure:WETleakage": lambda p: self._configure("wet", p),
                "CONFigure:CONTinuity": lambda _: self._configure_quick("continuity"),
                "CONFigure:BYPass": self._configure_bypass,
                "INITiate": lambda _: self._begin(),
                "ABORt": lambda _: self._abort(),
                "MEASure:VOLTage?": lambda _: f"{self.voltage:.1f}",
                "FETCh?": lambda _: self._fetch(),
                "*OPC": lambda _: None,
                "*ESR?": lambda _: self._read_events(),
            },
            kind=kind,
            port=port,
            faults=faults,
        )
        self._world = world
        self._time_scale = time_scale
        self._kind = ""
        self._wanted = 0.0  # V
        self._high = 0.0  # V, of the test that was begun
        self._current = 0.0
        self._duration = 0.0
        self._begun = 0.0
        self._off_at: float | None = 0.0  # None while a test is going on
        self._events = 0
        self._result: str | None = None

    # --- what it is told -------------------------------------------------------------------------

    def _configure(self, kind: str, parameters: list[str]) -> None:
        voltage = number(parameters, 50, 1500)
        duration = number(parameters, 0.1, 600, at=1)
        self._set_up(kind, voltage, duration)

    def _configure_quick(self, kind: str) -> None:
        self._set_up(kind, 0.0, QUICK)

    def _configure_bypass(self, parameters: list[str]) -> None:
        self._current = number(parameters, 0.1, 20)
        self._configure_quick("bypass")

    def _set_up(self, kind: str, voltage: float, duration: float) -> None:
        self._look()
        if self._off_at is None:
            raise ScpiRefusal(SETTINGS_CONFLICT)
        self._kind, self._wanted, self._duration = kind, voltage, duration
        self._result = None

    def _begin(self) -> None:
        if not self._kind:
            raise ScpiRefusal(SETTINGS_CONFLICT)
        if not self._world.door_closed:
            raise ScpiRefusal(INTERLOCK_OPEN)
        self._begun, self._off_at, self._events = self._now, None, 0
        self._high = self._wanted
        self._result = self._measured()

    def _abort(self) -> None:
        self._look()
        if self._off_at is None:
            self._off_at = self._now
        self._result = None

    def _fetch(self) -> str:
        self._look()
        if self._result is None or self._off_at is None:
            raise ScpiRefusal(NO_DATA)
        return self._result

    def _read_events(self) -> str:
        self._look()
        events, self._events = self._events, 0
        return str(events)

    # --- what happens ----------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        return time.monotonic() * self._time_scale

    @property
    def voltage(self) -> float:
        """The voltage [V] between the panel's leads and its frame."""
        self._look()
        end = self._now if self._off_at is None else self._off_at
        reached = min(self._high, RAMP * (end - self._begun))
        if self._off_at is None or self.faults.take("stays_charged"):
            return reached
        return reached * math.exp(-(self._now - end) / DRAIN)

    def _look(self) -> None:
        """End the test where its time is over or a door opened."""
        if self._off_at is not None:
            return
        end = self._begun + self._high / RAMP + self._duration
        if not self._world.door_closed:
            self._off_at, self._result = self._now, None
            self._events |= OPERATION_COMPLETE | EXECUTION_ERROR
            self._errors.append(INTERLOCK_OPEN)
        elif self._now >= end:
            self._off_at = end
            self._events |= OPERATION_COMPLETE

    # --- what it reads ---------------------------------------------------------------------------

    def _measured(self) -> str:
        panel = self._world.panel
        if self._kind == "continuity":
            path = None if panel is None else panel.safety.ground_continuity
            return f"{OVERRANGE if path is None else path:.4E}"
        if self._kind == "bypass":
            drop = math.inf if panel is None else panel.reverse_voltage(current=self._current)
            driven = self._current if drop <= BYPASS_LIMIT else 0.02
            return f"{min(drop, BYPASS_LIMIT):.4E},{driven:.3f}"
        voltage = self._wanted * (0.4 if self.faults.take("low_voltage") else 1.004)
        duration = self._duration * (0.5 if self.faults.take("cut_short") else 1.0)
        return f"{self._resistance():.4E},{voltage:.1f},{duration:.3f}"

    def _resistance(self) -> float:
        """Return the insulation's resistance [MΩ], wet or dry."""
        panel = self._world.panel
        dry = None if panel is None else panel.safety.insulation_resistance
        if panel is None or dry is None:
            return OVERRANGE
        wet = panel.safety.wet_leakage_resistance
        shown = wet if self._kind == "wet" and wet is not None else dry
        return shown if shown <= RANGE else OVERRANGE
