"""Translation of curves between irradiances and temperatures, IEC 60891:2021.

Every procedure takes arrays that broadcast: a curve's samples, or its key points alone.
Subscript 1 is measured, 2 the target; G in W/m², T in °C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grading.values import FloatArray

STC_IRRADIANCE = 1000.0  # W/m²
STC_TEMPERATURE = 25.0  # °C
ZERO_CELSIUS = 273.15  # K
BOLTZMANN_PER_CHARGE = 1.380649e-23 / 1.602176634e-19  # V/K, k / q, exact in the SI
# Extrapolated voltage of a crystalline silicon cell at 0 K, IEC 60891:2021, procedure 4.
EPSILON = 1.232  # V


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Irradiance [W/m²] and cell temperature [°C]."""

    irradiance: float
    temperature: float


STC = Conditions(irradiance=STC_IRRADIANCE, temperature=STC_TEMPERATURE)


def translate_procedure_1(
    voltage: ArrayLike,
    current: ArrayLike,
    measured: Conditions,
    target: Conditions,
    *,
    i_sc: float,
    alpha: float,
    beta: float,
    resistance_series: float,
    kappa: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Return (voltage, current) at ``target`` by procedure 1.

    ``i_sc`` [A] is the measured curve's; ``alpha`` [A/K]; ``beta`` [V/K]; ``kappa`` [Ω/K].
    """
    v, i = _arrays(voltage, current)
    warmer = target.temperature - measured.temperature
    i2 = i + i_sc * (target.irradiance / measured.irradiance - 1.0) + alpha * warmer
    v2 = v - resistance_series * (i2 - i) - kappa * i2 * warmer + beta * warmer
    return v2, i2


def translate_procedure_2(
    voltage: ArrayLike,
    current: ArrayLike,
    measured: Conditions,
    target: Conditions,
    *,
    v_oc_stc: float,
    alpha_rel: float,
    beta_rel: float,
    resistance_series: float,
    kappa: float = 0.0,
    b1: float = 0.0,
    b2: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Return (voltage, current) at ``target`` by procedure 2.

    ``alpha_rel``, ``beta_rel`` [1/K] are relative to STC; ``b1``, ``b2`` are the irradiance
    factors of V_oc in ``f(G) = b2 ln²(1000/G) + b1 ln(1000/G) + 1``; ``resistance_series`` [Ω]
    is that at 25 °C, ``kappa`` [Ω/K] its temperature coefficient.
    """
    v, i = _arrays(voltage, current)
    warm1, warm2 = measured.temperature - STC_TEMPERATURE, target.temperature - STC_TEMPERATURE
    ratio = target.irradiance / measured.irradiance
    i2 = ratio * i * (1.0 + alpha_rel * warm2) / (1.0 + alpha_rel * warm1)
    f1, f2 = (irradiance_factor(c.irradiance, b1, b2) for c in (measured, target))
    shift = beta_rel * (f2 * warm2 - f1 * warm1) + 1.0 / f2 - 1.0 / f1
    series = resistance_series + kappa * warm1
    v2 = v - series * (i2 - i) - kappa * i2 * (warm2 - warm1) + v_oc_stc * shift
    return v2, i2


def irradiance_factor(irradiance: float, b1: float, b2: float) -> float:
    """Return f(G) of procedure 2: V_oc at 1000 W/m² over V_oc at G."""
    log = float(np.log(STC_IRRADIANCE / irradiance))
    return b2 * log * log + b1 * log + 1.0


def translate_procedure_3(
    first: tuple[ArrayLike, ArrayLike, Conditions, float],
    second: tuple[ArrayLike, ArrayLike, Conditions, float],
    target_irradiance: float,
) -> tuple[FloatArray, FloatArray, Conditions]:
    """Interpolate between two curves of one module by procedure 3.

    Args:
        first: voltage, current, conditions and I_sc of one curve.
        second: the same of the other, at another irradiance or temperature.
        target_irradiance: W/m²; where both have the same irradiance use
            :func:`interpolate_curves` with a factor from the temperatures.

    Returns:
        Voltage, current, and the conditions reached: the temperature follows from the factor.
    """
    g1, g2 = first[2].irradiance, second[2].irradiance
    factor = (target_irradiance - g1) / (g2 - g1)
    voltage, current = interpolate_curves(first, second, factor)
    temperature = first[2].temperature + factor * (second[2].temperature - first[2].temperature)
    return voltage, current, Conditions(irradiance=target_irradiance, temperature=temperature)


def interpolate_curves(
    first: tuple[ArrayLike, ArrayLike, Conditions, float],
    second: tuple[ArrayLike, ArrayLike, Conditions, float],
    factor: float,
) -> tuple[FloatArray, FloatArray]:
    """Return V1 + x (V2 - V1), I1 + x (I2 - I1) over points with I2 - I1 = I_sc2 - I_sc1."""
    v1, i1 = _arrays(first[0], first[1])
    v2, i2 = _arrays(second[0], second[1])
    shift = second[3] - first[3]
    order = np.argsort(i2)
    # Points of the first curve whose partner lies beyond the second's ends have none.
    partner = np.interp(i1 + shift, i2[order], v2[order], left=np.nan, right=np.nan)
    paired = np.isfinite(partner)
    return v1[paired] + factor * (partner[paired] - v1[paired]), i1[paired] + factor * shift


def translate_procedure_4(
    voltage: ArrayLike,
    current: ArrayLike,
    measured: Conditions,
    target: Conditions,
    *,
    i_sc: float,
    alpha: float,
    resistance_series: float,
    cells_in_series: int,
    epsilon: float = EPSILON,
) -> tuple[FloatArray, FloatArray]:
    """Return (voltage, current) at ``target`` by procedure 4: no temperature series needed.

    ``i_sc`` [A] is the measured curve's; ``alpha`` [A/K]; ``epsilon`` [V] per cell.
    """
    v, i = _arrays(voltage, current)
    warmer = target.temperature - measured.temperature
    brighter = i + i_sc * (target.irradiance / measured.irradiance - 1.0)
    v_bright = v - resistance_series * (brighter - i)
    relative = warmer / (measured.temperature + ZERO_CELSIUS)
    return v_bright + relative * (v_bright - epsilon * cells_in_series), brighter + alpha * warmer


def _arrays(voltage: ArrayLike, current: ArrayLike) -> tuple[FloatArray, FloatArray]:
    return np.asarray(voltage, dtype=np.float64), np.asarray(current, dtype=np.float64)
