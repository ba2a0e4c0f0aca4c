"""The values that flow through the house: what was measured, found, and decided.

Every value is frozen, and every array in it is made read-only, so a value can be shared
between threads and its hash can be trusted. Units stand behind each field. A quantity that
was not measured is ``None``; it is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
ImageArray: TypeAlias = NDArray[np.uint16]
Point: TypeAlias = tuple[float, float]


class Outcome(StrEnum):
    """What a rule, and in the end the verdict, says of a panel."""

    PASS = "pass"
    REJECT = "reject"
    RETEST = "retest"
    HOLD = "hold"


class Severity(StrEnum):
    """How much a finding of an analysis matters to whoever reads it."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Sweep(StrEnum):
    """Direction of the voltage during a sweep: up from short circuit, or down to it."""

    UP = "up"
    DOWN = "down"


def read_only(array: FloatArray) -> FloatArray:
    """Return ``array`` as a contiguous float64 array that nobody can write to."""
    frozen = np.array(array, dtype=np.float64, order="C", copy=True)
    frozen.setflags(write=False)
    return frozen


# --- the panel -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    """What the maker says of the module, at standard test conditions.

    ``alpha_sc`` [A/K], ``beta_voc`` [V/K], ``gamma_pmp`` [1/K]; ``area`` [m²];
    ``cell_rows`` × ``cell_columns`` is the layout as seen with the long side horizontal.
    """

    maker: str | None = None
    model: str | None = None
    p_mp: float | None = None  # W
    i_sc: float | None = None  # A
    v_oc: float | None = None  # V
    i_mp: float | None = None  # A
    v_mp: float | None = None  # V
    alpha_sc: float | None = None  # A/K
    beta_voc: float | None = None  # V/K
    gamma_pmp: float | None = None  # 1/K
    cells_in_series: int | None = None
    cell_rows: int | None = None
    cell_columns: int | None = None
    area: float | None = None  # m²
    max_system_voltage: float | None = None  # V
    year: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelIdentity:
    """Which panel this is. ``panel_id`` is our barcode; the maker's serial is an attribute."""

    panel_id: str
    serial: str | None = None
    lot: str | None = None
    nameplate: Nameplate = field(default_factory=Nameplate)


