"""Fit of the single-diode model to curves of any length, thousands at a time.

Minimises the weighted sum of squares of the *explicit* current's residual under ``Rs >= 0`` and
``G >= 0``. Three stages, each started from the one before: a closed-form start from the curve's
key points; Gauss-Newton on the implicit equation at a thinned set of samples, then at all of
them; and the exact residual until it has converged. Curves whose residual is out of proportion
to their current are fitted again from other starts, and the best is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from grading.iv.diode import Diodes
from grading.iv.levenberg import SERIES, SHUNT, State, begin, invert_spd, minimise
from grading.iv.normal import exact, implicit, solve
from grading.iv.points import BoolArray, IntArray, Points, blocks, pack, scaled
from grading.values import FloatArray, SingleDiode

_THINNED = 40
# Other starts (Rs and a, in units of the scales) for curves that may sit in a wrong minimum.
_STARTS = ((0.0, 0.02), (0.0, 0.05), (0.0, 0.12), (0.0, 0.35), (0.05, 0.03), (0.05, 0.08))
# A residual beyond this part of the largest current asks for restarts.
_SUSPECT_LEVEL = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Fits of ``m`` curves.

    ``rmse`` is that of the exact explicit current over all samples, unweighted. ``covariance``
    ``(m, 5, 5)`` is of (photocurrent, ln saturation_current, resistance_series,
    conductance_shunt, ln nNsVth), scaled by the residual's own variance; rows of a parameter at
    its bound are zero.
    """

    diodes: Diodes
    rmse: FloatArray  # A, (m,)
    converged: BoolArray  # (m,)
    covariance: FloatArray  # (m, 5, 5)

    def one(self, row: int, n_vth: float | None = None) -> SingleDiode:
        """Return one fit; ``n_vth`` is cells in series times k T / q [V], where known."""
        diodes = self.diodes
        shunt = float(diodes.conductance_shunt[row])
        a = float(diodes.nNsVth[row])
        return SingleDiode(
            photocurrent=float(diodes.photocurrent[row]),
            saturation_current=float(diodes.saturation_current[row]),
            resistance_series=float(diodes.resistance_series[row]),
            resistance_shunt=1.0 / shunt if shunt > 0.0 else float("inf"),
            nNsVth=a,
            n=None if n_vth is None else a / n_vth,
            rmse_A=float(self.rmse[row]),
            converged=bool(self.converged[row]),
            covariance=tuple(tuple(line) for line in self.covariance[row].tolist()),
        )


Ragged: TypeAlias = Sequence[FloatArray] | FloatArray


def fit_single_diode(
    voltages: Ragged,
    currents: Ragged,
    *,
    weights: Ragged | None = None,
    noise: tuple[float, float] | None = None,
    start: Diodes | None = None,
) -> Fits:
    """Fit the single-diode model to ``m`` curves.

    Args:
        voltages: ``m`` arrays [V] of any lengths, or one array ``(m, n)``.
        currents: likewise [A], positive when generating; samples in any order.
        weights: likewise; the weight of each squared residual, 1 where not given.
        noise: standard deviations (of current [A], of voltage [V]); the second enters by its
            effective variance, ``s_I^2 + (dI/dV)^2 s_V^2`` (Orear, Am. J. Phys. 50 (1982) 912).
        start: where to start each fit, for instance the same curves under other weights; no
            other start is then tried.

    Returns:
        The fits, in order. A curve of fewer than five samples has no unique fit.
    """
    lengths = np.array([len(voltage) for voltage in voltages], dtype=np.intp)
    out = _empty(lengths.size)
    for rows in blocks(lengths):
        points = _gather(voltages, currents, weights, rows)
        if start is None:
            state = fit_block(points)
        else:
            state = _polish(points, _scaled_theta(start.take(rows), points))
        if noise is not None:
            points, state = _effective(points, state, noise)
        _store(out, rows, points, state)
    return out


