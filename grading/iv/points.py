"""Ragged curves as padded blocks: what the fitter works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.values import FloatArray

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
# Samples in one block: its dozen arrays together take about 1 MB, the size of one core's L2 cache.
BLOCK = 8192
# Samples that are gathered at a time: their curves share the small linear algebra of each step.
CHUNK = 196_608


@dataclass(frozen=True, slots=True)
class Points:
    """``m`` curves, padded to ``n`` samples, scaled so that voltage and current are near one.

    ``weight`` is 0 on padding. ``volt`` and ``ampere`` are the scales, shape ``(m,)``.
    """

    voltage: FloatArray  # (m, n), in units of volt
    current: FloatArray  # (m, n), in units of ampere
    weight: FloatArray  # (m, n)
    volt: FloatArray  # V
    ampere: FloatArray  # A

    def take(self, rows: IntArray | slice) -> Points:
        """Return some of the curves."""
        return Points(
            self.voltage[rows],
            self.current[rows],
            self.weight[rows],
            self.volt[rows],
            self.ampere[rows],
        )

    def parts(self) -> Iterator[slice]:
        """Yield rows that fill one block each."""
        step = max(1, BLOCK // self.voltage.shape[1])
        for first in range(0, self.voltage.shape[0], step):
            yield slice(first, first + step)

    def reweighted(self, weight: FloatArray) -> Points:
        """Return the same curves under another weight, shape ``(m, n)``."""
        return Points(self.voltage, self.current, weight, self.volt, self.ampere)

    def thinned(self, samples: int) -> Points:
        """Return about ``samples`` of each curve's samples, evenly through its order."""
        count = np.count_nonzero(self.weight, axis=1)
        pick = np.linspace(0.0, 1.0, samples) * (np.maximum(count, 1) - 1)[:, None]
        at = np.rint(pick).astype(np.intp)
        return Points(
            np.take_along_axis(self.voltage, at, axis=1),
            np.take_along_axis(self.current, at, axis=1),
            np.take_along_axis(self.weight, at, axis=1),
            self.volt,
            self.ampere,
        )


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
    weights: Sequence[FloatArray | None],
) -> Points:
    """Pad curves to one length and scale each by its largest voltage and current."""
    longest = max(voltage.size for voltage in voltages)
    shape = (len(voltages), longest)
    volts, amperes, weight = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for row, (voltage, current, own) in enumerate(zip(voltages, currents, weights, strict=True)):
        volts[row, : voltage.size] = voltage
        amperes[row, : voltage.size] = current
        weight[row, : voltage.size] = 1.0 if own is None else own
    return scaled(volts, amperes, weight)


def scaled(voltage: FloatArray, current: FloatArray, weight: FloatArray) -> Points:
    """Scale padded curves of shape ``(m, n)`` by their largest voltage and current."""
    volt = np.abs(voltage).max(axis=1)
    ampere = np.abs(current).max(axis=1)
    return Points(voltage / volt[:, None], current / ampere[:, None], weight, volt, ampere)
