"""The whole line, simulated: every device on its own wire, and one panel after the other.

    async with SimulatedLine(panels) as line:
        line.addresses            # where each device listens
        panel = line.present()    # the next panel stands at the intake, its barcode is scanned
        line.load()               # it is put on the infeed
        line.carry_away()         # it is taken out of the cabinet, or from the intake

Devices share one :class:`simulators.world.World`, as real ones share a room; the panel that the
washer releases is in the cabinet, and its barcode is read there.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Protocol

from simulators.camera import SimulatedCamera
from simulators.current_source import SimulatedCurrentSource
from simulators.faults import Faults
from simulators.flash import SimulatedFlashTester
from simulators.insulation import SimulatedInsulationTester
from simulators.printer import SimulatedPrinter
from simulators.scanner import SimulatedScanner
from simulators.washer import SimulatedWasher
from simulators.world import TruePanel, World

DOOR = 2.0  # s, that the cabinet's door takes to close


class Simulated(Protocol):
    """What every simulated device can do."""

    async def start(self) -> str:
        """Listen, and return the address."""
        ...

    async def stop(self) -> None:
        """Let go of the wire."""
        ...


class SimulatedLine:
    """All devices of one line, or those of some ``roles``, and the panels on it.

    Faults of the line itself: ``wrong_barcode`` makes the cabinet's scanner read another panel's
    label, ``no_barcode`` none; ``door_blocked`` keeps the cabinet's door from closing (once: for
    as long again as it takes).
    """

    def __init__(
        self,
        panels: Iterator[TruePanel],
        drop: Path,
        *,
        time_scale: float = 1.0,
        roles: tuple[str, ...] | None = None,
    ) -> None:
        self.world = World()
        self.faults = Faults()
        self._panels = panels
        self._at_intake: TruePanel | None = None
        self._time_scale = time_scale
        self._closing: asyncio.TimerHandle | None = None
        register_map = tomllib.loads(
            (resources.files("config") / "devices" / "washer.toml").read_text(encoding="utf-8")
        )
        self.washer = SimulatedWasher(register_map, time_scale=time_scale)
        self.washer.on_released = self._enter_cabinet
        self.washer.may_release = lambda: self.world.panel is None
        self.tester = SimulatedFlashTester(self.world)
        self.source = SimulatedCurrentSource(self.world)
        self.insulation = SimulatedInsulationTester(self.world, time_scale=time_scale)
        self.camera = SimulatedCamera(self.world, drop)
        self.intake_scanner = SimulatedScanner()
        self.cabinet_scanner = SimulatedScanner()
        self.printer = SimulatedPrinter()
        self._devices: dict[str, Simulated] = {
            "washer": self.washer,
            "tester": self.tester,
            "source": self.source,
            "insulation": self.insulation,
            "camera": self.camera,
            "intake_scanner": self.intake_scanner,
            "cabinet_scanner": self.cabinet_scanner,
            "printer": self.printer,
        }
        if roles is not None:
            self._devices = {role: self._devices[role] for role in roles}
        self.addresses: dict[str, str] = {}

    async def __aenter__(self) -> SimulatedLine:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start every device."""
        for role, device in self._devices.items():
            self.addresses[role] = await device.start()

    async def stop(self) -> None:
        """Stop every device."""
        if self._closing is not None:
            self._closing.cancel()
        await asyncio.gather(*(device.stop() for device in self._devices.values()))

    # --- what people do at the line ------------------------------------------------------------

    @property
    def at_intake(self) -> TruePanel | None:
        """Return the panel that stands at the intake."""
        return self._at_intake

    def present(self) -> TruePanel:
        """Stand the next panel at the intake and scan its barcode."""
        if self._at_intake is None:
            self._at_intake = next(self._panels)
        self.scan_intake()
        return self._at_intake

    def scan_intake(self) -> None:
        """Scan the panel at the intake once more."""
        if self._at_intake is not None:
            self.intake_scanner.emit(self._at_intake.panel_id)

    def load(self) -> bool:
        """Put the panel from the intake on the infeed; False where there is no room."""
        if self._at_intake is None or not self.washer.infeed_free:
            return False
        self.washer.load(self._at_intake)
        self._at_intake = None
        return True

    def carry_away(self, panel_id: str) -> None:
        """Take a panel out of the cabinet, or from the intake."""
        if self.world.panel is not None and self.world.panel.panel_id == panel_id:
            self.world.door_closed = False  # until the next panel is in
            self.world.panel = None
        elif self._at_intake is not None and self._at_intake.panel_id == panel_id:
            self._at_intake = None

    def place_in_cabinet(self) -> TruePanel:
        """Put the next panel straight into the cabinet, as an integrator does by hand."""
        self.world.panel = next(self._panels)
        return self.world.panel

    def scan_cabinet(self) -> None:
        """Read the barcode of the panel in the cabinet."""
        if self.world.panel is None or self.faults.take("no_barcode"):
            return
        wrong = self.faults.take("wrong_barcode")
        self.cabinet_scanner.emit("ZK99999999" if wrong else self.world.panel.panel_id)

    def _enter_cabinet(self, panel: TruePanel) -> None:
        """Let the panel in; the door closes behind it, and then its barcode is read."""
        self.world.door_closed = False
        self.world.panel = panel
        self._close_later()

    def _close_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(DOOR / self._time_scale, self._close_door)

    def _close_door(self) -> None:
        if self.faults.take("door_blocked"):
            self._close_later()
            return
        self.world.door_closed = True
        self.scan_cabinet()