def _gather(voltages: Ragged, currents: Ragged, weights: Ragged | None, rows: IntArray) -> Points:
    if isinstance(voltages, np.ndarray) and isinstance(currents, np.ndarray) and weights is None:
        return scaled(voltages[rows], currents[rows], np.ones((rows.size, voltages.shape[1])))
    return pack(
        [voltages[row] for row in rows],
        [currents[row] for row in rows],
        [None if weights is None else weights[row] for row in rows],
    )


def _effective(points: Points, state: State, noise: tuple[float, float]) -> tuple[Points, State]:
    """Refit under the variance that noise of current and voltage have together."""
    current_noise = (noise[0] / points.ampere)[:, None]
    voltage_noise = (noise[1] / points.volt)[:, None]
    for _ in range(3):
        _, diode, stiff = solve(points, state.theta)
        conductance = (stiff - 1.0) / np.maximum(state.theta[SERIES], 1e-12)[:, None] / stiff
        del diode
        variance = current_noise**2 + (conductance * voltage_noise) ** 2
        weight = np.where(points.weight > 0, current_noise**2 / variance, 0.0)
        points = points.reweighted(weight)
        state = _polish(points, state.theta)
    return points, state


def _scaled_theta(diodes: Diodes, points: Points) -> FloatArray:
    a = diodes.nNsVth / points.volt
    dark = np.maximum(diodes.saturation_current / points.ampere, 1e-300)
    ohm = points.volt / points.ampere
    series, shunt = diodes.resistance_series / ohm, diodes.conductance_shunt * ohm
    light = diodes.photocurrent / points.ampere
    return np.stack([light, np.log(dark) + 1.0 / a, series, shunt, np.log(a)])


def _empty(count: int) -> Fits:
    return Fits(
        diodes=Diodes.empty(count),
        rmse=np.empty(count),
        converged=np.zeros(count, dtype=bool),
        covariance=np.zeros((count, 5, 5)),
    )


def _store(out: Fits, rows: IntArray, points: Points, state: State) -> None:
    light, q, series, shunt, log_a = state.theta
    a = np.exp(log_a)
    ohm = points.volt / points.ampere
    out.diodes.photocurrent[rows] = light * points.ampere
    out.diodes.saturation_current[rows] = np.exp(q - 1.0 / a) * points.ampere
    out.diodes.resistance_series[rows] = series * ohm
    out.diodes.conductance_shunt[rows] = shunt / ohm
    out.diodes.nNsVth[rows] = a * points.volt
    out.rmse[rows] = _rmse(points, state) * points.ampere
    out.converged[rows] = state.converged
    out.covariance[rows] = _covariance(points, state)


def _rmse(points: Points, state: State) -> FloatArray:
    used = points.weight > 0
    count = np.maximum(used.sum(axis=1), 1)
    if np.all(points.weight[used] == 1.0):
        return np.asarray(np.sqrt(state.normal.cost / count), dtype=np.float64)
    current, _, _ = solve(points, state.theta)
    square = np.where(used, (current - points.current) ** 2, 0.0).sum(axis=1)
    return np.asarray(np.sqrt(square / count), dtype=np.float64)


def _covariance(points: Points, state: State) -> FloatArray:
    """Invert the normal matrix over the free parameters, and turn it to the reported ones."""
    matrix = state.normal.matrix.copy()
    for k in (SERIES, SHUNT):
        bound = state.theta[k] <= 0.0
        matrix[k, :, bound] = 0.0
        matrix[:, k, bound] = 0.0
        matrix[k, k, bound] = 1.0
    inverse = invert_spd(matrix)
    for k in (SERIES, SHUNT):
        inverse[k, k, state.theta[k] <= 0.0] = 0.0
    freedom = np.maximum((points.weight > 0).sum(axis=1) - 5, 1)
    inverse *= state.normal.cost / freedom
    slope = np.exp(-state.theta[4])
    inverse[1] += slope * inverse[4]
    inverse[:, 1] += slope * inverse[:, 4]
    ohm = points.volt / points.ampere
    one = np.ones_like(ohm)
    unit = np.stack([points.ampere, one, ohm, 1.0 / ohm, one])
    return np.asarray((inverse * unit[:, None] * unit).transpose(2, 0, 1), dtype=np.float64)


