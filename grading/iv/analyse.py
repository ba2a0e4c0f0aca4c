"""All that one or many curves say: fit, key figures, steps, translation and findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from grading.errors import CurveError
from grading.iv.diagnose import Case, diagnose
from grading.iv.diode import Diodes, model_key_figures, single_diode_current
from grading.iv.fit import Fits, fit_single_diode
from grading.iv.keyfigures import key_figures
from grading.iv.points import BoolArray
from grading.iv.prepare import Prepared, prepare
from grading.iv.robust import Robust, discount
from grading.iv.standard import Measured, standard_figures, stepped_figures
from grading.iv.steps import SMALLEST_STEP, Steps, find_steps
from grading.iv.translate import BOLTZMANN_PER_CHARGE, ZERO_CELSIUS
from grading.values import (
    BypassSteps,
    Finding,
    FloatArray,
    IVCurve,
    IVResult,
    Nameplate,
    Severity,
    SingleDiode,
    STCFigures,
)

Nameplates = Sequence[Nameplate] | Nameplate | None


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
    results = iter(_refuse_swapped([one for one in ready if isinstance(one, Prepared)]))
    return [next(results) if isinstance(one, Prepared) else one for one in ready]


def _prepared(curve: IVCurve, nameplate: Nameplate) -> Prepared | CurveError:
    try:
        return prepare(curve, nameplate)
    except CurveError as error:
        return error


def _refuse_swapped(prepared: list[Prepared]) -> list[IVResult | CurveError]:
    """Analyse the curves, but for those that fit far better with their columns exchanged."""
    suspects = [k for k, one in enumerate(prepared) if one.current.max() > one.voltage.max()]
    swapped = {suspects[k] for k in np.flatnonzero(_exchange_fits([prepared[k] for k in suspects]))}
    kept = iter(_analyse([one for k, one in enumerate(prepared) if k not in swapped]))
    return [_swapped() if k in swapped else next(kept) for k in range(len(prepared))]


def _exchange_fits(prepared: list[Prepared]) -> BoolArray:
    if not prepared:
        return np.zeros(0, dtype=bool)
    voltages = [one.voltage for one in prepared]
    currents = [one.current for one in prepared]
    tops = np.array([(one.voltage.max(), one.current.max()) for one in prepared]).T
    given = fit_single_diode(voltages, currents).rmse / tops[1]
    exchanged = fit_single_diode(currents, voltages).rmse / tops[0]
    better: BoolArray = (exchanged < given / 3.0) & (given > 1e-3)
    return better


def _swapped() -> CurveError:
    return CurveError(
        "swapped_columns",
        "The curve is that of a module only with voltage and current exchanged.",
        "Exchange the columns.",
    )


def _analyse(prepared: list[Prepared]) -> list[IVResult]:
    if not prepared:
        return []
    voltages = [one.voltage for one in prepared]
    currents = [one.current for one in prepared]
    noises = [one.noise for one in prepared]
    fits = fit_single_diode(voltages, currents)
    robust = discount(voltages, currents, noises, fits)
    steps = _steps(prepared)
    figures = key_figures(*_kept(prepared, robust, steps))
    trusted = _trusted(fits, robust, steps)
    fitted = model_key_figures(trusted)
    stc = _standard(prepared, trusted, fits, steps)
    results = []
    for row, one in enumerate(prepared):
        n_vth = thermal_voltage(one)
        plain = _over_all(fits.one(row, n_vth), one)
        better = robust[row]
        sturdy = None if better is None else better.fits.one(better.row, n_vth)
        case = Case(
            prepared=one,
            model=sturdy or plain,
            measured=figures.one(row),
            fitted=fitted[row],
            stc=stc[row],
            steps=steps[row],
            robust=better,
            knee_points=int(figures.knee_points[row]),
        )
        results.append(_result(case, plain, sturdy))
    return results


def _over_all(model: SingleDiode, one: Prepared) -> SingleDiode:
    """Count the residual over all samples where only averages were fitted."""
    if one.averaged == 1:
        return model
    residual = single_diode_current(one.samples[0], model) - one.samples[1]
    return replace(model, rmse_A=float(np.sqrt(np.mean(residual**2))))


def _steps(prepared: list[Prepared]) -> list[Steps | None]:
    rows = [row for row, one in enumerate(prepared) if not one.dark]
    found = find_steps(
        [prepared[row].voltage for row in rows],
        [prepared[row].current for row in rows],
        [prepared[row].noise for row in rows],
    )
    out: list[Steps | None] = [None] * len(prepared)
    for row, steps in zip(rows, found, strict=True):
        out[row] = steps
    return out


def _kept(
    prepared: list[Prepared], robust: list[Robust | None], steps: list[Steps | None]
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return the samples that key figures are read from: without those found to be off."""
    voltages, currents = [], []
    for one, better, step in zip(prepared, robust, steps, strict=True):
        keep = slice(None) if better is None or step is not None else ~better.bad
        voltages.append(one.voltage[keep])
        currents.append(one.current[keep])
    return voltages, currents


