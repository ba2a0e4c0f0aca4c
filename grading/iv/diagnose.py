"""What a curve says about the panel and about its own measurement, as findings with a size.

``ERROR`` means that the measurement is not sound and must be taken again; ``WARNING`` that the
panel shows a fault; ``INFO`` is a note. Limits are relative to the panel at 1000 W/m², so that a
dim measurement is not blamed for the light.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grading.iv.prepare import Prepared
from grading.iv.robust import Robust
from grading.iv.steps import SMALLEST_STEP, Steps
from grading.values import Finding, FloatArray, KeyFigures, Severity, SingleDiode, STCFigures

_SERIES_LIMIT = 0.15  # of V_oc / I_sc at 1000 W/m²; sound modules stand at 0.03 to 0.10
_SHUNT_LIMIT = 0.10  # of I_sc / V_oc at 1000 W/m²; sound modules stand below 0.03
_CURRENT_LOW, _CURRENT_HIGH = 0.93, 1.10  # of the nameplate's I_sc
_VOLTAGE_LOW = 0.95  # of the nameplate's V_oc
_SUBSTRING_TOLERANCE = 0.05  # of V_oc, around a whole number of substrings
# The least ideality of any recombination, Auger's in high injection: Sinton and Swanson, IEEE
# Trans. Electron Devices 34 (1987) 1380. And what a cell of silicon gives, by and large.
_LEAST_IDEALITY = 2.0 / 3.0
_CELL_VOLTAGE = (0.5, 0.8)  # V
_NOISE_LIMIT = 0.02  # of I_sc
_DISAGREE = 0.01  # of P_mp, between practice and fit
_BAD_PART = 0.2  # of the samples
_MISFIT = 0.02  # of I_sc
_DRIFT_LIMIT = 0.005  # of I_sc, over half the sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is known of one curve when it is diagnosed."""

    prepared: Prepared
    model: SingleDiode  # the fit to be trusted: the robust one where there is one
    measured: KeyFigures
    fitted: KeyFigures  # of ``model``
    stc: STCFigures | None
    steps: Steps | None
    robust: Robust | None
    knee_points: int

    @property
    def bright(self) -> float:
        """Return the factor from the measured to the standard irradiance, 1 where unknown."""
        light = self.prepared.irradiance
        return 1000.0 / light if light is not None and light > 50.0 else 1.0

    @property
    def ohm(self) -> float:
        """Return V_oc / I_sc [Ω] at 1000 W/m²."""
        current = max(self.fitted.i_sc * self.bright, 1e-12)
        return max(self.fitted.v_oc, 1e-12) / current


def diagnose(case: Case) -> tuple[Finding, ...]:
    """Return all findings of one curve, the measurement's own first."""
    if case.prepared.dark:
        return (
            _finding("dark_curve", Severity.ERROR, "The module does not generate: a dark curve."),
        )
    return (*_sweep(case), *_samples(case), *_agreement(case), *_faults(case), *_nameplate(case))


def _finding(
    code: str,
    severity: Severity,
    detail: str,
    value: float | None = None,
    unit: str | None = None,
    u: float | None = None,
) -> Finding:
    return Finding(code=code, severity=severity, detail=detail, value=value, unit=unit, u=u)


# --- the measurement -------------------------------------------------------------------------


def _sweep(case: Case) -> Iterator[Finding]:
    """Judge what the sweep covers."""
    voltage, current = case.prepared.voltage, case.prepared.current
    i_sc = max(case.fitted.i_sc, 1e-12)
    ending = float(current[-3:].min()) / i_sc
    if ending > 0.1:
        yield _finding(
            "sweep_ends_early",
            Severity.ERROR,
            "The sweep ends before open circuit.",
            100 * ending,
            "% of I_sc",
        )
    beginning = float(voltage[0]) / max(case.fitted.v_oc, 1e-12)
    if beginning > 0.3:
        yield _finding(
            "sweep_begins_late",
            Severity.ERROR,
            "The sweep begins far from short circuit.",
            100 * beginning,
            "% of V_oc",
        )
    if case.knee_points < 8:
        severity = Severity.ERROR if case.knee_points < 4 else Severity.INFO
        detail = "Few samples lie around maximum power."
        yield _finding("few_points_at_knee", severity, detail, float(case.knee_points), "1")
    light = case.prepared.irradiance
    if light is not None and light < 200.0:
        severity = Severity.ERROR if light < 50.0 else Severity.INFO
        detail = "The irradiance is too low for a certain translation to 1000 W/m²."
        yield _finding("irradiance_low", severity, detail, light, "W/m²")


