"""The current source of the EL station; after docs/devices.md.

Its output goes through a contact of the door: nothing flows while it is open. Faults besides
those of every SCPI instrument: ``sticks_on`` (a relay keeps the current on), ``trips``.
"""

from __future__ import annotations

from simulators.faults import Faults
from simulators.scpi import INTERLOCK_OPEN, ScpiInstrument, ScpiRefusal, number
from simulators.wire import WireKind
from simulators.world import World


class SimulatedCurrentSource(ScpiInstrument):
    """The current source."""

    def __init__(
        self,
        world: World,
        faults: Faults | None = None,
        *,
        kind: WireKind = WireKind.TCP,
        port: int = 0,
    ) -> None:
        super().__init__(
            ("Zonkeur", "SimSource 20", "SC-0001", "1.0"),
            {
                "VOLTage": self._set_voltage,
                "VOLTage?": lambda _: f"{self._voltage:.4f}",
                "CURRent": self._set_current,
                "CURRent?": lambda _: f"{self._current:.4f}",
                "OUTPut": self._switch,
                "OUTPut?": lambda _: str(int(self._on and self._world.door_closed)),
                "MEASure:CURRent?": lambda _: f"{self._flowing():.4f}",
                "MEASure:VOLTage?": lambda _: f"{self._across():.4f}",
            },
            kind=kind,
            port=port,
            faults=faults,
        )
        self._world = world
        self._voltage = 0.0
        self._current = 0.0
        self._on = False

    def _set_voltage(self, parameters: list[str]) -> None:
        self._voltage = number(parameters, 0, 120)
        self._drive()

    def _set_current(self, parameters: list[str]) -> None:
        self._current = number(parameters, 0, 20)
        self._drive()

    def _switch(self, parameters: list[str]) -> None:
        wanted = bool(parameters) and parameters[0].upper() in ("ON", "1")
        if wanted and not self._world.door_closed:
            raise ScpiRefusal(INTERLOCK_OPEN)
        self._on = wanted and not self.faults.take("trips")
        self._drive()

    def _drive(self) -> None:
        self._world.injected_current = self._flowing()

    def _flowing(self) -> float:
        """Return what really flows [A]: none without a panel, less at the voltage limit."""
        panel = self._world.panel
        on = self._on or self.faults.take("sticks_on")
        if not on or panel is None or not self._world.door_closed:
            return 0.0
        if panel.forward_voltage(current=self._current) <= self._voltage:
            return self._current
        low, high = 0.0, self._current
        for _ in range(20):
            middle = (low + high) / 2
            within = panel.forward_voltage(current=middle) <= self._voltage
            low, high = (middle, high) if within else (low, middle)
        return low

    def _across(self) -> float:
        current, panel = self._flowing(), self._world.panel
        if panel is None:
            return self._voltage if self._on else 0.0
        return panel.forward_voltage(current=current) if current > 0 else 0.0
