"""Fit of the single-diode model to curves of any length, thousands at a time.

Minimises the weighted sum of squares of the *explicit* current's residual under ``Rs >= 0`` and
``G >= 0``. Easy curves go through a few steps in blocks that fit the cache; those that did not
settle, or whose residual is out of proportion to their current, are gathered and fitted again
from several starts, and the best is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from grading.iv.diode import Diodes
from grading.iv.levenberg import SERIES, SHUNT, State, invert_spd
from grading.iv.normal import solve
from grading.iv.points import CHUNK, BoolArray, IntArray, Points, Room, blocks, pack, scaled
from grading.iv.stages import coarse, polish, quick, suspect, thorough
from grading.values import FloatArray, SingleDiode


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
    hard: list[IntArray] = [np.empty(0, dtype=np.intp)]
    room = Room()
    for rows in blocks(lengths, CHUNK):
        points = _gather(voltages, currents, weights, rows, room)
        theta = coarse(points) if start is None else _scaled_theta(start.take(rows), points)
        if start is None:
            state = quick(points, theta)
            hard.append(rows[suspect(points, state)])
        else:
            state = polish(points, theta)
        _store(out, rows, *_effective(points, state, noise))
    left = np.concatenate(hard)
    for places in blocks(lengths[left], CHUNK):
        points = _gather(voltages, currents, weights, left[places], room)
        _store(out, left[places], *_effective(points, thorough(points), noise))
    return out


def _gather(
    voltages: Ragged, currents: Ragged, weights: Ragged | None, rows: IntArray, room: Room
) -> Points:
    if isinstance(voltages, np.ndarray) and isinstance(currents, np.ndarray) and weights is None:
        some = _span(rows)
        ones = room.planes("ones", 1, rows.size, voltages.shape[1])[0]
        ones.fill(1.0)
        return scaled(voltages[some], currents[some], ones, plain=True, room=room)
    return pack(
        [voltages[row] for row in rows],
        [currents[row] for row in rows],
        None if weights is None else [weights[row] for row in rows],
        room,
    )


def _span(rows: IntArray) -> IntArray | slice:
    """Return rows that follow each other as a slice, which copies nothing."""
    one_run = rows[-1] - rows[0] + 1 == rows.size and bool(np.all(np.diff(rows) == 1))
    return slice(int(rows[0]), int(rows[-1]) + 1) if one_run else rows


def _effective(
    points: Points, state: State, noise: tuple[float, float] | None
) -> tuple[Points, State]:
    """Refit under the variance that noise of current and voltage have together."""
    if noise is None:
        return points, state
    current_noise = (noise[0] / points.ampere)[:, None]
    voltage_noise = (noise[1] / points.volt)[:, None]
    for _ in range(3):
        _, conductance = solve(points, state.theta)
        variance = current_noise**2 + (conductance * voltage_noise) ** 2
        weight = np.where(points.weight > 0, current_noise**2 / variance, 0.0)
        points = points.reweighted(weight)
        state = polish(points, state.theta)
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
    count = np.maximum(points.count, 1.0)
    if points.plain:
        return np.asarray(np.sqrt(state.normal.cost / count), dtype=np.float64)
    current, _ = solve(points, state.theta)
    square = np.where(points.weight > 0, (current - points.current) ** 2, 0.0).sum(axis=1)
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
    freedom = np.maximum(points.count - 5.0, 1.0)
    inverse *= state.normal.cost / freedom
    slope = np.exp(-state.theta[4])
    inverse[1] += slope * inverse[4]
    inverse[:, 1] += slope * inverse[:, 4]
    ohm = points.volt / points.ampere
    one = np.ones_like(ohm)
    unit = np.stack([points.ampere, one, ohm, 1.0 / ohm, one])
    return np.asarray((inverse * unit[:, None] * unit).transpose(2, 0, 1), dtype=np.float64)
