"""Ragged curves as padded blocks: what the fitter works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.values import FloatArray

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
# Samples in one block, measured: fewer, and NumPy's calls cost more than the numbers; more, and a
# block's dozen planes crowd the cache.
BLOCK = 24_576
# Samples that are gathered at a time: their curves share the small linear algebra of each step.
CHUNK = 262_144


class Room:
    """Memory that the chunks of one fit use in turn: fresh pages cost more than the sums do.

    What was written under a name holds until the name is asked for again.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, FloatArray] = {}

    def planes(self, name: str, count: int, rows: int, samples: int) -> FloatArray:
        """Return an array ``(count, rows, samples)`` that may hold anything."""
        size = count * rows * samples
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = np.empty(size)
        return self._arrays[name][:size].reshape(count, rows, samples)


@dataclass(frozen=True, slots=True)
class Points:
    """``m`` curves, padded to ``n`` samples, scaled so that voltage and current are near one.

    ``basis`` holds the monomials ``v^2, v, 1, i, v i, i^2`` of each sample, which every
    linearisation needs, each in a plane of its own: in this order the forms in ``v, 1, i`` and
    in ``v^2, v, 1`` are runs of it. ``weight`` is 0 on padding. ``volt`` and ``ampere`` are the
    scales and ``count`` the numbers of samples, shape ``(m,)``.
    """

    basis: FloatArray  # (6, m, n)
    weight: FloatArray  # (m, n)
    volt: FloatArray  # V
    ampere: FloatArray  # A
    count: FloatArray  # 1
    plain: bool  # whether every weight is 1 but on padding
    room: Room

    @property
    def voltage(self) -> FloatArray:
        """Voltages ``(m, n)``, in units of ``volt``."""
        return np.asarray(self.basis[1], dtype=np.float64)

    @property
    def current(self) -> FloatArray:
        """Currents ``(m, n)``, in units of ``ampere``."""
        return np.asarray(self.basis[3], dtype=np.float64)

    def take(self, rows: IntArray | slice) -> Points:
        """Return some of the curves."""
        return Points(
            self.basis[:, rows],
            self.weight[rows],
            self.volt[rows],
            self.ampere[rows],
            self.count[rows],
            self.plain,
            self.room,
        )

    def parts(self) -> Iterator[slice]:
        """Yield rows that fill one block each."""
        step = max(1, BLOCK // self.weight.shape[1])
        for first in range(0, self.weight.shape[0], step):
            yield slice(first, first + step)

    def reweighted(self, weight: FloatArray) -> Points:
        """Return the same curves under another weight, shape ``(m, n)``."""
        return replace(self, weight=weight, plain=False)

    def thinned(self, samples: int) -> Points:
        """Return about ``samples`` of each curve's samples, evenly through its order."""
        rows, longest = self.weight.shape
        pick = np.linspace(0.0, 1.0, samples) * (np.maximum(self.count, 1.0) - 1.0)[:, None]
        at = np.rint(pick).astype(np.intp) + longest * np.arange(rows)[:, None]
        basis = self.room.planes("thin", 6, rows, samples)
        basis[1], basis[3] = self.voltage.ravel()[at], self.current.ravel()[at]
        weight = self.weight.ravel()[at]
        _complete(basis)
        return replace(self, basis=basis, weight=weight, count=_counted(weight, self.plain))


def blocks(lengths: IntArray, samples: int) -> Iterator[IntArray]:
    """Yield index arrays of curves of similar length that hold about ``samples`` each."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < order.size:
        longest = max(1, int(lengths[order[start]]))
        stop = start + max(1, samples // longest)
        while stop > start + 1 and lengths[order[min(stop, order.size) - 1]] > 1.25 * longest:
            stop = start + max(1, (stop - start) // 2)
        yield order[start:stop]
        start = stop


def pack(
    voltages: Sequence[FloatArray],
    currents: Sequence[FloatArray],
    weights: Sequence[FloatArray] | None,
    room: Room,
) -> Points:
    """Pad curves to one length and scale each by its largest voltage and current."""
    longest = max(voltage.size for voltage in voltages)
    shape = (len(voltages), longest)
    volts, amperes, weight = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for row, (voltage, current) in enumerate(zip(voltages, currents, strict=True)):
        volts[row, : voltage.size] = voltage
        amperes[row, : voltage.size] = current
        weight[row, : voltage.size] = 1.0 if weights is None else weights[row]
    return scaled(volts, amperes, weight, plain=weights is None, room=room)


def scaled(
    voltage: FloatArray, current: FloatArray, weight: FloatArray, *, plain: bool, room: Room
) -> Points:
    """Scale padded curves of shape ``(m, n)`` by their largest voltage and current.

    ``plain`` promises that every weight is 1, but for 0 on padding.
    """
    volt = np.maximum(voltage.max(axis=1), -voltage.min(axis=1))
    ampere = np.maximum(current.max(axis=1), -current.min(axis=1))
    basis = room.planes("basis", 6, *voltage.shape)
    np.divide(voltage, volt[:, None], out=basis[1])
    np.divide(current, ampere[:, None], out=basis[3])
    _complete(basis)
    return Points(basis, weight, volt, ampere, _counted(weight, plain), plain, room)


def _counted(weight: FloatArray, plain: bool) -> FloatArray:
    """Return the number of samples that have any weight."""
    count = weight.sum(axis=1) if plain else np.count_nonzero(weight, axis=1)
    return np.asarray(count, dtype=np.float64)


def _complete(basis: FloatArray) -> None:
    """Write the monomials beside those of first order."""
    voltage, current = basis[1], basis[3]
    basis[2] = 1.0
    np.multiply(voltage, voltage, out=basis[0])
    np.multiply(voltage, current, out=basis[4])
    np.multiply(current, current, out=basis[5])
