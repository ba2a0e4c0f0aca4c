"""Residuals of the scaled single-diode model and their normal equations, for a whole block.

Parameters ``theta``, shape ``(5, m)``: photocurrent, exponent ``q`` at unit voltage, series
resistance, shunt conductance, ``ln a``; so ``E = exp(q + (v + rs i - 1) / a)`` is the diode's
current and ``I0 = exp(q - 1 / a)``. Anchored at the end of the curve, ``q`` and ``a`` hardly
correlate, which a pair ``(ln I0, a)`` does.

The derivative of the explicit current is that of the implicit equation, ``F``, over
``D = 1 + rs (E / a + g)``, so every column is a combination of the six functions
``{1, v, i, E, v E, i E} / D``. The normal equations follow from their 18 distinct weighted
sums, which is half the work of forming five columns, and no column is ever stored.

All of the equation is multiplied by ``b / k``, with ``b = rs / a`` and ``k = 1 + rs g``. That
leaves ``F = (line - i) b - U`` and ``D = 1 + U``, where ``U`` is one exponential of one linear
form: no pass over the samples then needs a constant of its curve, which costs NumPy twice the
time of a pass without. At the explicit current ``F`` is zero, so there ``i b = line b - U``, and
the sums over the current follow from those over ``v^j U^k``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from grading.iv.diode import Diodes, single_diode_current
from grading.iv.points import IntArray, Points
from grading.values import FloatArray

# The largest step of Halley's, in exponents, whose square is of no account.
_SETTLED = 1e-2
_LARGEST = 300.0


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


@dataclass(frozen=True, slots=True)
class _Model:
    """The scaled model's constants, ``(m,)``, of the equation multiplied by ``b / k``."""

    bend: FloatArray  # b
    q: FloatArray  # of U
    slope: FloatArray  # 1 / a
    series: FloatArray
    unit: FloatArray  # b / k
    dark: FloatArray
    light: FloatArray  # photocurrent and dark current
    shunt: FloatArray

    @classmethod
    def of(cls, theta: FloatArray) -> _Model:
        light, q, series, shunt, log_a = theta
        slope, k = np.exp(-log_a), 1.0 + series * shunt
        # A drop in Rs of 1e-12 of a is none, and keeps U a number with all its digits.
        bend = np.maximum(series * slope, 1e-12)
        unit = bend / k
        q = q + np.log(unit)
        dark = np.exp(q - slope)
        return cls(bend, q, slope, series, unit, dark, light * unit + dark, shunt * unit)

    def exponent(self) -> FloatArray:
        """Return coefficients ``(m, 1, 3)`` of v, 1, i in the exponent of U."""
        columns = (self.slope, self.q - self.slope, self.series * self.slope)
        return np.stack(columns, axis=1)[:, None]

    def line(self) -> FloatArray:
        """Return coefficients ``(m, 1, 3)`` of v, 1, i in ``(line - i) b``."""
        return np.stack((-self.shunt, self.light, -self.bend), axis=1)[:, None]

    def current(self, sums: FloatArray) -> FloatArray:
        """Turn sums ``(k, 3, m)`` over ``U^k`` and v^2, v, 1 into ``(k - 1, 2, m)`` over v i, i."""
        straight = self.light * sums[:-1, 1:] - self.shunt * sums[:-1, :-1]
        return np.asarray((straight - sums[1:, 1:]) / self.bend, dtype=np.float64)


def implicit(points: Points, theta: FloatArray) -> Normal:
    """Linearise at the *measured* current: one exponential a sample.

    The residual ``F / D`` differs from that of the explicit current by a relative amount of the
    order of the residual itself, which the exact stage then removes.
    """
    model = _Model.of(theta)
    exponent = model.exponent()
    sums = np.empty((theta.shape[1], 3, 6))
    for rows in points.parts():
        basis, weight = points.basis[:, rows], points.weight[rows]
        powers = points.room.planes("products", 3, *weight.shape)
        diode, stiff = points.room.planes("others", 2, *weight.shape)
        _linear(exponent[rows], basis, diode)
        _exponential(diode)
        np.add(diode, 1.0, out=stiff)
        _powers(diode, stiff, weight, powers)
        np.matmul(powers.swapaxes(0, 1), basis.transpose(1, 2, 0), out=sums[rows])
    return _assemble(np.ascontiguousarray(sums.transpose(1, 2, 0)), model)


