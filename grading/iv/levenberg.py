"""Levenberg-Marquardt on five bounded parameters, for all curves of a block in step.

Follows More's damping by the diagonal (Levenberg-Marquardt, in: Numerical Analysis, Lecture
Notes in Mathematics 630, 1978), with the two physical bounds, ``rs >= 0`` and ``g >= 0``, kept
by solving each step's small quadratic programme exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grading.iv.normal import Normal
from grading.iv.points import BoolArray, IntArray, Points
from grading.values import FloatArray

Evaluate = Callable[[Points, FloatArray], Normal]

SERIES, SHUNT, LOG_A = 2, 3, 4
# The bounded parameters last.
_ORDER = np.array([0, 1, LOG_A, SERIES, SHUNT])
# Bounds of the scaled parameters. ``a`` spans 0.3% to all of the largest voltage.
LOWER = np.array([-5.0, -60.0, 0.0, 0.0, np.log(0.003)])
UPPER = np.array([50.0, 30.0, 3.0, 20.0, np.log(2.0)])
# A mean square below this is zero but for rounding.
_NOTHING = 1e-26
# The longest step of each parameter in one iteration: the model's exponential forgives no more.
_REACH = np.array([1.0, 3.0, 0.2, 0.5, 0.7])[:, None]


@dataclass(slots=True)
class State:
    """Where a block's fit stands."""

    theta: FloatArray  # (5, m)
    normal: Normal
    damping: FloatArray  # (m,)
    converged: BoolArray  # (m,)


def begin(points: Points, theta: FloatArray, evaluate: Evaluate, damping: float) -> State:
    """Evaluate the start."""
    count = theta.shape[1]
    theta = np.clip(theta, LOWER[:, None], UPPER[:, None])
    normal = evaluate(points, theta)
    return State(theta, normal, np.full(count, damping), np.zeros(count, dtype=bool))


def minimise(
    points: Points, state: State, evaluate: Evaluate, *, tolerance: float, iterations: int
) -> State:
    """Iterate until a step's predicted relative gain is below ``tolerance`` everywhere.

    That last step is made without looking back: near the minimum the prediction errs, and what
    remains to be won is, by the square of the gain. Curves that have converged are left out of
    further iterations.
    """
    for _ in range(iterations):
        rows = np.flatnonzero(~state.converged)
        if rows.size == 0:
            break
        whole = rows.size == state.converged.size
        part = points if whole else points.take(rows)
        _advance(part, state, rows, evaluate, tolerance)
    return state


def _advance(
    points: Points, state: State, rows: IntArray, evaluate: Evaluate, tolerance: float
) -> None:
    whole = rows.size == state.converged.size
    theta, damping = (state.theta, state.damping) if whole else _some(state, rows)
    old = state.normal.take(rows)
    trial = theta + bounded_step(old, theta, damping)
    np.clip(trial, LOWER[:, None], UPPER[:, None], out=trial)
    gain = _gain(old.matrix, -old.gradient, trial - theta)
    done = old.cost <= _NOTHING * points.count
    # The damped gain understates what is left to win, so arrival counts only when nearly free.
    last = (gain <= tolerance * old.cost) & (damping < 0.1) & ~done
    state.converged[rows] = last | done
    at = rows[last]
    state.theta[:, at] = trial[:, last]
    state.normal.cost[at] -= np.minimum(gain[last], state.normal.cost[at])
    going = np.flatnonzero(~last & ~done)
    if going.size == 0:
        return
    rows, trial, damping, before = rows[going], trial[:, going], damping[going], old.cost[going]
    new = evaluate(points if going.size == done.size else points.take(going), trial)
    better = new.cost < before
    state.damping[rows] = np.where(better, damping * 0.1, np.minimum(damping * 10.0, 1e8))
    # Where even a tiny step wins nothing, rounding has the last word.
    state.converged[rows[~better & (damping > 1e6)]] = True
    if better.all() and rows.size == state.damping.size:
        state.theta, state.normal = trial, new
        return
    keep = rows[better]
    state.theta[:, keep] = trial[:, better]
    state.normal.put(keep, new.take(np.flatnonzero(better)))


