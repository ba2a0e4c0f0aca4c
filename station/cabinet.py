"""What is done to a panel in the closed cabinet: one function a phase, one device role each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from drivers.errors import InterlockOpen
from drivers.roles import (
    CurrentSource,
    Device,
    ELCamera,
    FlashSetup,
    FlashTester,
    InsulationTester,
    LabelPrinter,
    Scanner,
    WashLine,
)
from grading.values import ELImage, ImageArray, Instrument, IVCurve, Nameplate, SafetyRecord
from station.ports import SafetyTest


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """The devices of one line. Those that may be None are not on every line."""

    washer: WashLine
    tester: FlashTester
    camera: ELCamera
    source: CurrentSource
    intake_scanner: Scanner
    cabinet_scanner: Scanner
    insulation: InsulationTester | None = None
    printer: LabelPrinter | None = None

    def all(self) -> dict[str, Device]:
        """Return every device there is, by its role."""
        roles = {slot: getattr(self, slot) for slot in self.__slots__}
        return {role: device for role, device in roles.items() if device is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSettings:
    """How a panel is measured."""

    flash: FlashSetup = field(default_factory=FlashSetup)
    el_exposure: float = 2.0  # s
    el_current_default: float = 8.0  # A, where the nameplate gives no i_sc
    el_current_ratio: float = 1.0  # of the nameplate's i_sc
    el_voltage_limit: float = 60.0  # V
    insulation_voltage: float = 1000.0  # V; IEC 61215-2 MQT 03: 500 V or the system voltage
    insulation_duration: float = 120.0  # s; IEC 61215-2 MQT 03: two minutes
    wet_leakage_duration: float = 0.0  # s; MQT 15: two minutes; 0: the line cannot wet a panel
    bypass_current_ratio: float = 1.0  # of the nameplate's i_sc; 0: the tester has no such function
    scan_timeout: float = 20.0  # s


class ScanBuffer:
    """The codes of one scanner, as they come; old ones can be thrown away."""

    def __init__(self) -> None:
        self._codes: asyncio.Queue[str] = asyncio.Queue()

    async def fill(self, scans: AsyncIterator[str]) -> None:
        """Take codes until the scanner ends or fails."""
        async for code in scans:
            self._codes.put_nowait(code)

    def flush(self) -> None:
        """Forget what was scanned before."""
        while not self._codes.empty():
            self._codes.get_nowait()

    async def next(self, timeout: float) -> str | None:  # noqa: ASYNC109
        """Return the next code, or None where none came in ``timeout`` [s]."""
        try:
            async with asyncio.timeout(timeout):
                return await self._codes.get()
        except TimeoutError:
            return None


async def measure_safety(
    tester: InsulationTester,
    plate: Nameplate,
    settings: MeasurementSettings,
    begins: Callable[[SafetyTest], None],
) -> SafetyRecord:
    """Measure ground path, insulation dry and wet, and bypass diodes; raises DeviceError.

    The ground path comes first: over a frame that does not conduct any insulation looks sound.
    ``begins`` is told each test before it.
    """
    begins(SafetyTest.GROUND)
    continuity = await tester.continuity()
    voltage = plate.max_system_voltage or settings.insulation_voltage
    begins(SafetyTest.INSULATION)
    dry = await tester.insulation(voltage=voltage, duration=settings.insulation_duration)
    current = (plate.i_sc or settings.el_current_default) * settings.bypass_current_ratio
    wet = bypass = None
    if settings.wet_leakage_duration > 0:
        begins(SafetyTest.WET_LEAKAGE)
        wet = await tester.wet_leakage(voltage=voltage, duration=settings.wet_leakage_duration)
    if settings.bypass_current_ratio > 0:
        begins(SafetyTest.BYPASS_DIODES)
        bypass = await tester.bypass(current=current)
    return SafetyRecord(
        insulation_resistance=dry.resistance,
        wet_leakage_resistance=wet.resistance if wet else None,
        test_voltage=dry.test_voltage,
        duration=dry.duration,
        ground_continuity=continuity,
        bypass_voltage=bypass.voltage if bypass else None,
        bypass_current=bypass.current if bypass else None,
        bypass_test_current=current if bypass else None,
    )


async def flash(
    tester: FlashTester, settings: MeasurementSettings, panel_id: str
) -> tuple[IVCurve, ...]:
    """Flash the panel; raises InterlockOpen with any door open, and other DeviceErrors.

    ``panel_id`` is the barcode that was read in the cabinet; without one the tester refuses.
    """
    await require_safe(tester)
    return await tester.flash(settings.flash, panel_id=panel_id)


async def photograph(
    devices: Devices,
    plate: Nameplate,
    settings: MeasurementSettings,
    dark: ImageArray | None,
    now: Callable[[], str],
) -> ELImage:
    """Drive current through the panel and take its picture; the current is off afterwards.

    A ``dark`` frame of another size than the picture is left out. Raises DeviceError.
    """
    await require_safe(devices.tester)
    wanted = (plate.i_sc or settings.el_current_default) * settings.el_current_ratio
    try:
        reading = await devices.source.inject(
            current=wanted, voltage_limit=settings.el_voltage_limit
        )
        image = await devices.camera.capture(exposure=settings.el_exposure)
    finally:
        await devices.source.off()
    fits = dark is not None and dark.shape == image.pixels.shape
    return replace(
        image,
        current=reading.current,
        captured_at=image.captured_at or now(),
        dark=dark if fits and image.dark is None else image.dark,
    )


async def require_safe(tester: FlashTester) -> None:
    """Raise InterlockOpen unless door and safety circuit are closed."""
    interlock = await tester.interlock()
    if not interlock.safe:
        what = "door" if not interlock.door_closed else "safety circuit"
        raise InterlockOpen(tester.name, f"The {what} is open.", "Close the cabinet.")


def instruments_used(
    known: dict[str, Instrument], roles: tuple[str, ...]
) -> tuple[Instrument, ...]:
    """Return the instruments that stand behind a measurement."""
    return tuple(known[role] for role in roles if role in known)
