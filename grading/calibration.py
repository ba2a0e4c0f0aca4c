"""Which calibration was valid when a panel was measured, and what it does to the readings.

Evidence holds readings as the instruments gave them. A calibration is applied when the evidence is
judged, so that a corrected certificate can be taken into account a year later, and the verdict
names what it stood on. A register keeps every calibration that ever was: it only grows.

References:
    ISO/IEC 17025:2017, 6.4.13 (records of equipment) and 6.5 (metrological traceability).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from grading.uncertainty import Budget
from grading.values import (
    CalibrationKind,
    CalibrationUse,
    ELImage,
    Evidence,
    ImageArray,
    IVCurve,
    SafetyRecord,
)

T = TypeVar("T")

_FRAMES = (CalibrationKind.DARK_FRAME, CalibrationKind.FLAT_FIELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One calibration of one instrument or artefact, valid in ``[valid_from, valid_until)``.

    The true reading is ``gain`` × shown + ``offset``, in the unit of what the kind reads:
    W/m² (monitor cell), °C (temperature sensor), V, A, MΩ (insulation). ``u`` is its relative
    standard uncertainty (k = 1); it takes the place of the budget's line ``component``.
    Times without a zone are UTC.
    """

    id: str
    kind: CalibrationKind
    instrument: str  # serial of the instrument or artefact
    certificate: str
    issued_by: str
    valid_from: datetime
    valid_until: datetime
    traceable_to: str | None = None  # id of the calibration that it rests on
    gain: float = 1.0
    offset: float = 0.0
    u: float | None = None  # 1, relative
    component: str | None = None
    max_flashes: int | None = None  # the lamp's count at which it is worn
    k1: float | None = None  # radial lens term, see ``grading.el.lens``
    frame: str | None = None  # file of the dark or flat frame
    sha256: str | None = None  # of that file

    def __post_init__(self) -> None:
        for name in ("valid_from", "valid_until"):
            object.__setattr__(self, name, _in_utc(getattr(self, name)))

    @property
    def digest(self) -> str:
        """SHA-256 of all that the record says: a changed record no longer is the one named."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """All calibrations of a site, and the kinds that an instrument of each role must have."""

    calibrations: tuple[Calibration, ...] = ()
    required: Mapping[str, tuple[CalibrationKind, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Valid:
    """The calibrations valid for one measurement.

    ``applied`` are those of its own instruments, by role and kind; ``used`` are these and what
    they are traceable to. ``fault`` is ``none``, or the kind and what is wrong with it, such as
    ``lamp_worn``.
    """

    applied: Mapping[tuple[str, CalibrationKind], Calibration] = field(default_factory=dict)
    used: tuple[Calibration, ...] = ()
    fault: str = "none"

    def named(self) -> tuple[CalibrationUse, ...]:
        """Return how a verdict names them."""
        return tuple(
            CalibrationUse(
                id=c.id,
                kind=c.kind,
                instrument=c.instrument,
                certificate=c.certificate,
                valid_until=c.valid_until.isoformat(),
                digest=c.digest,
            )
            for c in self.used
        )


def valid_for(evidence: Evidence, register: Register) -> Valid:
    """Return the calibrations of the evidence's instruments that were valid when it was measured.

    Of several of one kind the one that began last counts. A required kind that is missing,
    expired, or worn by flashes is a fault; where the time of measurement is unknown, nothing can
    be said to have been valid.
    """
    if evidence.measured_at is None:
        wanted = any(register.required.get(i.role) for i in evidence.instruments)
        return Valid(fault="measured_at_unknown" if wanted else "none")
    at = _in_utc(datetime.fromisoformat(evidence.measured_at))
    applied: dict[tuple[str, CalibrationKind], Calibration] = {}
    wanting = []
    for instrument in evidence.instruments:
        required = register.required.get(instrument.role, ())
        for kind in CalibrationKind:
            found = _last(register, instrument.serial, kind, at)
            fault = _fault(found, at, evidence.lamp_flashes)
            if found is not None and fault is None:
                applied[instrument.role, kind] = found
            elif kind in required:
                wanting.append(f"{kind.value}_{fault}")
    used = {c.id: c for first in applied.values() for c in _chain(first, register)}
    return Valid(
        applied=applied, used=tuple(used.values()), fault=wanting[0] if wanting else "none"
    )


def _last(
    register: Register, serial: str, kind: CalibrationKind, at: datetime
) -> Calibration | None:
    begun = (
        c
        for c in register.calibrations
        if c.instrument == serial and c.kind is kind and c.valid_from <= at
    )
    return max(begun, key=lambda c: c.valid_from, default=None)


def _fault(found: Calibration | None, at: datetime, flashes: int | None) -> str | None:
    if found is None:
        return "missing"
    if at >= found.valid_until:
        return "expired"
    worn = found.max_flashes is not None and flashes is not None and flashes > found.max_flashes
    return "worn" if worn else None


def _chain(first: Calibration, register: Register) -> Iterator[Calibration]:
    left = {c.id: c for c in register.calibrations}
    link: Calibration | None = first
    while link is not None:
        yield link
        link = left.pop(link.traceable_to or "", None)


def state_at(calibration: Calibration, register: Register, at: datetime) -> str:
    """Return ``valid``, ``expired``, ``not_yet``, or ``superseded`` by a later one."""
    at = _in_utc(at)
    if at < calibration.valid_from:
        return "not_yet"
    if _last(register, calibration.instrument, calibration.kind, at) is not calibration:
        return "superseded"
    return "expired" if at >= calibration.valid_until else "valid"


# --- what a calibration does -----------------------------------------------------------------


def corrected(evidence: Evidence, valid: Valid, frames: Mapping[str, ImageArray]) -> Evidence:
    """Return the evidence with its readings corrected.

    Args:
        evidence: as measured. Its own dark or flat frame goes before the register's.
        valid: the calibrations to apply.
        frames: pixels of the register's frames, by the calibration's id. A frame of another size
            than the picture is left out.
    """
    return replace(
        evidence,
        curves=tuple(_corrected_curve(curve, valid) for curve in evidence.curves),
        image=None if evidence.image is None else _corrected_image(evidence.image, valid, frames),
        safety=None if evidence.safety is None else _corrected_safety(evidence.safety, valid),
    )


def _true(calibration: Calibration | None, shown: T) -> T:
    if calibration is None or shown is None:
        return shown
    return calibration.gain * shown + calibration.offset  # type: ignore[operator,return-value]


def _corrected_curve(curve: IVCurve, valid: Valid) -> IVCurve:
    by_kind = {kind: c for (role, kind), c in valid.applied.items() if role == "tester"}
    return replace(
        curve,
        voltage=_true(by_kind.get(CalibrationKind.VOLTAGE), curve.voltage),
        current=_true(by_kind.get(CalibrationKind.CURRENT), curve.current),
        irradiance=_true(by_kind.get(CalibrationKind.MONITOR_CELL), curve.irradiance),
        temperature=_true(by_kind.get(CalibrationKind.TEMPERATURE_SENSOR), curve.temperature),
    )


def _corrected_safety(safety: SafetyRecord, valid: Valid) -> SafetyRecord:
    tester = valid.applied.get(("insulation", CalibrationKind.INSULATION))
    return replace(
        safety,
        insulation_resistance=_true(tester, safety.insulation_resistance),
        wet_leakage_resistance=_true(tester, safety.wet_leakage_resistance),
    )


def _corrected_image(image: ELImage, valid: Valid, frames: Mapping[str, ImageArray]) -> ELImage:
    def frame(kind: CalibrationKind) -> ImageArray | None:
        calibration = valid.applied.get(("camera", kind))
        found = None if calibration is None else frames.get(calibration.id)
        return found if found is not None and found.shape == image.pixels.shape else None

    source = valid.applied.get(("source", CalibrationKind.CURRENT))
    lens = valid.applied.get(("camera", CalibrationKind.CAMERA_GEOMETRY))
    return replace(
        image,
        lens_k1=image.lens_k1 if lens is None else lens.k1,
        current=_true(source, image.current),
        dark=frame(CalibrationKind.DARK_FRAME) if image.dark is None else image.dark,
        flat=frame(CalibrationKind.FLAT_FIELD) if image.flat is None else image.flat,
    )


def budget_under(valid: Valid, budget: Budget) -> Budget:
    """Return the budget with the lines that the calibrations speak of set to their ``u``."""
    stated = {c.component: c.u for c in valid.used if c.component is not None and c.u is not None}
    components = tuple(replace(c, u=stated.get(c.name, c.u)) for c in budget.components)
    return replace(budget, components=components)


# --- what can be wrong with a register ---------------------------------------------------------


def faults(register: Register, budget: Budget) -> Iterator[str]:
    """Yield what is wrong with a register, in plain words."""
    by_id = {c.id: c for c in register.calibrations}
    lines = {component.name for component in budget.components}
    if len(by_id) < len(register.calibrations):
        yield "two calibrations have the same id"
    for c in register.calibrations:
        if c.valid_until <= c.valid_from:
            yield f"calibration {c.id} ends before it begins"
        if not (math.isfinite(c.gain) and c.gain > 0):
            yield f"calibration {c.id} has the gain {c.gain:g}; it must be positive"
        if c.kind in _FRAMES and (c.frame is None or c.sha256 is None):
            yield f"calibration {c.id} names no frame with its sha256"
        if c.kind is CalibrationKind.CAMERA_GEOMETRY and c.k1 is None:
            yield f"calibration {c.id} gives no k1"
        if c.component is not None and c.component not in lines:
            yield f"calibration {c.id} names {c.component!r}, which is no line of the budget"
        if c.traceable_to is not None:
            yield from _chain_faults(c, by_id)


def _chain_faults(c: Calibration, by_id: Mapping[str, Calibration]) -> Iterator[str]:
    rests_on = by_id.get(c.traceable_to or "")
    if rests_on is None:
        yield f"calibration {c.id} is traceable to {c.traceable_to!r}, which is not in the register"
    elif not rests_on.valid_from <= c.valid_from < rests_on.valid_until:
        yield f"calibration {c.id} was made when {rests_on.id} was not valid"


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
