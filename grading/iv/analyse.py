"""All that one or many curves say: fit, key figures, steps, translation and findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grading.errors import CurveError
from grading.iv.diode import Diodes
from grading.iv.fit import Fits, fit_single_diode
from grading.iv.keyfigures import key_figures
from grading.iv.prepare import Prepared, prepare
from grading.iv.standard import Measured, standard_figures
from grading.iv.translate import ZERO_CELSIUS
from grading.values import (
    BypassSteps,
    Finding,
    FloatArray,
    IVCurve,
    IVResult,
    KeyFigures,
    Nameplate,
    Severity,
    STCFigures,
)

Nameplates = Sequence[Nameplate] | Nameplate | None
# k / q [V/K], CODATA 2018.
BOLTZMANN_PER_CHARGE = 1.380649e-23 / 1.602176634e-19


def analyse(
    curves: Sequence[IVCurve], nameplates: Nameplates = None
) -> list[IVResult | CurveError]:
    """Analyse curves, each on its own, all in one batch.

    Args:
        curves: any number, of any lengths.
        nameplates: one for each curve, one for all, or None. ``cells_in_series``, ``alpha_sc``
            and the reference values are used where known.

    Returns:
        In order, the result of each curve, or the error that says why it cannot be judged. A
        curve that fails never touches another.
    """
    if nameplates is None or isinstance(nameplates, Nameplate):
        nameplates = [nameplates or Nameplate()] * len(curves)
    ready = [_prepared(*pair) for pair in zip(curves, nameplates, strict=True)]
    results = iter(_analyse([one for one in ready if isinstance(one, Prepared)]))
    return [next(results) if isinstance(one, Prepared) else one for one in ready]


def _prepared(curve: IVCurve, nameplate: Nameplate) -> Prepared | CurveError:
    try:
        return prepare(curve, nameplate)
    except CurveError as error:
        return error


def _analyse(prepared: list[Prepared]) -> list[IVResult]:
    if not prepared:
        return []
    voltages = [one.voltage for one in prepared]
    currents = [one.current for one in prepared]
    fits = fit_single_diode(voltages, currents)
    figures = key_figures(voltages, currents)
    stc = _standard(prepared, fits)
    return [_result(one, fits, row, figures.one(row), stc[row]) for row, one in enumerate(prepared)]


def _standard(prepared: list[Prepared], fits: Fits) -> list[STCFigures | None]:
    rows = np.array(
        [row for row, one in enumerate(prepared) if not _untranslatable(one)], dtype=np.intp
    )
    out: list[STCFigures | None] = [None] * len(prepared)
    if rows.size == 0:
        return out
    some = [prepared[row] for row in rows]
    measured = Measured(
        irradiance=_column([one.irradiance for one in some]),
        temperature=_column([one.curve.temperature for one in some]),
        cells=_column([one.nameplate.cells_in_series for one in some]),
        alpha=_column([one.nameplate.alpha_sc for one in some]),
    )
    diodes: Diodes = fits.diodes.take(rows)
    u_p = fits.rmse[rows] / np.maximum(diodes.photocurrent, 1e-12)
    for row, figures in zip(rows, standard_figures(diodes, measured, u_p), strict=True):
        out[row] = figures
    return out


def _column(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else float(value) for value in values])


def _untranslatable(one: Prepared) -> str | None:
    """Return why a curve cannot be brought to STC, or None where it can."""
    if one.dark:
        return "it is a dark curve"
    if one.irradiance is None:
        return "its irradiance is not known"
    if one.irradiance < 50.0:
        return f"an irradiance of {one.irradiance:.4g} W/m² is too low"
    if one.curve.temperature is None or not np.isfinite(one.curve.temperature):
        return "its cell temperature is not known"
    if one.nameplate.cells_in_series is None:
        return "the number of cells in series is not known"
    return None


def _result(
    one: Prepared, fits: Fits, row: int, measured: KeyFigures, stc: STCFigures | None
) -> IVResult:
    findings = list(one.findings)
    reason = _untranslatable(one)
    if reason is not None:
        findings.append(
            Finding(
                code="not_translated",
                severity=Severity.INFO,
                detail=f"The curve was not translated to STC: {reason}.",
            )
        )
    return IVResult(
        measured=measured,
        model=fits.one(row, thermal_voltage(one)),
        steps=BypassSteps(),
        stc=stc,
        findings=tuple(findings),
        curve_id=one.curve.curve_id,
    )


def thermal_voltage(one: Prepared) -> float | None:
    """Return N_s k T / q [V], or None where cells or temperature are not known."""
    cells, temperature = one.nameplate.cells_in_series, one.curve.temperature
    if cells is None or temperature is None or not np.isfinite(temperature):
        return None
    return cells * BOLTZMANN_PER_CHARGE * (temperature + ZERO_CELSIUS)