# --- what was measured -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class IVCurve:
    """One sweep of a module or cell, as measured.

    All arrays have shape ``(n,)``. ``irradiance`` [W/m²] is the monitor cell's reading at each
    sample, or None; ``temperature`` [°C] is the cell temperature, or None; ``time`` [s].
    """

    voltage: FloatArray  # V
    current: FloatArray  # A, positive when generating
    irradiance: FloatArray | None = None  # W/m²
    temperature: float | None = None  # °C
    time: FloatArray | None = None  # s
    sweep: Sweep | None = None
    curve_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("voltage", "current", "irradiance", "time"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, read_only(array))
        if self.voltage.shape != self.current.shape or self.voltage.ndim != 1:
            raise ValueError(
                f"voltage {self.voltage.shape} and current {self.current.shape} must be "
                "one-dimensional and of the same length"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ELImage:
    """One electroluminescence photograph.

    ``pixels`` is uint16, shape ``(height, width)``; 8-bit sources are scaled up by 257.
    ``dark`` and ``flat`` are frames of the same shape, or None. ``captured_at`` is ISO 8601 UTC.
    """

    pixels: ImageArray
    dark: ImageArray | None = None
    flat: ImageArray | None = None
    exposure: float | None = None  # s
    current: float | None = None  # A, injected
    captured_at: str | None = None
    lens_k1: float | None = None  # calibrated radial term, see ``grading.el.lens``

    def __post_init__(self) -> None:
        for name in ("pixels", "dark", "flat"):
            array = getattr(self, name)
            if array is None:
                continue
            if array.dtype != np.uint16 or array.ndim != 2:
                raise ValueError(f"{name} must be a uint16 image of one channel")
            if array.shape != self.pixels.shape:
                raise ValueError(f"{name} {array.shape} differs from pixels {self.pixels.shape}")
            view = array.view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyRecord:
    """Electrical safety as measured (IEC 61215-2 MQT 03, MQT 15 and MQT 18.2).

    ``bypass_voltage`` at ``bypass_current``, driven backwards through the panel in the dark: the
    forward voltage of its bypass diodes in series. Less current than ``bypass_test_current``, that
    was asked for, means that the source reached its voltage limit. ``bypass_diodes_ok``: what
    somebody or a tester judged instead.
    """

    insulation_resistance: float | None = None  # MΩ
    wet_leakage_resistance: float | None = None  # MΩ
    test_voltage: float | None = None  # V
    duration: float | None = None  # s
    ground_continuity: float | None = None  # Ω
    bypass_voltage: float | None = None  # V
    bypass_current: float | None = None  # A
    bypass_test_current: float | None = None  # A
    bypass_diodes_ok: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualRecord:
    """What the operator saw at intake: reject-list codes such as ``back_sheet_damaged``."""

    defects: tuple[str, ...] = ()
    inspector: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A device as it identified itself, and the certificate under which it measured."""

    role: str
    maker: str
    model: str
    serial: str
    firmware: str
    calibration: str | None = None


class CalibrationKind(StrEnum):
    """What a calibration is of."""

    REFERENCE_MODULE = "reference_module"
    MONITOR_CELL = "monitor_cell"
    TEMPERATURE_SENSOR = "temperature_sensor"
    VOLTAGE = "voltage"
    CURRENT = "current"
    LAMP = "lamp"
    INSULATION = "insulation"
    DARK_FRAME = "dark_frame"
    FLAT_FIELD = "flat_field"
    CAMERA_GEOMETRY = "camera_geometry"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationUse:
    """A calibration that a verdict stands on; ``digest`` is of all that its record said."""

    id: str
    kind: CalibrationKind
    instrument: str
    certificate: str
    valid_until: str  # ISO 8601 UTC
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHash:
    """One file of the evidence, named by its content."""

    name: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of one inspection before anybody judges it."""

    inspection_id: str
    panel: PanelIdentity
    curves: tuple[IVCurve, ...] = ()
    image: ELImage | None = None
    safety: SafetyRecord | None = None
    visual: VisualRecord | None = None
    instruments: tuple[Instrument, ...] = ()
    measured_at: str | None = None  # ISO 8601 UTC
    identity_confirmed: bool | None = None  # the cabinet's scan against the tracking
    lamp_flashes: int | None = None  # that the lamp had made when the panel was measured
    files: tuple[FileHash, ...] = ()


# --- what was found --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something an analysis saw in a measurement, with its size.

    ``u`` is the standard uncertainty of ``value`` (k = 1), in ``unit``.
    """

    code: str
    severity: Severity
    detail: str
    value: float | None = None
    unit: str | None = None
    u: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigures:
    """The key figures of one curve (IEC 60904-1)."""

    i_sc: float  # A
    v_oc: float  # V
    i_mp: float  # A
    v_mp: float  # V
    p_mp: float  # W
    fill_factor: float  # 1


@dataclass(frozen=True, slots=True, kw_only=True)
class STCFigures:
    """Key figures at 1000 W/m², 25 °C, AM1.5G, with standard uncertainties (k = 1)."""

    i_sc: float  # A
    v_oc: float  # V
    i_mp: float  # A
    v_mp: float  # V
    p_mp: float  # W
    fill_factor: float  # 1
    u_p_mp: float | None = None  # W
    u_i_sc: float | None = None  # A
    u_v_oc: float | None = None  # V
    u_fill_factor: float | None = None  # 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleDiode:
    """Parameters of the single-diode model, with pvlib's names, at the measured conditions.

    ``resistance_shunt`` may be infinite. ``rmse_A`` is that of the current of the exact model at
    the measured voltages, over all points. ``covariance`` is of (photocurrent, log of
    saturation_current, resistance_series, 1/resistance_shunt, log of nNsVth), 5 × 5.
    """

    photocurrent: float  # A
    saturation_current: float  # A
    resistance_series: float  # Ω
    resistance_shunt: float  # Ω
    nNsVth: float  # noqa: N815  # V
    n: float | None  # 1, None where the number of cells or the temperature is unknown
    rmse_A: float  # noqa: N815  # A
    converged: bool
    covariance: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BypassSteps:
    """Steps that conducting bypass diodes leave in a curve."""

    count: int = 0
    current_lost: tuple[float, ...] = ()  # A, one per affected substring group


@dataclass(frozen=True, slots=True, kw_only=True)
class IVResult:
    """What one curve says. ``stc`` is None where the conditions do not allow a translation.

    ``model`` is the least-squares fit of all samples alike. Where some samples had to be
    discounted, ``robust`` is the fit that does so, and what ``stc`` stands on.
    """

    measured: KeyFigures
    model: SingleDiode | None
    steps: BypassSteps
    stc: STCFigures | None
    findings: tuple[Finding, ...] = ()
    curve_id: str | None = None
    robust: SingleDiode | None = None


class CellClass(StrEnum):
    """The dominant condition of a cell in its EL image (crack modes after Köntges)."""

    SOUND = "sound"
    CRACK_A = "crack_A"
    CRACK_B = "crack_B"
    CRACK_C = "crack_C"
    DARK = "dark"
    SHUNT = "shunt"
    FINGER = "finger_interruption"
    CONTACT = "contact"


@dataclass(frozen=True, slots=True, kw_only=True)
class ELLayout:
    """Cells of the module, long side horizontal; ``busbars`` is None where not countable."""

    rows: int
    columns: int
    busbars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ELQuality:
    """Image quality after IEC TS 60904-13."""

    sharpness: float  # 1
    snr: float  # 1
    saturated_fraction: float  # 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Crack:
    """One crack as a polyline in image pixels."""

    points: tuple[Point, ...]
    length: float  # fraction of the cell's side
    crosses_busbar: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ELCell:
    """One cell. ``polygon`` is its outline in the raw image: 4 points, clockwise, in pixels.

    ``inactive_areas`` are the outlines of what is cut off or dark, each in image pixels.
    """

    row: int
    column: int
    polygon: tuple[Point, ...]
    defect_probability: float
    cell_class: CellClass
    inactive_fraction: float
    crack_length_fraction: float
    relative_intensity: float
    cracks: tuple[Crack, ...] = ()
    inactive_areas: tuple[tuple[Point, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ELResult:
    """What one EL image says. ``corners``: of the cell area, clockwise from its top left."""

    layout: ELLayout
    corners: tuple[Point, Point, Point, Point]
    quality: ELQuality
    cells: tuple[ELCell, ...]
    findings: tuple[Finding, ...] = ()


# --- what was decided ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFinding:
    """One rule applied to one value: the line of a verdict that somebody can argue with."""

    rule: str
    feature: str
    value: float | str | bool | None
    expanded_uncertainty: float | None  # k = 2, in ``unit``
    unit: str | None
    limit: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualValue:
    """What the panel is still worth, and against what."""

    amount: float  # in ``currency``
    currency: str
    power: float  # W, at STC
    nameplate_ratio: float | None  # p_mp over nameplate p_mp
    age_ratio: float | None  # p_mp over what its age predicts
    price_list: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSource:
    """The rule file that a verdict was made under."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeReport:
    """The verdict on one inspection: scalars only; arrays are named by their hash."""

    inspection_id: str
    panel: PanelIdentity
    measured_at: str | None
    verdict: Outcome
    grade: str | None
    destination: str
    reasons: tuple[str, ...]
    findings: tuple[RuleFinding, ...]
    value: ResidualValue | None
    iv: IVResult | None
    el: ELResult | None
    rules: RuleSource
    evidence: tuple[FileHash, ...]
    instruments: tuple[Instrument, ...]
    software_version: str
    calibrations: tuple[CalibrationUse, ...] = ()
