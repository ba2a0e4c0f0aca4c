"""Voltages of single cells from electroluminescence (Potthoff et al., Prog. Photovolt. 2010).

A cell at junction voltage V shines with Φ = C exp(V / V_T); C is its optics and never known.
The ratio of two pictures at currents I_h > I_l does without it:

    V_h - V_l = V_T ln ρ,   ρ = Φ_h / Φ_l.

All cells of a string carry the same current. Without a shunt ρ = I_h / I_l (diode of ideality
one). A shunt conductance G takes V G past the junction, which hardly shows at I_h and much at
I_l: ρ = (I_h - V_h G) / (I_l - V_l G), so

    G = (ρ I_l - I_h) / (ρ V_l - V_h),

and with G both voltages follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.el.correction import correct
from grading.el.find import find_grid, finding_size
from grading.el.grid import Grid
from grading.el.lens import Array
from grading.el.rectify import SIDE, cut_cells
from grading.errors import ImageError
from grading.values import ELImage, FloatArray, read_only

BOLTZMANN_PER_CHARGE = 8.617333262e-5  # V/K (CODATA 2018)
_TYPICAL_HIGH = 0.63  # V of a silicon cell near its short-circuit current
_SHUNTED = 0.05  # of the low current that flows past the junction
_INSIDE = slice(SIDE // 10, -SIDE // 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellVoltages:
    """Junction voltages of all cells, (rows, columns) each, in volts.

    ``low`` and ``high`` are at the two currents, relative to the median cell (or absolute where the
    module's voltage was given); ``shunt_share`` is the part of the low current that flows past
    the junction; ``shunted`` says where that is certain; ``u`` is the standard uncertainty of
    ``low`` [V].
    """

    low: FloatArray
    high: FloatArray
    shunt_share: FloatArray
    shunted: NDArray[np.bool_]
    u: FloatArray

    def __post_init__(self) -> None:
        for name in ("low", "high", "shunt_share", "u"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        self.shunted.setflags(write=False)


def cell_voltages(
    image_low: ELImage,
    image_high: ELImage,
    *,
    module_voltage: float | None = None,
    temperature: float = 25.0,
) -> CellVoltages:
    """Return the voltage of every cell from two pictures of a module that was not moved.

    Args:
        image_low: at about a tenth of the short-circuit current; ``current`` must be given.
        image_high: at about the short-circuit current.
        module_voltage: sum of the cells' voltages at the high current [V], or None.
        temperature: of the cells [°C].

    Raises:
        ImageError: as ``analyse``, and ``current_missing`` or ``pictures_differ``.
    """
    low_current, high_current = _currents(image_low, image_high)
    high, low = correct(image_high), correct(image_low)
    small, factor = finding_size(high.signal)
    grid = find_grid(small, high.noise * factor, high.step).scaled(1.0 / factor)
    bright, _ = _cell_light(high.signal, high.noise, grid)
    faint, noise = _cell_light(low.signal, low.noise, grid)
    relative = noise / np.maximum(faint, 1e-9)
    lit = bright > 0.05 * np.median(bright)
    ratio = bright / np.maximum(faint, 1e-9 * float(bright.max()))
    ratio *= (high_current / low_current) / float(np.median(ratio[lit]))
    thermal = BOLTZMANN_PER_CHARGE * (temperature + 273.15)
    conductance = _conductance(ratio, low_current, high_current, thermal)
    at_high = thermal * np.log1p(-np.minimum(_TYPICAL_HIGH * conductance / high_current, 0.9))
    at_low = at_high - thermal * np.log(ratio * low_current / high_current)
    shape = (grid.rows.cells, grid.columns.cells)
    offset = 0.0 if module_voltage is None else (module_voltage - at_high.sum()) / at_high.size
    step = 0.0 if module_voltage is None else thermal * np.log(high_current / low_current)
    share = conductance * (_TYPICAL_HIGH - thermal * np.log(ratio)) / low_current
    spread = 1.4826 * float(np.median(np.abs(share[lit] - np.median(share[lit]))))
    return CellVoltages(
        low=(at_low + offset - step).reshape(shape),
        high=(at_high + offset).reshape(shape),
        shunt_share=share.reshape(shape),
        shunted=(lit & (share > max(_SHUNTED, 5.0 * spread))).reshape(shape),
        u=(thermal * relative).reshape(shape),
    )


def _currents(low: ELImage, high: ELImage) -> tuple[float, float]:
    if low.pixels.shape != high.pixels.shape:
        raise ImageError(
            "pictures_differ",
            f"The pictures have {low.pixels.shape} and {high.pixels.shape} pixels.",
            "Take both with the same camera, without moving it.",
        )
    if not low.current or not high.current or low.current >= high.current:
        raise ImageError(
            "current_missing",
            f"Currents of {low.current} and {high.current} A: two different ones are needed.",
            "Give both injected currents, the lower first.",
        )
    return low.current, high.current


def _cell_light(signal: NDArray[np.float32], noise: float, grid: Grid) -> tuple[Array, Array]:
    """Mean light of each cell and its standard uncertainty, (n,)."""
    inside = cut_cells(signal, grid)[:, _INSIDE, _INSIDE].reshape(
        grid.rows.cells * grid.columns.cells, -1
    )
    width, height = grid.cell_size()
    pixels = max(0.64 * width * height, 1.0)
    light = inside.mean(axis=1, dtype=np.float64)
    return light, np.full_like(light, noise / np.sqrt(pixels))


def _conductance(ratio: Array, low: float, high: float, thermal: float) -> Array:
    """Shunt conductance [S] of each cell from the ratio of its light at two currents."""
    voltage_low = _TYPICAL_HIGH - thermal * np.log(ratio)
    below = ratio * voltage_low - _TYPICAL_HIGH
    conductance = (ratio * low - high) / np.where(np.abs(below) > 1e-6, below, np.inf)
    return np.asarray(np.clip(conductance, -0.2 * low, 2.0 * low))