def _some(state: State, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    return state.theta[:, rows], state.damping[rows]


def bounded_step(normal: Normal, theta: FloatArray, damping: FloatArray) -> FloatArray:
    """Return the damped step ``(5, m)`` within the physical bounds.

    With the bounded pair last, Cholesky's factor leaves a quadratic programme in these two
    alone; the free parameters follow from them by substitution.
    """
    matrix = normal.matrix[_ORDER[:, None], _ORDER]
    diagonal = np.arange(5)
    scale = np.maximum(matrix[diagonal, diagonal], 1e-30)
    matrix[diagonal, diagonal] = scale * (1.0 + damping) + 1e-14 * scale.max(axis=0)
    factor = _factor(matrix)
    y = _forward(factor, -normal.gradient[_ORDER])
    y[3:] = _pair(factor[3:, 3:], y[3:], -theta[_ORDER[3:]])
    y[:3] -= np.einsum("jim,jm->im", factor[3:, :3], y[3:])
    step = np.empty_like(y)
    step[_ORDER] = np.concatenate([_backward(factor[:3, :3], y[:3]), y[3:]])
    return np.clip(step, -_REACH, _REACH, out=step)


def _pair(factor: FloatArray, y: FloatArray, low: FloatArray) -> FloatArray:
    """Return the minimum of ``|factor^T x - y|^2`` over two ``x >= low``, all ``(2, m)``."""
    (a, _), (b, c) = factor
    second = y[1] / c
    free = np.stack([(y[0] - b * second) / a, second])
    rows = np.flatnonzero((free < low).any(axis=0))
    if rows.size == 0:
        return free
    a, b, c, y, low = a[rows], b[rows], c[rows], y[:, rows], low[:, rows]
    # On a bound the other's best value, clamped, is the minimum of that edge.
    along = (b * (y[0] - a * low[0]) + c * y[1]) / (b * b + c * c)
    edges = np.stack(
        [low[0], np.maximum(along, low[1]), np.maximum((y[0] - b * low[1]) / a, low[0]), low[1]]
    ).reshape(2, 2, -1)
    cost = (a * edges[:, 0] + b * edges[:, 1] - y[0]) ** 2 + (c * edges[:, 1] - y[1]) ** 2
    free[:, rows] = np.where(cost[0] <= cost[1], edges[0], edges[1])
    return free


def _gain(matrix: FloatArray, pull: FloatArray, step: FloatArray) -> FloatArray:
    bent = np.einsum("jkm,km->jm", matrix, step)
    gain: FloatArray = np.einsum("jm,jm->m", 2.0 * pull - bent, step)
    return gain


def solve_spd(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve symmetric systems ``(k, k, m) x = (k, m)`` by Cholesky, elementwise over ``m``.

    Elementwise work on long vectors costs a tenth of LAPACK's call for each small matrix.
    """
    return _substitute(_factor(matrix), right)


def invert_spd(matrix: FloatArray) -> FloatArray:
    """Invert symmetric matrices ``(k, k, m)``, balanced by their diagonal first.

    What the data does not touch (a diagonal below 1e-40) gets that as its own, and so a variance
    beyond all bounds.
    """
    size = matrix.shape[0]
    diagonal = np.arange(size)
    balance = 1.0 / np.sqrt(np.maximum(matrix[diagonal, diagonal], 1e-40))
    balanced = matrix * balance[:, None] * balance
    balanced[diagonal, diagonal] = 1.0
    factor = _factor(balanced)
    columns = [_substitute(factor, unit[:, None] + np.zeros_like(balance)) for unit in np.eye(size)]
    return np.stack(columns, axis=1) * balance[:, None] * balance


def _factor(matrix: FloatArray) -> FloatArray:
    factor = np.zeros_like(matrix)
    for j in range(matrix.shape[0]):
        column = matrix[j:, j] - np.einsum("ikm,km->im", factor[j:, :j], factor[j, :j])
        pivot = np.sqrt(np.maximum(column[0], np.maximum(1e-16 * matrix[j, j], 1e-150)))
        factor[j:, j] = column / pivot
        factor[j, j] = pivot
    return factor


def _substitute(factor: FloatArray, right: FloatArray) -> FloatArray:
    return _backward(factor, _forward(factor, right))


def _forward(factor: FloatArray, right: FloatArray) -> FloatArray:
    x = right.copy()
    for j in range(right.shape[0]):
        x[j] /= factor[j, j]
        x[j + 1 :] -= factor[j + 1 :, j] * x[j]
    return x


def _backward(factor: FloatArray, right: FloatArray) -> FloatArray:
    x = right.copy()
    for j in reversed(range(right.shape[0])):
        x[j] /= factor[j, j]
        x[:j] -= factor[j, :j] * x[j]
    return x
