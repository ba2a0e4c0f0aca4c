"""The stages of a fit: coarse on few samples, quick on all of them, thorough where need be."""

from __future__ import annotations

import numpy as np

from grading.iv.levenberg import LOWER, UPPER, State, begin, bounded_step, minimise
from grading.iv.normal import exact, implicit
from grading.iv.points import BoolArray, IntArray, Points
from grading.values import FloatArray

_THINNED = 40  # samples of the coarse stage
# Other starts (Rs and a, in units of the scales) for curves that may sit in a wrong minimum.
_STARTS = ((0.0, 0.02), (0.0, 0.05), (0.0, 0.12), (0.0, 0.35), (0.05, 0.03), (0.05, 0.08))
# A step that wins less of the sum of squares is the last: what then remains is 1e-9 of it.
_NEAR = 3e-4
# A residual beyond this part of the largest current asks for restarts.
_SUSPECT_LEVEL = 0.003


def coarse(points: Points) -> FloatArray:
    """Return parameters ``(5, m)`` from a few samples of each curve, near enough to go on."""
    if points.weight.shape[1] <= 2 * _THINNED:
        return start(points)
    thin = points.thinned(_THINNED)
    state = begin(thin, start(thin), implicit, 1e-2)
    return _leap(minimise(thin, state, implicit, tolerance=0.0, iterations=2))


def _leap(state: State) -> FloatArray:
    """Make a step that needs no proof, because the next stage judges where it leads."""
    theta = state.theta + bounded_step(state.normal, state.theta, state.damping)
    return np.clip(theta, LOWER[:, None], UPPER[:, None])


def quick(points: Points, theta: FloatArray) -> State:
    """Fit from a near start in a few steps; what does not settle is for :func:`thorough`."""
    theta = _leap(begin(points, theta, implicit, 1e-4))
    state = begin(points, theta, exact, 1e-7)
    return minimise(points, state, exact, tolerance=_NEAR, iterations=8)


def polish(points: Points, theta: FloatArray) -> State:
    """Minimise the exact residual to convergence."""
    state = begin(points, theta, exact, 1e-6)
    return minimise(points, state, exact, tolerance=_NEAR, iterations=60)


def suspect(points: Points, state: State) -> BoolArray:
    """Return which curves did not settle, or fit so badly that another minimum may be better."""
    level = np.sqrt(state.normal.cost / np.maximum(points.count, 1.0))
    doubtful: BoolArray = (level > _SUSPECT_LEVEL) | ~state.converged
    return doubtful


def thorough(points: Points) -> State:
    """Fit to convergence, and from several starts where the result is suspect."""
    state = _staged(points, start(points))
    rows = np.flatnonzero(suspect(points, state))
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
    state = begin(points, theta, implicit, 1e-2)
    state = minimise(points, state, implicit, tolerance=1e-5, iterations=30)
    return polish(points, state.theta)


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
        state.normal.put(at, other.normal.take(np.flatnonzero(better)))
        state.converged[at] = other.converged[better]
