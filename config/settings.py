"""What a site can set of its station: the line's own behaviour, how it measures, its devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.catalog import create
from station.cabinet import Devices, MeasurementSettings
from station.station import StationOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSettings:
    """The contents of ``station.toml``.

    ``devices`` has a table per role; its ``kind`` chooses the driver, and the rest are that
    driver's own settings.
    """

    station: StationOptions = field(default_factory=StationOptions)
    measurement: MeasurementSettings = field(default_factory=MeasurementSettings)
    devices: Mapping[str, dict[str, Any]] = field(default_factory=dict)


def build_devices(settings: StationSettings) -> Devices:
    """Make the driver of every device.

    Raises:
        EvidenceError: a role or kind is unknown, or a setting is missing or wrong.
    """
    drivers = {role: create(role, table) for role, table in settings.devices.items()}
    return Devices(**drivers)
