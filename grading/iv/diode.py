"""The single-diode model: explicit currents and characteristic points, for many curves at once.

The model is ``I = IL - I0 (exp((V + I Rs) / a) - 1) - G (V + I Rs)``, with ``a = n Ns k T / q``
(pvlib's ``nNsVth``) and ``G = 1 / Rsh``. Its explicit form goes through the Wright omega
function, ``omega + ln(omega) = theta``, which is Lambert's W without its overflow.

References:
    Jain and Kapoor, Sol. Energy Mater. Sol. Cells 81 (2004) 269, doi:10.1016/j.solmat.2003.11.018
    Fritsch, Shafer and Crowley, Commun. ACM 16 (1973) 123, algorithm 443
    Iacono and Boyd, Adv. Comput. Math. 43 (2017) 1403, doi:10.1007/s10444-017-9530-3, eq. (14)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from grading.values import FloatArray, KeyFigures, SingleDiode

# Samples that are worked on together: about a dozen arrays of this length stay in the L2 cache.
BLOCK = 8192
# Below this exponent omega is the exponential itself, and further down it would underflow.
_LOWEST = -600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Diodes:
    """Parameters of ``m`` single-diode models; every array has shape ``(m,)``."""

    photocurrent: FloatArray  # A
    saturation_current: FloatArray  # A
    resistance_series: FloatArray  # Ω
    conductance_shunt: FloatArray  # S
    nNsVth: FloatArray  # noqa: N815  # V

    @classmethod
    def of(cls, models: Sequence[SingleDiode]) -> Diodes:
        """Gather single models into one batch."""
        return cls(
            photocurrent=np.array([model.photocurrent for model in models]),
            saturation_current=np.array([model.saturation_current for model in models]),
            resistance_series=np.array([model.resistance_series for model in models]),
            conductance_shunt=np.array([1.0 / model.resistance_shunt for model in models]),
            nNsVth=np.array([model.nNsVth for model in models]),
        )

    @classmethod
    def empty(cls, count: int) -> Diodes:
        """Return room for ``count`` models, to be filled in."""
        return cls(**{f.name: np.empty(count) for f in fields(cls)})

    def take(self, index: object) -> Diodes:
        """Return the models at ``index``: a slice, a mask or positions."""
        return Diodes(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def copy(self) -> Diodes:
        """Return a copy whose entries can be replaced."""
        return Diodes(**{f.name: getattr(self, f.name).copy() for f in fields(self)})

    def put(self, row: int, other: Diodes, at: int) -> None:
        """Replace one model by the one ``at`` a place of ``other``."""
        for f in fields(self):
            getattr(self, f.name)[row] = getattr(other, f.name)[at]

    def __len__(self) -> int:
        return int(self.photocurrent.size)


def omega(theta: FloatArray) -> FloatArray:
    """Return the Wright omega function of real ``theta``, to the last few bits.

    Starts from Iacono and Boyd's approximation (1%) and makes two steps of Fritsch's iteration,
    which is of fourth order.
    """
    clipped = np.maximum(theta, _LOWEST)
    soft = np.maximum(clipped, 0.0) + np.log1p(np.exp(-np.abs(clipped)))
    # log1p(exp(theta)) loses all bits below -37, where omega is exp(theta).
    guess = np.where(
        clipped < -30.0, np.exp(np.minimum(clipped, 0.0)), soft * (1 - np.log1p(soft) / (2 + soft))
    )
    for _ in range(2):
        error = clipped - guess - np.log(guess)
        rise = 1.0 + guess
        scale = 2.0 * rise * (rise + error * (2.0 / 3.0))
        guess = guess * (1.0 + error / rise * (scale - error) / (scale - 2.0 * error))
    return guess


def single_diode_current(voltage: FloatArray, diodes: Diodes | SingleDiode) -> FloatArray:
    """Return the exact current [A] of each model at ``voltage`` [V].

    Args:
        voltage: shape ``(n,)`` for one model, or for all the same; ``(m, n)`` for each its own.
        diodes: ``m`` models, or one.

    Returns:
        Shape ``(m, n)``, or ``(n,)`` for one :class:`SingleDiode`.
    """
    if isinstance(diodes, SingleDiode):
        return np.asarray(single_diode_current(voltage, Diodes.of([diodes]))[0], dtype=np.float64)
    voltage = np.asarray(voltage, dtype=np.float64)
    if voltage.ndim == 1:
        voltage = np.broadcast_to(voltage, (len(diodes), voltage.size))
    current = np.empty(voltage.shape)
    step = max(1, BLOCK // max(1, voltage.shape[1]))
    for start in range(0, len(diodes), step):
        rows = slice(start, start + step)
        current[rows] = _explicit(voltage[rows], diodes.take(rows))
    return current


def _explicit(voltage: FloatArray, diodes: Diodes) -> FloatArray:
    light = (diodes.photocurrent + diodes.saturation_current)[:, None]
    a = diodes.nNsVth[:, None]
    # The formula needs Rs > 0; a drop of 1e-14 of nNsVth at 1 A is zero for every purpose.
    series = np.maximum(diodes.resistance_series[:, None], 1e-14 * a)
    shunt = diodes.conductance_shunt[:, None]
    divider = 1.0 + shunt * series
    reach = a * divider
    theta = (
        np.log(series * np.maximum(diodes.saturation_current[:, None], 1e-300) / reach)
        + series * light / reach
    )
    drop = omega(theta + voltage / reach)
    return (light - shunt * voltage) / divider - a / series * drop


def open_circuit_voltage(diodes: Diodes) -> FloatArray:
    """Return V_oc [V], shape ``(m,)``: Newton from above on a convex function, so monotone."""
    a, dark = diodes.nNsVth, diodes.saturation_current
    voltage = a * np.log1p(np.maximum(diodes.photocurrent, 0.0) / dark)
    for _ in range(60):
        rise = dark * np.exp(voltage / a)
        excess = rise - dark + diodes.conductance_shunt * voltage - diodes.photocurrent
        step = excess / (rise / a + diodes.conductance_shunt)
        voltage = voltage - step
        if np.all(np.abs(step) <= 1e-14 * np.abs(voltage)):
            break
    return np.asarray(np.maximum(voltage, 0.0), dtype=np.float64)


def maximum_power(diodes: Diodes) -> tuple[FloatArray, FloatArray]:
    """Return (I_mp [A], V_mp [V]), each of shape ``(m,)``.

    Along the diode's own voltage ``x = V + I Rs`` both current and power are explicit, so the
    maximum is the root of one smooth function, bracketed between short and open circuit.
    """
    a, series, shunt = diodes.nNsVth, diodes.resistance_series, diodes.conductance_shunt
    high = open_circuit_voltage(diodes)
    low = np.zeros_like(high)
    x = np.clip(high - a * np.log1p(high / a), 0.0, high)
    for _ in range(60):
        rise = diodes.saturation_current * np.exp(x / a)
        current = diodes.photocurrent - rise + diodes.saturation_current - shunt * x
        slope = -rise / a - shunt
        arm = x - 2.0 * series * current
        power_slope = current + slope * arm
        low, high = np.where(power_slope > 0, x, low), np.where(power_slope > 0, high, x)
        bend = 2.0 * slope - 2.0 * series * slope**2 - rise / a**2 * arm
        newton = x - power_slope / np.where(bend < 0, bend, -np.inf)
        inside = (newton > low) & (newton < high) & (bend < 0)
        moved = np.where(inside, newton, 0.5 * (low + high))
        done = np.all(np.abs(moved - x) <= 1e-14 * np.abs(high))
        x = moved
        if done:
            break
    dark = diodes.saturation_current * np.expm1(x / a)
    current = diodes.photocurrent - dark - shunt * x
    return current, x - current * series


def model_key_figures(diodes: Diodes) -> list[KeyFigures]:
    """Return the key figures of each model, exact to rounding."""
    i_sc = single_diode_current(np.zeros(1), diodes)[:, 0]
    v_oc = open_circuit_voltage(diodes)
    i_mp, v_mp = maximum_power(diodes)
    return [
        KeyFigures(
            i_sc=isc,
            v_oc=voc,
            i_mp=imp,
            v_mp=vmp,
            p_mp=imp * vmp,
            fill_factor=imp * vmp / (isc * voc) if isc * voc > 0 else 0.0,
        )
        for isc, voc, imp, vmp in zip(
            i_sc.tolist(), v_oc.tolist(), i_mp.tolist(), v_mp.tolist(), strict=True
        )
    ]