def exact(points: Points, theta: FloatArray) -> Normal:
    """Linearise at the model's own current, the solution of the implicit equation."""
    model = _Model.of(theta)
    sums, cost = np.empty((theta.shape[1], 8, 3)), np.empty(theta.shape[1])
    lines = model.exponent(), model.line()
    for rows in points.parts():
        part = points.take(rows)
        products = points.room.planes("products", 8, *part.weight.shape)
        planes = points.room.planes("others", 4, *part.weight.shape)
        powers, pulls = products[:5], products[5:]
        residual, diode = _solve(part, theta[:, rows], [line[rows] for line in lines], planes)
        stiff = np.add(diode, 1.0, out=planes[2])
        np.multiply(part.weight, residual, out=pulls[0])
        cost[rows] = np.vecdot(pulls[0], residual)
        pulls[0] /= stiff
        _rise(pulls, diode)
        _powers(diode, stiff, part.weight, powers)
        np.matmul(products.swapaxes(0, 1), part.basis[:3].transpose(1, 2, 0), out=sums[rows])
    sums = np.ascontiguousarray(sums.transpose(1, 2, 0))
    bend = model.bend
    return Normal(cost / bend**2, _pull(sums[5:], model) / bend, _matrix(sums[:5], model))


def _linear(line: FloatArray, basis: FloatArray, out: FloatArray) -> None:
    """Write the linear forms with coefficients ``(m, 1, 3)`` of v, 1, i to ``out``."""
    np.matmul(line, basis[1:4].swapaxes(0, 1), out=out[:, None])


def _exponential(exponent: FloatArray) -> None:
    """Take the exponential in place, of far-off trials too: their squares stay numbers."""
    np.minimum(exponent, _LARGEST, out=exponent)
    np.exp(exponent, out=exponent)


def _powers(diode: FloatArray, stiff: FloatArray, weight: FloatArray, out: FloatArray) -> None:
    """Write ``w U^k / D^2`` for k from 0 on."""
    np.multiply(stiff, stiff, out=out[1])
    np.divide(weight, out[1], out=out[0])
    _rise(out, diode)


def _rise(planes: FloatArray, diode: FloatArray) -> None:
    """Multiply each plane behind the first by one more power of U."""
    for lower, plane in pairwise(planes):
        np.multiply(lower, diode, out=plane)


