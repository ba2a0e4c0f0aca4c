"""One module photographed at two currents, with the voltage of every cell known.

A cell is a diode beside a shunt; its light is its own factor times ``exp(V / V_th)`` (Fuyuki et al.
2005), so a shunted cell dims at the low current.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grading.values import ELImage, FloatArray
from simulators.el_module import Camera, Module, draw_module, take_photo

THERMAL = 8.617333262e-5 * 298.15  # V, k T / q at 25 °C
HIGH, LOW = 9.0, 0.9  # A
AT_HIGH = 0.63  # V, of a sound cell at the high current
OPTICS = 0.08  # spread of the cells' own factors (log)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoCurrents:
    """Both pictures, the cells' voltages at either current ``(60,)``, and who is shunted."""

    low: ELImage
    high: ELImage
    v_low: FloatArray
    v_high: FloatArray
    shunted: NDArray[np.intp]


def two_currents(rng: np.random.Generator, conductance: FloatArray) -> TwoCurrents:
    """Photograph a 60-cell module whose cells have shunts of ``conductance`` ``(60,)`` [S]."""
    module = draw_module(rng, layout=(6, 10, False), kinds=12)
    optics = np.exp(rng.normal(0, OPTICS, conductance.size))
    v_low, v_high = (junction_voltage(current, conductance) for current in (LOW, HIGH))
    seed = int(rng.integers(2**31))
    return TwoCurrents(
        low=_shoot(module, optics, v_low, LOW, exposure=5.0, seed=seed),
        high=_shoot(module, optics, v_high, HIGH, exposure=0.6, seed=seed + 1),
        v_low=v_low,
        v_high=v_high,
        shunted=np.flatnonzero(conductance > 0),
    )


def junction_voltage(current: float, conductance: FloatArray) -> FloatArray:
    """Voltage [V] of diodes of ``AT_HIGH`` at ``HIGH`` beside shunts, by Newton's method."""
    saturation = HIGH / np.exp(AT_HIGH / THERMAL)
    voltage = np.full_like(conductance, THERMAL * np.log(current / saturation))
    for _ in range(100):
        diode = saturation * np.exp(voltage / THERMAL)
        voltage -= (diode + conductance * voltage - current) / (diode / THERMAL + conductance)
    return voltage


def _shoot(
    module: Module,
    optics: FloatArray,
    voltage: FloatArray,
    current: float,
    *,
    exposure: float,
    seed: int,
) -> ELImage:
    light = optics * np.exp((voltage - AT_HIGH) / THERMAL)
    cells = tuple(
        replace(cell, level=float(level)) for cell, level in zip(module.cells, light, strict=True)
    )
    camera = Camera(exposure=exposure, bits=16, k1=-0.03, roll=0.05, glow=0.015, seed=seed)
    photo = take_photo(replace(module, cells=cells), camera)
    return ELImage(pixels=photo.pixels, dark=photo.dark, flat=photo.flat, current=current)
