"""Up and down sweeps of one flash: capacitive hysteresis found, and corrected or refused.

A cell's charge follows the voltage with a current ``C(V) dV/dt``. It is missing on the way up
and returned on the way down, so half way between both lies the steady curve, to first order. The
size is that of the powers, ``h = (P_down - P_up) / mean``: up to 0.5% it is of no account, up to
2% the mean is taken with a standard uncertainty ``|h| / (2 sqrt 3)``, beyond that it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grading.errors import CurveError
from grading.iv.keyfigures import key_figures
from grading.iv.prepare import Prepared, at_irradiance, prepare
from grading.values import Finding, FloatArray, IVCurve, Nameplate, Severity, read_only

NEGLIGIBLE, LARGEST = 0.005, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The steady curve, or None where the hysteresis is too large to correct."""

    curve: IVCurve | None
    hysteresis: float  # (P_down - P_up) / mean
    u_p_rel: float  # standard uncertainty that it adds to P_mp, relative
    findings: tuple[Finding, ...]


def hysteresis(up: IVCurve, down: IVCurve) -> Combined:
    """Combine both sweeps into one curve, at the voltages of the up sweep that both cover.

    Each sample is first brought to the mean irradiance of both sweeps. The findings are that of
    the hysteresis and those of either sweep, an unstable flash for instance.

    Raises:
        CurveError: a sweep is no curve, or the two do not overlap.
    """
    first, second = prepare(up, Nameplate()), prepare(down, Nameplate())
    light = _mean(first.irradiance, second.irradiance)
    v_up, i_up = _brought(first, light)
    v_down, i_down = _brought(second, light)
    low, high = max(v_up[0], v_down[0]), min(v_up[-1], v_down[-1])
    inside = (v_up >= low) & (v_up <= high)
    if v_up.size < 8 or v_down.size < 8 or np.count_nonzero(inside) < 8:
        raise CurveError(
            "sweeps_do_not_match",
            "The up and down sweeps share too small a range of voltage.",
            "Measure both over the same range.",
        )
    figures = key_figures([v_up, v_down], [i_up, i_down])
    p_up, p_down = (figures.i_mp * figures.v_mp).tolist()
    size = (p_down - p_up) / (0.5 * (p_up + p_down))
    u = 0.0 if abs(size) <= NEGLIGIBLE else abs(size) / (2.0 * np.sqrt(3.0))
    findings = (_finding(size, u), *_worst(first.findings, second.findings))
    if abs(size) > LARGEST:
        return Combined(curve=None, hysteresis=size, u_p_rel=u, findings=findings)
    voltage = v_up[inside]
    steady = 0.5 * (i_up[inside] + np.interp(voltage, v_down, i_down))
    curve = IVCurve(
        voltage=read_only(voltage),
        current=read_only(steady),
        irradiance=None if light is None else np.full(voltage.size, light),
        temperature=_mean(up.temperature, down.temperature),
        curve_id=up.curve_id,
    )
    return Combined(curve=curve, hysteresis=size, u_p_rel=u, findings=findings)


def _brought(sweep: Prepared, light: float | None) -> tuple[FloatArray, FloatArray]:
    """Bring a sweep, each sample already at its mean irradiance, to that of both."""
    voltage, current = sweep.voltage, sweep.current
    if light is not None and sweep.irradiance is not None and sweep.irradiance > 0.0:
        same = at_irradiance(voltage, current, sweep.irradiance, light)
        current = current if same is None else same
    # Equal voltages would make the interpolation ambiguous.
    voltage, first = np.unique(voltage, return_index=True)
    return voltage, current[first]


def _worst(first: Sequence[Finding], second: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return what was noticed in either sweep, each kind once, at its larger size."""
    worst: dict[str, Finding] = {}
    for finding in (*first, *second):
        known = worst.get(finding.code)
        if known is None or (finding.value or 0.0) > (known.value or 0.0):
            worst[finding.code] = finding
    return tuple(worst.values())


def _finding(size: float, u: float) -> Finding:
    severity = Severity.INFO if abs(size) <= LARGEST else Severity.ERROR
    if abs(size) <= NEGLIGIBLE:
        detail = "Up and down sweeps agree; their mean was taken."
    elif abs(size) <= LARGEST:
        detail = "Capacitive hysteresis was corrected by the mean of both sweeps."
    else:
        detail = "Capacitive hysteresis is too large to correct: sweep more slowly."
    return Finding(
        code="hysteresis" if severity is Severity.INFO else "hysteresis_too_large",
        severity=severity,
        detail=detail,
        value=100.0 * size,
        unit="%",
        u=100.0 * u,
    )


def _mean(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else 0.5 * (first + second)
