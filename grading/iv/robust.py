"""The fit that bad samples do not draw: weights, never deletion.

Iteratively reweighted least squares with Cauchy's weights, ``1 / (1 + (r / 2.385 s)^2)``, which
are 95% efficient on clean data (Holland and Welsch, Commun. Stat. A6 (1977) 813).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grading.iv.diode import single_diode_current
from grading.iv.fit import Fits, fit_single_diode
from grading.iv.points import BoolArray
from grading.values import FloatArray

_CAUCHY = 2.385
_ROUNDS = 6
_FAR = 6.0  # robust standard deviations
_VISIBLE = 0.003  # of the largest current: less is of no account


@dataclass(frozen=True, slots=True)
class Robust:
    """A robust fit of one curve: ``fits`` holds it at ``row``; ``bad`` marks samples."""

    fits: Fits
    row: int
    bad: BoolArray
    scale: float  # A, robust standard deviation of the residual


def discount(
    voltages: Sequence[FloatArray],
    currents: Sequence[FloatArray],
    noises: Sequence[float],
    plain: Fits,
) -> list[Robust | None]:
    """Return a robust fit for each curve that has samples far off it, else None."""
    tops = np.array([np.abs(current).max() for current in currents])
    suspect = np.flatnonzero(plain.rmse > np.maximum(2.0 * np.asarray(noises), 0.001 * tops))
    out: list[Robust | None] = [None] * len(voltages)
    if suspect.size == 0:
        return out
    some_v, some_i = (
        [voltages[k] for k in suspect.tolist()],
        [currents[k] for k in suspect.tolist()],
    )
    fits = Fits(
        diodes=plain.diodes.take(suspect),
        rmse=plain.rmse[suspect],
        converged=plain.converged[suspect],
        covariance=plain.covariance[suspect],
    )
    scales = np.empty(suspect.size)
    for _ in range(_ROUNDS):
        weights = []
        for row in range(suspect.size):
            residual = _residual(some_v[row], some_i[row], fits, row)
            scales[row] = max(_scale(residual), 1e-4 * tops[suspect[row]])
            weights.append(1.0 / (1.0 + (residual / (_CAUCHY * scales[row])) ** 2))
        fits = fit_single_diode(some_v, some_i, weights=weights, start=fits.diodes)
    for row, place in enumerate(suspect.tolist()):
        far = np.abs(_residual(some_v[row], some_i[row], fits, row))
        bad = far > max(_FAR * scales[row], _VISIBLE * tops[place])
        if bad.any():
            out[place] = Robust(fits, row, bad, float(scales[row]))
    return out


def _residual(voltage: FloatArray, current: FloatArray, fits: Fits, row: int) -> FloatArray:
    model: FloatArray = single_diode_current(voltage, fits.diodes.take(slice(row, row + 1)))[0]
    return model - current


def _scale(residual: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(residual)))
