"""From a curve as measured to one that can be fitted, or the reason why it cannot.

Nothing is repaired in silence: what was left out, averaged or corrected becomes a finding, and
what would have to be guessed (swapped columns, a reversed sign, milliamperes) an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.errors import CurveError
from grading.values import Finding, FloatArray, IVCurve, Nameplate, Severity

_RETEST = "Check contacts and wiring, and measure again."
_FEWEST = 8  # samples: five parameters, and something left to judge them by
_MOST = 16_384  # samples that are fitted; more are averaged in groups of neighbours
_LARGEST_CURRENT = 60.0  # A; three times the largest module on the market
_LARGEST_REVERSE = 600.0  # A, through a module in forward bias
_LARGEST_VOLTAGE = 3000.0  # V; twice the largest system voltage
_OVERFLOW = 9.9e37  # what SCPI-99 (7.2.1) shows for infinity: no reading
_MISSING_TOLERATED = 0.05  # part of the samples
# Long-term instability of class A and C flashers, IEC 60904-9:2020, table 1. Where samples could
# not be corrected, the short-term instability of class A is all that a curve may have.
_UNSTABLE_WARNING, _UNSTABLE_ERROR, _UNSTABLE_RAW = 0.02, 0.10, 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A curve in order of voltage, with its mean irradiance and what was noticed on the way."""

    curve: IVCurve
    nameplate: Nameplate
    voltage: FloatArray  # V, ascending
    current: FloatArray  # A, at the sweep's mean irradiance
    irradiance: float | None  # W/m², mean
    noise: float  # A, standard deviation of one sample's current
    averaged: int  # samples per group
    samples: tuple[FloatArray, FloatArray]  # V, A; the same before averaging
    dark: bool
    findings: tuple[Finding, ...]


