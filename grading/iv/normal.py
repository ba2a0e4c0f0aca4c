"""Residuals of the scaled single-diode model and their normal equations, for a whole block.

Parameters ``theta``, shape ``(5, m)``: photocurrent, exponent ``q`` at unit voltage, series
resistance, shunt conductance, ``ln a``; so ``E = exp(q + (v + rs i - 1) / a)`` is the diode's
current and ``I0 = exp(q - 1 / a)``. Anchored at the end of the curve, ``q`` and ``a`` hardly
correlate, which a pair ``(ln I0, a)`` does.

The derivative of the explicit current is that of the implicit equation, ``F``, over
``D = 1 + rs (E / a + g)``, so every column is a combination of the six functions
``{1, v, i, E, v E, i E} / D``. The normal equations follow from their 18 distinct weighted
sums, which is half the work of forming five columns, and no column is ever stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.iv.diode import Diodes, single_diode_current
from grading.iv.points import BoolArray, IntArray, Points
from grading.values import FloatArray

# The largest step of Halley's, in exponents, whose square is of no account.
_SETTLED = 1e-2


@dataclass(frozen=True, slots=True)
class Normal:
    """Sum of squares ``(m,)``, its half gradient ``(5, m)`` and normal matrix ``(5, 5, m)``."""

    cost: FloatArray
    gradient: FloatArray
    matrix: FloatArray

    def take(self, rows: IntArray) -> Normal:
        """Return some of the curves."""
        if rows.size == self.cost.size:
            return self
        return Normal(self.cost[rows], self.gradient[:, rows], self.matrix[:, :, rows])

    def put(self, rows: IntArray, other: Normal) -> None:
        """Replace some of the curves, in place."""
        self.cost[rows] = other.cost
        self.gradient[:, rows] = other.gradient
        self.matrix[:, :, rows] = other.matrix


class _Room:
    """Arrays that the blocks of one evaluation share, so that their pages are touched once."""

    def __init__(self, points: Points) -> None:
        rows, samples = points.voltage[next(points.parts(), slice(0))].shape
        self.basis = np.empty((rows, 6, samples))
        self.basis[:, 0] = 1.0
        self.powers = np.empty((rows, 3, samples))
        self.planes = np.empty((4, rows, samples))

    def part(self, rows: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return basis, powers and planes for a block of ``rows`` curves."""
        return self.basis[:rows], self.powers[:rows], self.planes[:, :rows]


@dataclass(frozen=True, slots=True)
class _Model:
    """The scaled model's constants as columns ``(m, 1)``."""

    light: FloatArray
    q: FloatArray
    series: FloatArray
    shunt: FloatArray
    slope: FloatArray  # 1 / a

    @classmethod
    def of(cls, theta: FloatArray) -> _Model:
        light, q, series, shunt, log_a = theta[:, :, None]
        return cls(light, q, series, shunt, np.exp(-log_a))

    def diode(
        self, voltage: FloatArray, current: FloatArray, out: FloatArray, spare: FloatArray
    ) -> FloatArray:
        """Return the diode's current E at the given points, in ``out``."""
        np.multiply(voltage, self.slope, out=out)
        out += np.multiply(current, self.series * self.slope, out=spare)
        out += self.q - self.slope
        return np.exp(out, out=out)

    def stiffness(self, diode: FloatArray, out: FloatArray) -> FloatArray:
        """Return D, minus the derivative of the implicit equation to the current, in ``out``."""
        np.multiply(diode, self.series * self.slope, out=out)
        out += 1.0 + self.series * self.shunt
        return out

    @property
    def dark(self) -> FloatArray:
        return np.asarray(np.exp(self.q - self.slope), dtype=np.float64)


def implicit(points: Points, theta: FloatArray) -> Normal:
    """Linearise at the *measured* current: one exponential a sample.

    The residual ``F / D`` differs from that of the explicit current by a relative amount of the
    order of the residual itself, which the exact stage then removes.
    """
    sums = np.empty((3, 6, theta.shape[1]))
    room = _Room(points)
    for rows in points.parts():
        part, model = points.take(rows), _Model.of(theta[:, rows])
        basis, powers, (diode, stiff, *_) = room.part(part.volt.size)
        model.diode(part.voltage, part.current, diode, stiff)
        model.stiffness(diode, stiff)
        stiff *= stiff
        np.divide(part.weight, stiff, out=powers[:, 0])
        _fill(basis, part.voltage, part.current)
        sums[:, :, rows] = _sums(basis, diode, powers)
    return _assemble(sums, theta)


def exact(points: Points, theta: FloatArray) -> Normal:
    """Linearise at the model's own current, the solution of the implicit equation."""
    sums, side = np.empty((3, 6, theta.shape[1])), np.empty((2, 3, theta.shape[1]))
    cost = np.empty(theta.shape[1])
    room = _Room(points)
    for rows in points.parts():
        part = points.take(rows)
        basis, powers, planes = room.part(part.volt.size)
        current, diode, stiff = _solve(part, theta[:, rows], planes)
        _fill(basis, part.voltage, current)
        residual = np.subtract(current, part.current, out=current)
        pull = powers[:, :2]
        np.multiply(part.weight, residual, out=pull[:, 0])
        cost[rows] = np.vecdot(pull[:, 0], residual)
        pull[:, 0] /= stiff
        np.multiply(pull[:, 0], diode, out=pull[:, 1])
        side[:, :, rows] = np.matmul(pull, basis[:, :3].swapaxes(1, 2)).transpose(1, 2, 0)
        stiff *= stiff
        np.divide(part.weight, stiff, out=powers[:, 0])
        sums[:, :, rows] = _sums(basis, diode, powers)
    matrix = _assemble(sums, theta).matrix
    return Normal(cost, _combine(side.reshape(6, -1), theta), matrix)