def solve(points: Points, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return current and conductance ``-dI/dV`` of the explicit model, each ``(m, n)``."""
    model = _Model.of(theta)
    planes = np.empty((4, *points.weight.shape))
    residual, diode = _solve(points, theta, [model.exponent(), model.line()], planes)
    bend, slope, shunt = (x[:, None] for x in (model.bend, model.slope, model.shunt))
    conductance = (slope * diode + shunt) / (bend * (1.0 + diode))
    return residual / bend + points.current, conductance


def _solve(
    points: Points, theta: FloatArray, lines: Sequence[FloatArray], planes: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the residual times b, and U at the explicit current, in two of four ``planes``.

    One step of Halley's from the measured current is of third order: where residuals are small
    against the bend of the curve, what it leaves out is their square, relative to themselves.
    Where it does not suffice the current comes from the Wright omega function.
    """
    step, diode, stiff, line = planes
    _linear(lines[0], points.basis, diode)
    _linear(lines[1], points.basis, line)
    _exponential(diode)
    np.add(diode, 1.0, out=stiff)
    np.subtract(line, diode, out=step)
    step /= stiff
    diode /= stiff
    diode *= step
    diode *= 0.5
    diode += 1.0
    step /= diode
    size = np.abs(step, out=diode)
    if size.max() >= _SETTLED:
        far = np.flatnonzero(size.max(axis=1) >= _SETTLED)
        explicit = single_diode_current(points.voltage[far], as_diodes(theta[:, far]))
        bend = -lines[1][far, :, 2]
        step[far] = bend * (explicit - points.current[far])
    return step, np.subtract(line, step, out=diode)


def derivatives(voltage: FloatArray, theta: FloatArray) -> FloatArray:
    """Return the exact current's derivatives ``(5, n)`` of one curve; ``theta`` is ``(5,)``."""
    model = _Model.of(theta[:, None])
    current = single_diode_current(voltage, as_diodes(theta[:, None]))[0]
    diode = model.light - model.shunt * voltage - model.bend * current
    stiff = 1.0 + diode
    rows = np.stack(
        [np.ones_like(voltage), voltage, current, diode, voltage * diode, current * diode]
    )
    return np.asarray(_combine(rows / stiff, model), dtype=np.float64)


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


# Where the product of two of {1, v, i} stands among the six monomials.
_SYMMETRIC = np.array([[2, 1, 3], [1, 0, 4], [3, 4, 5]])


def _gram(sums: FloatArray) -> FloatArray:
    """Arrange sums ``(3, 6, m)`` over U^k and the monomials as products of the six functions."""
    gram = np.empty((6, 6, sums.shape[2]))
    gram[:3, :3], gram[3:, 3:] = sums[0][_SYMMETRIC], sums[2][_SYMMETRIC]
    gram[:3, 3:] = gram[3:, :3] = sums[1][_SYMMETRIC]
    return gram


def _assemble(sums: FloatArray, model: _Model) -> Normal:
    """Turn the 18 sums into cost, gradient and matrix of the linearised implicit equation."""
    gram, bend = _gram(sums), model.bend
    residual = model.light * gram[0] - model.shunt * gram[1]
    residual -= bend * gram[2] + gram[3]
    matrix = _combine(_combine(gram, model).swapaxes(0, 1), model)
    cost = model.light * residual[0] - model.shunt * residual[1]
    cost -= bend * residual[2] + residual[3]
    return Normal(cost / bend**2, _combine(residual, model) / bend, matrix)


def _matrix(sums: FloatArray, model: _Model) -> FloatArray:
    """Turn sums ``(5, 3, m)`` over U^k and v^2, v, 1 into the normal matrix."""
    mixed = model.current(sums)  # v i, i
    whole = np.empty((3, 6, sums.shape[2]))
    whole[:, :3], whole[:, 3], whole[:, 4] = sums[:3], mixed[:3, 1], mixed[:3, 0]
    straight = model.light * mixed[:3, 1] - model.shunt * mixed[:3, 0]
    whole[:, 5] = (straight - mixed[1:, 1]) / model.bend
    return _combine(_combine(_gram(whole), model).swapaxes(0, 1), model)


def _pull(sums: FloatArray, model: _Model) -> FloatArray:
    """Turn sums ``(3, 3, m)`` over ``r U^k / D`` and v^2, v, 1 into the gradient."""
    current = model.current(sums)[:, 1]
    both = np.stack([sums[:2, 2], sums[:2, 1], current], axis=1)
    return _combine(both.reshape(6, -1), model)


def _combine(rows: FloatArray, model: _Model) -> FloatArray:
    """Turn sums over the six functions into sums over the five derivatives."""
    inverse = 1.0 / model.bend
    unit, dark = model.unit * inverse, model.dark * inverse
    shunt, slope = model.shunt * inverse, model.slope * inverse
    out = np.empty((5, *rows.shape[1:]))
    out[0] = unit * rows[0]
    out[1] = dark * rows[0] - inverse * rows[3]
    out[2] = -shunt * rows[2] - slope * rows[5]
    out[3] = -unit * (rows[1] + model.series * rows[2])
    out[4] = slope * (model.dark * rows[0] - rows[3] + rows[4] + model.series * rows[5])
    return out
