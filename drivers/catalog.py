"""Every kind of device that a station can be given, with its settings: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from drivers.camera_folder import CameraFolder, CameraFolderSettings
from drivers.camera_video import CameraVideo, CameraVideoSettings
from drivers.current_source_scpi import CurrentSourceScpi, CurrentSourceScpiSettings
from drivers.flash_scpi import FlashScpi, FlashScpiSettings
from drivers.insulation_scpi import InsulationScpi, InsulationScpiSettings
from drivers.label_zpl import LabelZpl, LabelZplSettings
from drivers.roles import (
    CurrentSource,
    Device,
    ELCamera,
    FlashTester,
    InsulationTester,
    LabelPrinter,
    Scanner,
    WashLine,
)
from drivers.scanner_keyboard import ScannerKeyboard, ScannerKeyboardSettings
from drivers.scanner_serial import ScannerSerial, ScannerSerialSettings
from drivers.wash_modbus import WashModbus, WashModbusSettings
from evidence.errors import EvidenceError

D = TypeVar("D", bound=Device, covariant=True)


@dataclass(frozen=True, slots=True)
class Kind(Generic[D]):
    """One kind of device: its settings, and its driver, which fills a role."""

    settings: type[BaseModel]
    driver: Callable[[Any], D]

    def make(self, table: Mapping[str, Any]) -> D:
        """Return the driver; raises pydantic's ValidationError."""
        return self.driver(self.settings.model_validate(dict(table)))


# The annotations make mypy check that each driver fills its role.
WASHERS: Mapping[str, Kind[WashLine]] = {
    "wash_modbus": Kind(WashModbusSettings, WashModbus),
}
TESTERS: Mapping[str, Kind[FlashTester]] = {
    "flash_scpi": Kind(FlashScpiSettings, FlashScpi),
}
CAMERAS: Mapping[str, Kind[ELCamera]] = {
    "camera_folder": Kind(CameraFolderSettings, CameraFolder),
    "camera_video": Kind(CameraVideoSettings, CameraVideo),
}
SOURCES: Mapping[str, Kind[CurrentSource]] = {
    "current_source_scpi": Kind(CurrentSourceScpiSettings, CurrentSourceScpi),
}
INSULATION_TESTERS: Mapping[str, Kind[InsulationTester]] = {
    "insulation_scpi": Kind(InsulationScpiSettings, InsulationScpi),
}
SCANNERS: Mapping[str, Kind[Scanner]] = {
    "scanner_serial": Kind(ScannerSerialSettings, ScannerSerial),
    "scanner_keyboard": Kind(ScannerKeyboardSettings, ScannerKeyboard),
}
PRINTERS: Mapping[str, Kind[LabelPrinter]] = {
    "label_zpl": Kind(LabelZplSettings, LabelZpl),
}

# Which kinds fit each place in the line.
PLACES: Mapping[str, Mapping[str, Kind[Device]]] = {
    "washer": WASHERS,
    "tester": TESTERS,
    "camera": CAMERAS,
    "source": SOURCES,
    "insulation": INSULATION_TESTERS,
    "intake_scanner": SCANNERS,
    "cabinet_scanner": SCANNERS,
    "printer": PRINTERS,
}
CATALOG: Mapping[str, Kind[Device]] = {
    name: kind for kinds in PLACES.values() for name, kind in kinds.items()
}


def create(place: str, table: Mapping[str, Any]) -> Any:
    """Make the driver for a place in the line out of its configuration.

    Args:
        place: such as ``tester``; the device's name where ``table`` gives none.
        table: ``kind``, and the settings of that kind.

    Raises:
        EvidenceError: the place is unknown, or no such kind fits it, or a setting is missing,
            unknown or wrong.
    """
    if place not in PLACES:
        raise _wrong(place, f"there is no such device; there are {', '.join(PLACES)}")
    kind = PLACES[place].get(str(table.get("kind")))
    if kind is None:
        raise _wrong(place, f"kind {table.get('kind')!r} is none of {', '.join(PLACES[place])}")
    try:
        return kind.make({"name": place, **table})
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise _wrong(place, "; ".join(problems)) from error


def _wrong(place: str, what: str) -> EvidenceError:
    return EvidenceError(
        "device_settings", f"[devices.{place}] is wrong: {what}.", "Correct station.toml."
    )