def solve(points: Points, theta: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (current, diode current E, stiffness D) of the explicit model, each ``(m, n)``."""
    return _solve(points, theta, np.empty((4, *points.voltage.shape)))


def _solve(
    points: Points, theta: FloatArray, planes: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    model = _Model.of(theta)
    current, diode, stiff, spare = planes
    settled = _halley(points, model, planes)
    if not settled.all():
        rows = ~settled
        current[rows] = _robust(points.voltage[rows], theta[:, rows])
    np.multiply(points.voltage, -model.shunt, out=diode)
    diode += model.light + model.dark
    diode -= np.multiply(current, 1.0 + model.shunt * model.series, out=spare)
    return current, diode, model.stiffness(diode, stiff)


def _halley(points: Points, model: _Model, planes: FloatArray) -> BoolArray:
    """Make one step of Halley's from the measured current; say for which curves that sufficed.

    It is of third order: where residuals are small against the bend of the curve, what is left
    out is their square, relative to themselves.
    """
    step, diode, stiff, spare = planes
    model.diode(points.voltage, points.current, diode, spare)
    bend = model.series * model.slope
    np.multiply(points.voltage, -model.shunt, out=step)
    step -= diode
    step -= np.multiply(points.current, 1.0 + model.shunt * model.series, out=spare)
    step += model.light + model.dark
    model.stiffness(diode, stiff)
    step /= stiff
    diode /= stiff
    diode *= 0.5 * bend * bend
    diode *= step
    diode += 1.0
    step /= diode
    settled: BoolArray = np.abs(step, out=spare).max(axis=1) * bend[:, 0] < _SETTLED
    step += points.current
    return settled


def _robust(voltage: FloatArray, theta: FloatArray) -> FloatArray:
    return single_diode_current(voltage, as_diodes(theta))


def derivatives(voltage: FloatArray, theta: FloatArray) -> FloatArray:
    """Return the exact current's derivatives ``(5, n)`` of one curve; ``theta`` is ``(5,)``."""
    light, q, series, shunt, log_a = theta.tolist()
    slope = np.exp(-log_a)
    dark = np.exp(q - slope)
    current = single_diode_current(voltage, as_diodes(theta[:, None]))[0]
    diode = light + dark - shunt * voltage - (1.0 + shunt * series) * current
    stiff = 1.0 + series * (shunt + slope * diode)
    rows = np.stack(
        [np.ones_like(voltage), voltage, current, diode, voltage * diode, current * diode]
    )
    return np.asarray(_combine(rows / stiff, theta[:, None]), dtype=np.float64)


def as_diodes(theta: FloatArray) -> Diodes:
    """Return the scaled parameters as models in the same scaled units."""
    light, q, series, shunt, log_a = theta
    a = np.exp(log_a)
    return Diodes(
        photocurrent=light,
        saturation_current=np.exp(q - 1.0 / a),
        resistance_series=series,
        conductance_shunt=shunt,
        nNsVth=a,
    )


def _fill(basis: FloatArray, voltage: FloatArray, current: FloatArray) -> None:
    """Write the monomials of v and i behind the constant one."""
    basis[:, 1] = voltage
    basis[:, 2] = current
    np.multiply(voltage, voltage, out=basis[:, 3])
    np.multiply(voltage, current, out=basis[:, 4])
    np.multiply(current, current, out=basis[:, 5])


def _sums(basis: FloatArray, diode: FloatArray, powers: FloatArray) -> FloatArray:
    """Return sums ``(3, 6, m)`` of ``powers[:, 0] * E^k`` times the monomials of v and i."""
    np.multiply(powers[:, 0], diode, out=powers[:, 1])
    np.multiply(powers[:, 1], diode, out=powers[:, 2])
    sums: FloatArray = np.matmul(powers, basis.swapaxes(1, 2))
    return sums.transpose(1, 2, 0)


# Where the product of two of {1, v, i} stands among the six monomials.
_SYMMETRIC = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])


def _assemble(sums: FloatArray, theta: FloatArray) -> Normal:
    """Turn the 18 sums into cost, gradient and matrix of the linearised implicit equation."""
    gram = np.empty((6, 6, theta.shape[1]))
    square = sums[:, _SYMMETRIC]
    gram[:3, :3], gram[:3, 3:], gram[3:, :3], gram[3:, 3:] = square[[0, 1, 1, 2]]
    light, q, series, shunt, log_a = theta
    dark = np.exp(q - np.exp(-log_a))
    residual = (light + dark) * gram[0] - shunt * gram[1]
    residual -= (1.0 + shunt * series) * gram[2]
    residual -= gram[3]
    half = _combine(gram, theta)  # (5, 6, m)
    matrix = _combine(half.swapaxes(0, 1), theta)
    cost = (light + dark) * residual[0] - shunt * residual[1]
    cost -= (1.0 + shunt * series) * residual[2] + residual[3]
    return Normal(cost, _combine(residual, theta), matrix)


def _combine(rows: FloatArray, theta: FloatArray) -> FloatArray:
    """Turn sums over the six functions into sums over the five derivatives."""
    _, q, series, shunt, log_a = theta
    slope = np.exp(-log_a)
    dark = np.exp(q - slope)
    out = np.empty((5, *rows.shape[1:]))
    out[0] = rows[0]
    out[1] = dark * rows[0] - rows[3]
    out[2] = -shunt * rows[2] - slope * rows[5]
    out[3] = -rows[1] - series * rows[2]
    out[4] = slope * (dark * rows[0] - rows[3] + rows[4] + series * rows[5])
    return out