def fit_block(points: Points) -> State:
    """Fit one block of curves to convergence."""
    state = _staged(points, start(points))
    rows = np.flatnonzero(_suspect(points, state))
    if rows.size:
        _restart(points, state, rows)
    return state


def start(points: Points) -> FloatArray:
    """Return closed-form parameters ``(5, m)`` from short circuit, maximum power and V_oc."""
    v, i, used = points.voltage, points.current, points.weight > 0
    v_oc = np.where(used & (i > 0.0), v, -np.inf).max(axis=1)
    v_oc = np.where(np.isfinite(v_oc) & (v_oc > 0.05), v_oc, 1.0)
    flat = used & (v <= 0.5 * v_oc[:, None])
    light = np.where(flat, i, -np.inf).max(axis=1)
    light = np.where(np.isfinite(light), light, 1.0)
    peak = np.where(used, v * i, -np.inf).argmax(axis=1)[:, None]
    v_mp = np.take_along_axis(v, peak, axis=1)[:, 0]
    i_mp = np.minimum(np.take_along_axis(i, peak, axis=1)[:, 0], 0.99 * light)
    i_mp = np.maximum(i_mp, 0.05 * np.abs(light) + 1e-3)
    light = np.maximum(light, 1.01 * i_mp)
    lost = light - i_mp
    log = np.log(lost / light)
    a = lost * (2.0 * v_mp - v_oc) / (i_mp + lost * log)
    a = np.clip(a, 0.02, 0.3)
    series = np.clip((a * log + v_oc - v_mp) / i_mp, 0.002, 0.2)
    return _anchored(light, v_oc, series, a)


def _anchored(light: FloatArray, v_oc: FloatArray, series: FloatArray, a: FloatArray) -> FloatArray:
    """Return parameters whose curve runs through ``light`` and ``v_oc``."""
    q = np.log(np.maximum(light, 1e-3)) + (1.0 - v_oc) / a
    return np.stack([light, q, series, np.full_like(a, 0.01), np.log(a)])


def _staged(points: Points, theta: FloatArray) -> State:
    if points.voltage.shape[1] > 2 * _THINNED:
        thin = points.thinned(_THINNED)
        coarse = begin(thin, theta, implicit, 1e-2)
        theta = minimise(thin, coarse, implicit, tolerance=1e-4, iterations=25).theta
    state = begin(points, theta, implicit, 1e-3)
    state = minimise(points, state, implicit, tolerance=1e-5, iterations=25)
    return _polish(points, state.theta)


def _polish(points: Points, theta: FloatArray) -> State:
    state = begin(points, theta, exact, 1e-6)
    return minimise(points, state, exact, tolerance=1e-9, iterations=60)


def _suspect(points: Points, state: State) -> BoolArray:
    count = np.maximum(np.count_nonzero(points.weight, axis=1), 1)
    level = np.sqrt(state.normal.cost / count)
    suspect: BoolArray = (level > _SUSPECT_LEVEL) | ~state.converged
    return suspect


def _restart(points: Points, state: State, rows: IntArray) -> None:
    part = points.take(rows)
    base = start(part)
    for series, a in _STARTS:
        v_oc = np.ones(rows.size)
        theta = _anchored(base[0], v_oc, np.full(rows.size, series), np.full(rows.size, a))
        other = _staged(part, theta)
        better = other.normal.cost < state.normal.cost[rows] * (1 - 1e-12)
        at = rows[better]
        state.theta[:, at] = other.theta[:, better]
        state.normal.cost[at] = other.normal.cost[better]
        state.normal.gradient[:, at] = other.normal.gradient[:, better]
        state.normal.matrix[:, :, at] = other.normal.matrix[:, :, better]
        state.converged[at] = other.converged[better]
