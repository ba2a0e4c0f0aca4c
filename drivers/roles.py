"""Every device of the line, as the station knows it: one small ``Protocol`` each.

Verbs are idempotent: calling one twice leaves the device as calling it once. Every verb may
raise a :class:`drivers.errors.DeviceError`; none returns a value it does not trust.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

from grading.values import ELImage, ImageArray, Instrument, IVCurve


class Device(Protocol):
    """What every device can do."""

    name: str

    async def connect(self) -> Instrument:
        """Open the link, and return who answers. Does nothing when already connected."""
        ...

    async def close(self) -> None:
        """Leave the device safe and let go of the link. Does nothing when not connected."""
        ...


# --- the wash line ---------------------------------------------------------------------------


class Zone(StrEnum):
    """Zones of the wash line, in the order in which a panel passes them."""

    INFEED = "infeed"
    WASH = "wash"
    RINSE = "rinse"
    DRY = "dry"
    OUTFEED = "outfeed"


class WashState(IntEnum):
    """State of the washer's own controller, after PackML (ISA-TR88.00.02)."""

    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15
    COMPLETING = 16
    COMPLETE = 17


class WashCommand(IntEnum):
    """Commands of the washer's controller; PackML numbers, and one of our line's own."""

    RESET = 1
    START = 2
    STOP = 3
    HOLD = 4
    UNHOLD = 5
    ABORT = 8
    CLEAR = 9
    RELEASE = 20  # let the panel at the outfeed go on into the cabinet


@dataclass(frozen=True, slots=True, kw_only=True)
class WashStatus:
    """One consistent snapshot of the washer."""

    state: WashState
    presence: Mapping[Zone, bool]
    emergency_stop: bool
    alarms: tuple[str, ...]
    speed: float  # m/min
    spray_pressure: float  # bar
    water_temperature: float  # °C
    conductivity: float  # µS/cm, of the re-used water
    tank_level: float  # %
    brush_current: float  # A
    dryer_temperature: float  # °C
    panels_washed: int


class WashLine(Device, Protocol):
    """The washer conveyor."""

    async def status(self) -> WashStatus:
        """Read one snapshot; raises ProtocolError where it is stale, torn or out of range."""
        ...

    async def command(self, command: WashCommand) -> None:
        """Give a command and return when the washer says that it is done."""
        ...

    async def set_speed(self, speed: float) -> None:
        """Set the conveyor's speed [m/min]; the value is read back."""
        ...


# --- the cabinet -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Interlock:
    """Whether it is safe to flash, as the tester's own safety circuit says."""

    door_closed: bool
    circuit_closed: bool
    lamp_ready: bool
    lamp_flashes: int

    @property
    def safe(self) -> bool:
        """Whether door and circuit are both closed."""
        return self.door_closed and self.circuit_closed


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashSetup:
    """What to flash. ``both_directions`` asks for an up and a down sweep."""

    irradiance: float = 1000.0  # W/m²
    points: int = 200
    both_directions: bool = True
    v_max: float = 60.0  # V
    i_max: float = 15.0  # A


class FlashTester(Device, Protocol):
    """The sun simulator with its electronic load."""

    async def interlock(self) -> Interlock:
        """Read the safety circuit."""
        ...

    async def flash(self, setup: FlashSetup, *, panel_id: str) -> tuple[IVCurve, ...]:
        """Flash the identified panel once per sweep and return the raw curves.

        Raises InterlockOpen when not safe, and DeviceRefused for a lamp that is not ready and
        for a panel that was not identified.
        """
        ...


class ELCamera(Device, Protocol):
    """The camera of the EL station."""

    async def capture(self, *, exposure: float) -> ELImage:
        """Take one picture with ``exposure`` [s]; settings are stored with it."""
        ...

    async def dark_frame(self, *, exposure: float) -> ImageArray:
        """Take one picture with no current injected, for correction."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """What the current source really delivers."""

    current: float  # A
    voltage: float  # V
    enabled: bool


class CurrentSource(Device, Protocol):
    """The supply that makes the panel glow."""

    async def inject(self, *, current: float, voltage_limit: float) -> SourceReading:
        """Drive ``current`` [A] forward, at most ``voltage_limit`` [V]; returns the reading."""
        ...

    async def off(self) -> None:
        """Switch the output off, and check that it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InsulationReading:
    """One insulation measurement."""

    resistance: float  # MΩ
    test_voltage: float  # V
    duration: float  # s


@dataclass(frozen=True, slots=True, kw_only=True)
class BypassReading:
    """What the bypass diodes take; less ``current`` than asked for means the voltage limit.

    ``voltage`` is infinite where it is above the range.
    """

    voltage: float  # V
    current: float  # A


class InsulationTester(Device, Protocol):
    """The tester of electrical safety: insulation, ground path, bypass diodes."""

    async def insulation(self, *, voltage: float, duration: float) -> InsulationReading:
        """Insulation resistance between the shorted leads and the frame (MQT 03)."""
        ...

    async def wet_leakage(self, *, voltage: float, duration: float) -> InsulationReading:
        """Insulation resistance of the wet panel (MQT 15)."""
        ...

    async def continuity(self) -> float:
        """Resistance of the frame's ground path [Ω]."""
        ...

    async def bypass(self, *, current: float) -> BypassReading:
        """Voltage at ``current`` [A] driven backwards through the panel in the dark (MQT 18.2)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What goes on the panel when it leaves."""

    panel_id: str
    title: str
    lines: tuple[str, ...] = field(default=())


class Scanner(Device, Protocol):
    """A barcode scanner."""

    def scans(self) -> AsyncIterator[str]:
        """Yield each code as it is read, without its terminator, for ever."""
        ...


class LabelPrinter(Device, Protocol):
    """The label printer."""

    async def print(self, label: Label) -> None:
        """Print one label and return when the printer has taken it."""
        ...