def prepare(curve: IVCurve, nameplate: Nameplate) -> Prepared:
    """Clean, order and check one curve.

    Raises:
        CurveError: the data is not a curve of a module; ``code`` says why.
    """
    voltage, current, light, findings = _finite(curve)
    _check_span(voltage, current)
    order = np.argsort(voltage, kind="stable")
    voltage, current = voltage[order], current[order]
    light = None if light is None else light[order]
    _check_scale(voltage, current, nameplate)
    dark = _check_polarity(voltage, current)
    mean = None if light is None else float(light.mean())
    if light is not None and not dark:
        current, notes = _steady(current, light, voltage)
        findings += notes
    samples = (voltage, current)
    groups = -(-voltage.size // _MOST)
    if groups > 1:
        voltage, current = _averaged(voltage, groups), _averaged(current, groups)
        findings.append(
            Finding(
                code="samples_averaged",
                severity=Severity.INFO,
                detail=f"Groups of {groups} neighbouring samples were averaged before the fit.",
                value=float(groups),
                unit="1",
            )
        )
    return Prepared(
        curve=curve,
        nameplate=nameplate,
        voltage=voltage,
        current=current,
        irradiance=mean,
        noise=sample_noise(voltage, current),
        averaged=groups,
        samples=samples,
        dark=dark,
        findings=tuple(findings),
    )


def sample_noise(voltage: FloatArray, current: FloatArray) -> float:
    """Return the standard deviation [A] of one sample from its two neighbours' straight line.

    A median over the samples, so that steps and outliers do not count; on a bent stretch the
    line misses by less than the noise wherever the sweep is dense enough to be judged.
    """
    if voltage.size < 5:
        return 0.0
    left, right = voltage[1:-1] - voltage[:-2], voltage[2:] - voltage[1:-1]
    span = left + right
    usable = span > 0
    part = left[usable] / span[usable]
    middle = (1 - part) * current[:-2][usable] + part * current[2:][usable]
    miss = (current[1:-1][usable] - middle) / np.sqrt(1 + (1 - part) ** 2 + part**2)
    return float(1.4826 * np.median(np.abs(miss))) if miss.size else 0.0


def _finite(
    curve: IVCurve,
) -> tuple[FloatArray, FloatArray, FloatArray | None, list[Finding]]:
    sound = _is_reading(curve.voltage) & _is_reading(curve.current)
    light = curve.irradiance
    if light is not None and light.size not in (1, sound.size):
        raise CurveError(
            "irradiance_length",
            f"There are {light.size} irradiances for {sound.size} samples.",
            "Give one irradiance, or one for each sample.",
        )
    if light is not None:
        light = np.broadcast_to(light, sound.shape)
        # A monitor that gives no number at some samples cannot correct those: leave them out.
        light = light if _is_reading(light).any() else None
        sound = sound if light is None else sound & _is_reading(light)
    kept, total = int(np.count_nonzero(sound)), sound.size
    if kept < _FEWEST:
        raise CurveError(
            "too_few_points",
            f"The curve has {kept} usable samples of {total}; at least {_FEWEST} are needed.",
            "Measure again with more samples.",
        )
    findings = [] if kept == total else [_missing(total - kept, total)]
    light = None if light is None else light[sound]
    return curve.voltage[sound], curve.current[sound], light, findings


def _is_reading(values: FloatArray) -> NDArray[np.bool_]:
    """Whether each value is a number that some instrument could have shown (NaN is not)."""
    return np.asarray(np.abs(values) < _OVERFLOW)


def _missing(lost: int, total: int) -> Finding:
    serious = lost > _MISSING_TOLERATED * total
    return Finding(
        code="samples_missing",
        severity=Severity.ERROR if serious else Severity.INFO,
        detail=f"{lost} of {total} samples hold no number and were left out.",
        value=float(lost),
        unit="1",
    )


def _check_span(voltage: FloatArray, current: FloatArray) -> None:
    largest = float(np.abs(current).max())
    if largest < 1e-9:
        raise CurveError("no_current", "Every current is zero.", _RETEST)
    if np.ptp(voltage) < 1e-3 or np.unique(voltage).size < 5:
        raise CurveError("constant_voltage", "The voltage hardly changes over the sweep.", _RETEST)
    if np.ptp(current) < 1e-6 * largest:
        raise CurveError("constant_current", "The current does not change over the sweep.", _RETEST)


def _check_polarity(voltage: FloatArray, current: FloatArray) -> bool:
    """Return whether the curve is dark; raise where it cannot be a generating module's."""
    top = float(np.abs(current).max())
    reach = float(np.abs(voltage).max())
    if voltage[-1] < 0.05 * reach:
        raise CurveError(
            "reversed_voltage",
            "The voltages are negative.",
            "Connect the leads the right way round, or reverse the sign of the voltage column.",
        )
    near = np.abs(voltage) <= max(0.15 * reach, float(np.abs(voltage).min()) * 1.0001)
    short = float(np.median(current[near]))
    if short < -0.3 * top or (short < -0.02 * top and current[-1] > short + 0.5 * abs(short)):
        raise CurveError(
            "reversed_current",
            "The current is negative where the module should generate.",
            "Connect the leads the right way round, or reverse the sign of the current column.",
        )
    dark = bool(short < 0.02 * top and current[-1] < -0.5 * top)
    if not dark and not np.any((current > 0.02 * top) & (voltage > 0.0)):
        raise CurveError("no_power", "No sample has both voltage and current.", _RETEST)
    return dark


def _check_scale(voltage: FloatArray, current: FloatArray, nameplate: Nameplate) -> None:
    top = float(current.max())
    ratio = top / nameplate.i_sc if nameplate.i_sc else None
    if (ratio is not None and ratio > 100.0) or top > _LARGEST_CURRENT:
        raise CurveError(
            "milliamperes",
            f"A current of {top:.4g} A is beyond any module's; it looks like milliamperes.",
            "Give the current in amperes.",
        )
    if -float(current.min()) > _LARGEST_REVERSE or float(np.abs(voltage).max()) > _LARGEST_VOLTAGE:
        raise CurveError(
            "implausible_values",
            f"{np.abs(voltage).max():.4g} V and {current.min():.4g} A are beyond any module's.",
            "Check the units of both columns.",
        )
    cells = nameplate.cells_in_series
    if cells and float(voltage.max()) > 1.6 * cells:
        raise CurveError(
            "voltage_implausible",
            f"{voltage.max():.4g} V is beyond what {cells} cells in series can give.",
            "Check the number of cells, and that the voltage is in volts.",
        )


def _steady(
    current: FloatArray, light: FloatArray, voltage: FloatArray
) -> tuple[FloatArray, list[Finding]]:
    """Bring each sample to the sweep's mean irradiance (IEC 60904-1; domain sheet, monitor)."""
    mean = float(light.mean())
    if mean <= 0.0 or np.ptp(light) <= 1e-6 * abs(mean):
        return current, []
    if light.min() <= 0.1 * mean:
        raise CurveError(
            "irradiance_lost",
            f"The monitor cell fell to {light.min():.4g} W/m² during the sweep.",
            "Check the flash and the monitor cell, and measure again.",
        )
    spread = float((light.max() - light.min()) / (light.max() + light.min()))
    steady = at_irradiance(voltage, current, light, mean)
    if steady is None:
        return current, [_not_corrected(spread)]
    return steady, [_instability(spread)]


def at_irradiance(
    voltage: FloatArray, current: FloatArray, light: FloatArray | float, target: float
) -> FloatArray | None:
    """Bring each sample from its irradiance to ``target`` [W/m²] (IEC 60891:2021, eq. for I).

    Adds ``I_sc (G_target / G - 1)``, with the I_sc that the module has at the sample's own G.
    Returns None where no sample lies near enough to short circuit to say what that is.
    """
    inner = voltage <= 0.2 * voltage.max()
    if not inner.any():
        return None
    own = np.broadcast_to(light, current.shape)
    short = float(np.median(current[inner] * (target / own[inner])))
    return np.asarray(current + short * (1.0 - own / target), dtype=np.float64)


def _not_corrected(spread: float) -> Finding:
    severe = spread > _UNSTABLE_RAW
    return Finding(
        code="flash_unstable" if severe else "irradiance_not_corrected",
        severity=Severity.ERROR if severe else Severity.INFO,
        detail="The sweep has no samples near short circuit, so none could be corrected to the "
        "mean irradiance.",
        value=100.0 * spread,
        unit="%",
    )


def _instability(spread: float) -> Finding:
    severity = Severity.INFO
    if spread > _UNSTABLE_WARNING:
        severity = Severity.ERROR if spread > _UNSTABLE_ERROR else Severity.WARNING
    return Finding(
        code="flash_unstable" if spread > _UNSTABLE_WARNING else "irradiance_corrected",
        severity=severity,
        detail="Each sample was corrected to the mean irradiance of the sweep.",
        value=100.0 * spread,
        unit="%",
    )


def _averaged(values: FloatArray, size: int) -> FloatArray:
    starts = np.arange(0, values.size, size)
    counts = np.diff(np.append(starts, values.size))
    return np.asarray(np.add.reduceat(values, starts) / counts, dtype=np.float64)