def _samples(case: Case) -> Iterator[Finding]:
    """Judge the samples themselves."""
    noise = case.prepared.noise / max(case.fitted.i_sc, 1e-12)
    if noise > _NOISE_LIMIT:
        yield _finding(
            "noisy", Severity.ERROR, "The current is too noisy.", 100 * noise, "% of I_sc"
        )
    yield from _lost_contact(case)
    yield from _clipped(case)
    yield from _rising(case)
    if case.robust is not None and case.steps is None:
        count = int(case.robust.bad.sum())
        part = count / case.robust.bad.size
        yield _finding(
            "samples_discounted",
            Severity.ERROR if part > _BAD_PART else Severity.INFO,
            f"{count} of {case.robust.bad.size} samples lie off the curve; the figures at STC "
            "stand on a fit that discounts them.",
            float(count),
            "1",
        )


def _lost_contact(case: Case) -> Iterator[Finding]:
    """Current that vanishes amid a sweep and returns: only a loose contact does that."""
    current = case.prepared.current
    vanished = np.abs(current) < 0.02 * case.fitted.i_sc
    carrying = np.flatnonzero(current > 0.2 * case.fitted.i_sc)
    gaps = int(np.count_nonzero(vanished[: carrying[-1]])) if carrying.size else 0
    if gaps:
        detail = "The current vanished and came back during the sweep."
        yield _finding("contact_lost", Severity.ERROR, detail, float(gaps), "samples")


def _clipped(case: Case) -> Iterator[Finding]:
    """The amplifier's ceiling: one exact value over a wide stretch, and then a sharp corner."""
    voltage, current = case.prepared.voltage, case.prepared.current
    at_top = voltage[current == current.max()]
    wide = float(np.ptp(at_top)) > 0.4 * case.fitted.v_oc
    beyond = case.fitted.i_mp * 1.002 > float(current.max()) or case.model.rmse_A > 0.003 * float(
        current.max()
    )
    if wide and at_top.size >= 8 and beyond:
        detail = "The current stands at one value over much of the sweep: the range was exceeded."
        yield _finding("current_clipped", Severity.ERROR, detail, float(current.max()), "A")


def _rising(case: Case) -> Iterator[Finding]:
    """A module's current never rises with voltage: the light drifted."""
    voltage, current = case.prepared.voltage, case.prepared.current
    flat = (voltage > 0.08 * case.fitted.v_oc) & (voltage < 0.6 * case.fitted.v_oc)
    if np.count_nonzero(flat) < 8:
        return
    x, y = voltage[flat] - voltage[flat].mean(), current[flat]
    spread = float(x @ x)
    slope = float(x @ y) / spread
    rise = slope * 0.52 * case.fitted.v_oc / max(case.fitted.i_sc, 1e-12)
    u = case.prepared.noise / np.sqrt(spread) * 0.52 * case.fitted.v_oc / case.fitted.i_sc
    if rise > max(0.003, 5 * u):
        severity = Severity.ERROR if rise > _DRIFT_LIMIT else Severity.INFO
        detail = "The current rises with the voltage: the light drifted during the sweep."
        yield _finding("light_drifted", severity, detail, 100 * rise, "% of I_sc", 100 * float(u))


def _agreement(case: Case) -> Iterator[Finding]:
    """Judge whether practice and model agree, and whether the model fits at all."""
    if not case.model.converged:
        yield _finding("fit_not_converged", Severity.ERROR, "The single-diode fit did not settle.")
    if case.steps is not None:
        return
    top = max(case.fitted.i_sc, 1e-12)
    spread = case.robust.scale if case.robust is not None else case.model.rmse_A
    if spread > max(_MISFIT * top, 3 * case.prepared.noise):
        yield _finding(
            "not_a_module",
            Severity.ERROR,
            "No model of a module fits the curve.",
            100 * spread / top,
            "% of I_sc",
        )
    difference = case.measured.p_mp / case.fitted.p_mp - 1.0 if case.fitted.p_mp > 0 else 0.0
    if abs(difference) > max(_DISAGREE, 3 * case.prepared.noise / top):
        severity = Severity.ERROR if abs(difference) > 3 * _DISAGREE else Severity.INFO
        detail = "P_mp by ASTM E1036 practice differs from that of the fit."
        yield _finding("key_figures_disagree", severity, detail, 100 * difference, "%")


# --- the panel -------------------------------------------------------------------------------


