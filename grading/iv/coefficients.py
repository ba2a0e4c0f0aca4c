"""R_s and kappa of a module from sets of its curves, IEC 60891:2021, clauses 5 and 6.

The right value is the one under which translated curves agree best: that of the least relative
spread of P_mp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from grading.errors import CurveError
from grading.iv.keyfigures import key_figures
from grading.iv.translate import Conditions
from grading.values import FloatArray

Translated = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured curve of a set: arrays ``(n,)`` [V], [A]; ``i_sc`` [A]."""

    voltage: FloatArray
    current: FloatArray
    conditions: Conditions
    i_sc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Determined:
    """A coefficient, and the relative spread of P_mp (k = 1) that it leaves."""

    value: float
    spread: float


def determine(
    samples: Sequence[Sample],
    translate: Callable[[Sample, float], Translated],
    *,
    low: float,
    high: float,
) -> Determined:
    """Return the coefficient under which translated curves agree best.

    For ``R_s`` give curves at one temperature and several irradiances, for ``kappa`` at one
    irradiance and several temperatures.

    Args:
        samples: at least three curves.
        translate: brings one curve to common conditions under a value of the coefficient; its
            P_mp must lie within the curve.
        low: least value tried.
        high: largest value tried.

    Raises:
        CurveError: fewer than three curves, or no value in between fits best.
    """
    if len(samples) < 3:
        raise CurveError(
            "too_few_curves",
            f"{len(samples)} curves do not determine a coefficient.",
            "Measure at three or more conditions.",
        )

    def spread(value: float) -> float:
        moved = [translate(sample, value) for sample in samples]
        figures = key_figures([v for v, _ in moved], [i for _, i in moved])
        power = figures.i_mp * figures.v_mp
        return float(np.std(power) / np.mean(power))

    best = minimize_scalar(spread, bounds=(low, high), method="bounded")
    value = float(best.x)
    if min(value - low, high - value) < 1e-3 * (high - low) and low != 0.0:
        raise CurveError(
            "coefficient_at_bound",
            f"The best value {value:.4g} lies at the edge of what was tried.",
            "Check the conditions of the curves.",
        )
    return Determined(value=value, spread=float(best.fun))
