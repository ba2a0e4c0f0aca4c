"""A module of cells in series with reverse breakdown and bypass diodes, in batch.

Each cell follows Bishop's model, ``I = IL - I0 (exp(x / a) - 1) - G x (1 + k (1 - x / Vbr)^-m)``
at its junction voltage ``x``; a substring is cells in series with a bypass diode across; a
module is substrings in series. Along one substring's own current all voltages add up, and the
bypass diode adds its current at that voltage, so no system of equations is solved: only one
scalar root for each cell and current.

Reference:
    Bishop, Solar Cells 25 (1988) 73, doi:10.1016/0379-6787(88)90059-2, eq. (3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grading.values import FloatArray

_CURRENTS = 800  # samples along the current of a substring
_ROUNDS = 60
_HANDOVER = np.linspace(-0.9, 0.3, 241)  # V: where bypass diodes begin to carry the current


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleModel:
    """``m`` modules of ``s`` substrings of ``c`` cells each.

    Cell parameters broadcast to ``(m, s, c)``; give ``(m, 1, 1)`` for equal cells.
    """

    photocurrent: FloatArray  # A, (m, s, c)
    saturation_current: FloatArray  # A
    resistance_series: FloatArray  # Ω, of one cell
    conductance_shunt: FloatArray  # S, of one cell
    nVth: FloatArray  # noqa: N815  # V, of one cell
    breakdown_voltage: float = -15.0  # V, of one cell
    breakdown_factor: float = 0.1  # 1
    breakdown_exponent: float = 3.28  # 1
    bypass_saturation: float = 1e-6  # A; 0 for an open bypass diode
    bypass_voltage: float = 0.030  # V, ideality times thermal voltage

    def curve(self, currents: FloatArray) -> FloatArray:
        """Return the voltage [V] of each module at ``currents`` [A].

        Args:
            currents: shape ``(k,)``, ascending.

        Returns:
            Shape ``(m, k)``, falling along the current.
        """
        own = self._own_currents(float(currents.max()))
        strings = self._substring_voltages(own)  # (m, s, j)
        out = np.zeros((strings.shape[0], currents.size))
        for module, substrings in enumerate(strings):
            for volts in substrings:
                # Where the bypass diode takes over, the cells' own current hardly changes, so
                # there it is read off along the voltage, which the diode's law bends.
                along = np.union1d(volts, _HANDOVER)
                through = np.interp(along, volts[::-1], own[::-1]) + self._bypass_current(along)
                out[module] += np.interp(currents, through[::-1], along[::-1])
        return out

    def current(self, voltages: FloatArray) -> FloatArray:
        """Return the current [A] of each module at ``voltages`` [V], shape ``(m, k)``.

        Interpolates :meth:`curve` between currents that lie dense where it bends.
        """
        grid = self._own_currents(float(self.photocurrent.max()))
        volts = self.curve(grid)
        return np.stack([np.interp(voltages, row[::-1], grid[::-1]) for row in volts])

    def _own_currents(self, largest: float) -> FloatArray:
        """Currents through the cells, dense below each cell's photocurrent."""
        levels = np.unique(self.photocurrent)
        if levels.size > 24:
            levels = np.quantile(levels, np.linspace(0, 1, 24))
        bends = levels[:, None] * (1.0 - np.geomspace(1e-6, 0.3, 100))
        beyond = levels[:, None] * (1.0 + np.geomspace(1e-6, 0.1, 10))
        line = np.linspace(-0.3 * largest, 1.05 * max(largest, float(levels.max())), _CURRENTS)
        return np.unique(np.concatenate([bends.ravel(), beyond.ravel(), line]))

    def _substring_voltages(self, own: FloatArray) -> FloatArray:
        parameters = np.broadcast_arrays(
            self.photocurrent,
            self.saturation_current,
            self.resistance_series,
            self.conductance_shunt,
            self.nVth,
        )
        modules, substrings, cells = parameters[0].shape
        out = np.zeros((modules, substrings, own.size))
        known: list[FloatArray] = []
        volts = out
        for cell in range(cells):
            columns = [array[:, :, cell, None] for array in parameters]
            # Most cells of a module are alike, and neighbours most of all.
            if not known or not all(map(np.array_equal, columns, known)):
                volts = self._junction(columns, own) - own * columns[2]
                known = columns
            out += volts
        return out

    def _junction(self, cell: list[FloatArray], own: FloatArray) -> FloatArray:
        """Return the junction voltage at each current: the root of a monotone function."""
        light, dark, _, shunt, a = cell
        excess = np.maximum(light + dark - own, 0.0)
        high = a * np.log1p(np.maximum(light - own, 0.0) / dark) + 0.0 * excess
        low = np.full(high.shape, self.breakdown_voltage * (1 - 1e-9))
        x = np.where(own < light, high, 0.5 * low * 1e-3)
        for _ in range(_ROUNDS):
            rise = dark * np.exp(x / a)
            reach = 1.0 - x / self.breakdown_voltage
            avalanche = self.breakdown_factor * reach**-self.breakdown_exponent
            value = light - rise + dark - shunt * x * (1.0 + avalanche) - own
            steep = self.breakdown_exponent * avalanche / reach / self.breakdown_voltage
            slope = -rise / a - shunt * (1.0 + avalanche) - shunt * x * steep
            low, high = np.where(value > 0, x, low), np.where(value > 0, high, x)
            newton = x - value / np.minimum(slope, -1e-300)
            moved = np.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
            if np.all(np.abs(moved - x) <= 1e-13):
                return moved
            x = moved
        return x

    def _bypass_current(self, strings: FloatArray) -> FloatArray:
        # Beyond 60 exponents the diode carries more than any fuse; the voltage is the same.
        exponent = np.clip(-strings / self.bypass_voltage, -60.0, 60.0)
        return np.asarray(self.bypass_saturation * np.expm1(exponent), dtype=np.float64)