def _faults(case: Case) -> Iterator[Finding]:
    """Steps, limiting cells, series resistance and shunt."""
    if case.steps is not None:
        yield from _steps(case.steps)
    else:
        yield from _limited(case)
    covariance = np.asarray(case.model.covariance) if case.model.covariance else np.zeros((5, 5))
    relative = case.model.resistance_series / case.ohm
    if relative > _SERIES_LIMIT:
        yield _finding(
            "series_resistance_high",
            Severity.WARNING,
            f"The series resistance takes about {100 * relative:.0f}% of the power at 1000 W/m².",
            case.model.resistance_series,
            "Ω",
            float(np.sqrt(covariance[2, 2])),
        )
    shunt = case.model.resistance_shunt
    if case.steps is None and case.ohm / shunt > _SHUNT_LIMIT:
        u = float(np.sqrt(covariance[3, 3])) * shunt**2
        detail = "The shunt resistance is low: PID, or shunted cells."
        yield _finding("shunt_low", Severity.WARNING, detail, shunt, "Ω", u)


def _steps(steps: Steps) -> Iterator[Finding]:
    for loss, u, place in zip(steps.losses, steps.u, steps.places, strict=True):
        counted = loss >= SMALLEST_STEP * steps.i_sc
        yield _finding(
            "bypass_step" if counted else "substring_mismatch",
            Severity.WARNING if counted else Severity.INFO,
            f"Substrings hand over to their bypass diodes near {place:.1f} V.",
            loss,
            "A",
            u,
        )


def _limited(case: Case) -> Iterator[Finding]:
    """A knee sharper than any diode's: weak cells limit the current, and no bypass diode helps.

    The others then work near their own open circuit, so that the curve is nearly square. Where
    the weak cell's bypass diode conducts, there is a step instead. So either that diode is open,
    or every substring has such a cell, so that no handover lies between 0 V and V_oc. An open
    diode of a module whose cells are alike carries nothing in such a sweep and cannot be seen.
    """
    n, cells = case.model.n, case.prepared.nameplate.cells_in_series
    if n is None or not cells:
        return
    low, high = _CELL_VOLTAGE
    u = n * float(np.sqrt(case.model.covariance[4][4])) if case.model.covariance else 0.0
    if low < case.fitted.v_oc / cells < high and n + 3.0 * u < _LEAST_IDEALITY:
        yield _finding(
            "current_limited",
            Severity.WARNING,
            "The knee is sharper than any diode's: weak cells limit the current and no bypass "
            "diode takes over. A bypass diode is open, or every substring has a weak cell.",
            n,
            "1",
            u,
        )


def _nameplate(case: Case) -> Iterator[Finding]:
    """Compare with the maker's figures, where both are known."""
    plate, stc = case.prepared.nameplate, case.stc
    if stc is None:
        return
    if plate.v_oc:
        yield from _voltage(stc, plate.v_oc)
    if plate.i_sc:
        ratio, u = stc.i_sc / plate.i_sc, (stc.u_i_sc or 0.0) / plate.i_sc
        if ratio < _CURRENT_LOW:
            detail = "I_sc is low: soiling, browning, delamination, or a wrong irradiance."
            yield _finding(
                "current_low", Severity.WARNING, detail, 100 * ratio, "% of nameplate", 100 * u
            )
        elif ratio > _CURRENT_HIGH:
            detail = (
                "I_sc is beyond what the module can give: the irradiance or the label is wrong."
            )
            yield _finding(
                "current_implausible",
                Severity.ERROR,
                detail,
                100 * ratio,
                "% of nameplate",
                100 * u,
            )


def _voltage(stc: STCFigures, rated: float) -> Iterator[Finding]:
    """V_oc down by whole substrings (of two or three), or smoothly."""
    ratio, u = stc.v_oc / rated, (stc.u_v_oc or 0.0) / rated
    remaining: FloatArray = np.array([2 / 3, 1 / 3, 1 / 2])
    nearest = float(remaining[np.abs(remaining - ratio).argmin()])
    if abs(ratio - nearest) < _SUBSTRING_TOLERANCE:
        yield _finding(
            "substring_missing",
            Severity.WARNING,
            f"V_oc lacks {1 - nearest:.0%}: a shorted bypass diode or an open substring.",
            100 * ratio,
            "% of nameplate",
            100 * u,
        )
    elif ratio < _VOLTAGE_LOW:
        detail = "V_oc is low: degradation by light or potential, or a wrong temperature."
        yield _finding(
            "voltage_low", Severity.WARNING, detail, 100 * ratio, "% of nameplate", 100 * u
        )
    elif ratio > 1.1:
        detail = "V_oc is beyond what the module can give: the temperature or the label is wrong."
        yield _finding(
            "voltage_implausible", Severity.ERROR, detail, 100 * ratio, "% of nameplate", 100 * u
        )