def _trusted(fits: Fits, robust: list[Robust | None], steps: list[Steps | None]) -> Diodes:
    """Return for each curve the diode behind its figures."""
    trusted = fits.diodes.copy()
    for row, (better, step) in enumerate(zip(robust, steps, strict=True)):
        if step is not None:
            trusted.put(row, step.diodes, 0)
        elif better is not None:
            trusted.put(row, better.fits.diodes, better.row)
    return trusted


def _standard(
    prepared: list[Prepared], trusted: Diodes, fits: Fits, steps: list[Steps | None]
) -> list[STCFigures | None]:
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
    counts = np.array([one.voltage.size for one in some])
    # The noise of P_mp from some hundred samples is that of the mean of those around the knee.
    u_p = fits.rmse[rows] / np.maximum(fits.diodes.photocurrent[rows], 1e-12)
    u_p = u_p / np.sqrt(np.maximum(0.2 * counts, 1.0))
    figures = standard_figures(trusted.take(rows), measured, u_p)
    for at, (row, own) in enumerate(zip(rows.tolist(), figures, strict=True)):
        step = steps[row]
        out[row] = own if step is None else stepped_figures(own, step, measured, at)
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
    if (one.nameplate.cells_in_series or 0) <= 0:
        return "the number of cells in series is not known"
    return None


def _result(case: Case, plain: SingleDiode, robust: SingleDiode | None) -> IVResult:
    one = case.prepared
    findings = [*one.findings, *diagnose(case)]
    reason = _untranslatable(one)
    if reason is not None:
        detail = f"The curve was not translated to STC: {reason}."
        findings.append(Finding(code="not_translated", severity=Severity.INFO, detail=detail))
    elif one.nameplate.alpha_sc is None:
        detail = "The temperature coefficient of I_sc is not known; the median of silicon is used."
        findings.append(Finding(code="alpha_assumed", severity=Severity.INFO, detail=detail))
    return IVResult(
        measured=case.measured,
        model=plain,
        steps=_counted(case.steps),
        stc=case.stc,
        findings=tuple(findings),
        curve_id=one.curve.curve_id,
        robust=robust if case.steps is None else None,
    )


def _counted(steps: Steps | None) -> BypassSteps:
    if steps is None:
        return BypassSteps()
    losses = tuple(loss for loss in steps.losses if loss >= SMALLEST_STEP * steps.i_sc)
    return BypassSteps(count=len(losses), current_lost=losses)


def thermal_voltage(one: Prepared) -> float | None:
    """Return N_s k T / q [V], or None where cells or temperature are not known."""
    cells, temperature = one.nameplate.cells_in_series, one.curve.temperature
    if not cells or cells < 0 or temperature is None or not np.isfinite(temperature):
        return None
    return cells * BOLTZMANN_PER_CHARGE * (temperature + ZERO_CELSIUS)
