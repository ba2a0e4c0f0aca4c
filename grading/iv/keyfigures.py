"""Key figures of measured curves by the practice of ASTM E948 and E1036, vectorised.

I_sc and V_oc are the sample nearest the axis where that is near enough (0.5% of V_oc, 0.1% of
I_sc), else the straight line through the three nearest. P_mp is the top of a fourth-order
polynomial of the power through the samples between 75% and 115% of both V_mp and I_mp.

Reference:
    ASTM E1036-15, clause 8; as read in pvlib 0.16 ``pvlib.ivtools.utils.astm_e1036``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre

from grading.iv.levenberg import solve_spd
from grading.iv.points import BoolArray
from grading.values import FloatArray, KeyFigures

_AXIS_POINTS = 3
_DEGREE = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """Key figures of ``m`` curves; ``knee_points`` counts the samples behind P_mp."""

    i_sc: FloatArray  # A
    v_oc: FloatArray  # V
    i_mp: FloatArray  # A
    v_mp: FloatArray  # V
    knee_points: FloatArray  # 1

    def one(self, row: int) -> KeyFigures:
        """Return the figures of one curve."""
        i_sc, v_oc = float(self.i_sc[row]), float(self.v_oc[row])
        i_mp, v_mp = float(self.i_mp[row]), float(self.v_mp[row])
        product = i_sc * v_oc
        return KeyFigures(
            i_sc=i_sc,
            v_oc=v_oc,
            i_mp=i_mp,
            v_mp=v_mp,
            p_mp=i_mp * v_mp,
            fill_factor=i_mp * v_mp / product if product > 0 else 0.0,
        )


def key_figures(voltages: Sequence[FloatArray], currents: Sequence[FloatArray]) -> Figures:
    """Return the key figures of curves, each with its own number of samples, in any order.

    Args:
        voltages: ``m`` arrays [V].
        currents: ``m`` arrays [A] of the same lengths, positive when generating.
    """
    longest = max((voltage.size for voltage in voltages), default=0)
    shape = (len(voltages), longest)
    voltage, current = np.zeros(shape), np.zeros(shape)
    used = np.zeros(shape, dtype=bool)
    for row, (own_voltage, own_current) in enumerate(zip(voltages, currents, strict=True)):
        count = own_voltage.size
        voltage[row, :count], current[row, :count], used[row, :count] = own_voltage, own_current, 1
    return padded_key_figures(voltage, current, used)


def padded_key_figures(voltage: FloatArray, current: FloatArray, used: BoolArray) -> Figures:
    """Return the key figures of padded curves, shape ``(m, n)``; ``used`` marks the samples."""
    v_est = _nearest(current, voltage, used)
    i_est = _nearest(voltage, current, used)
    i_sc = _axis(voltage, current, used, 0.005 * np.abs(v_est))
    v_oc = _axis(current, voltage, used, 0.001 * np.abs(i_est))
    i_mp, v_mp, count = _peak(voltage, current, used)
    return Figures(i_sc, v_oc, i_mp, v_mp, count)


def _nearest(axis: FloatArray, value: FloatArray, used: BoolArray) -> FloatArray:
    at = np.where(used, np.abs(axis), np.inf).argmin(axis=1)[:, None]
    return np.take_along_axis(value, at, axis=1)[:, 0]


def _axis(axis: FloatArray, value: FloatArray, used: BoolArray, near: FloatArray) -> FloatArray:
    """Return ``value`` where ``axis`` is zero."""
    distance = np.where(used, np.abs(axis), np.inf)
    points = min(_AXIS_POINTS, axis.shape[1])
    at = np.argpartition(distance, points - 1, axis=1)[:, :points]
    x, y = np.take_along_axis(axis, at, axis=1), np.take_along_axis(value, at, axis=1)
    centre, level = x.mean(axis=1), y.mean(axis=1)
    spread = ((x - centre[:, None]) ** 2).sum(axis=1)
    slope = ((x - centre[:, None]) * (y - level[:, None])).sum(axis=1)
    slope = np.divide(slope, spread, out=np.zeros_like(slope), where=spread > 0)
    line = level - slope * centre
    close = distance.min(axis=1) <= near
    return np.asarray(np.where(close, _nearest(axis, value, used), line), dtype=np.float64)


def _peak(
    voltage: FloatArray, current: FloatArray, used: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    power = np.where(used, voltage * current, -np.inf)
    at = power.argmax(axis=1)[:, None]
    v_raw = np.take_along_axis(voltage, at, axis=1)
    i_raw = np.take_along_axis(current, at, axis=1)
    window = used & (np.abs(voltage - 0.95 * v_raw) <= 0.2 * np.abs(v_raw))
    window &= np.abs(current - 0.95 * i_raw) <= 0.2 * np.abs(i_raw)
    count = window.sum(axis=1)
    # Centred on the window and scaled to it, the polynomial's normal equations are harmless.
    low = np.where(window, voltage, np.inf).min(axis=1, keepdims=True)
    high = np.where(window, voltage, -np.inf).max(axis=1, keepdims=True)
    enough = (count > _DEGREE + 1) & (high > low)[:, 0] & (v_raw * i_raw > 0)[:, 0]
    v_mp, p_mp = v_raw[:, 0].copy(), (v_raw * i_raw)[:, 0]
    rows = np.flatnonzero(enough)
    if rows.size:
        half = 0.5 * (high - low)[rows]
        x = np.where(window[rows], (voltage[rows] - low[rows]) / half - 1.0, 0.0)
        top, value = _polynomial_top(x, np.where(window[rows], power[rows], 0.0), window[rows])
        v_mp[rows] = (low[rows] + half * (top[:, None] + 1.0))[:, 0]
        p_mp[rows] = value
    i_mp = np.divide(p_mp, v_mp, out=i_raw[:, 0].copy(), where=v_mp != 0.0)
    return i_mp, v_mp, count.astype(np.float64)


def _polynomial_top(x: FloatArray, y: FloatArray, used: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return place and height of the maximum on [-1, 1] of each row's fourth-order fit."""
    basis = legendre.legvander(x, _DEGREE) * used[:, :, None]
    matrix = np.matmul(basis.swapaxes(1, 2), basis).transpose(1, 2, 0)
    right = np.einsum("mnk,mn->km", basis, y)
    matrix[np.arange(_DEGREE + 1), np.arange(_DEGREE + 1)] *= 1.0 + 1e-12
    coefficients = solve_spd(matrix, right)
    grid = np.linspace(-1.0, 1.0, 41)
    place = grid[(legendre.legvander(grid, _DEGREE) @ coefficients).argmax(axis=0)]
    first: FloatArray = np.asarray(legendre.legder(coefficients), dtype=np.float64)
    second: FloatArray = np.asarray(legendre.legder(coefficients, 2), dtype=np.float64)
    for _ in range(8):
        slope = _values(place, first)
        bend = _values(place, second)
        step = np.divide(slope, bend, out=np.zeros_like(slope), where=bend < 0)
        place = np.clip(place - np.clip(step, -0.05, 0.05), -1.0, 1.0)
    return place, _values(place, coefficients)


def _values(x: FloatArray, coefficients: FloatArray) -> FloatArray:
    return np.asarray(legendre.legval(x, coefficients, tensor=False), dtype=np.float64)
