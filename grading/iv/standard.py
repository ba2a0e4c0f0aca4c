"""Key figures at standard test conditions, with what the translation adds in uncertainty.

Procedure 4 of IEC 60891:2021 with R_s from the curve itself. Applied to a single-diode model it
gives another single-diode model in closed form, so the figures at STC are exact, without any
sampling: shifting the current by ``d`` at constant ``V + I Rs`` adds ``d`` to the photocurrent,
and stretching the voltage by ``1 + r`` stretches ``a`` and ``Rs`` and shrinks ``G``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grading.iv.diode import Diodes, maximum_power, open_circuit_voltage, single_diode_current
from grading.iv.steps import Steps, knees_current
from grading.iv.translate import (
    BOLTZMANN_PER_CHARGE,
    EPSILON,
    STC,
    ZERO_CELSIUS,
    Conditions,
    translate_procedure_4,
)
from grading.values import FloatArray, STCFigures

# Median of crystalline silicon modules in the CEC list (domain sheet), and its spread.
TYPICAL_ALPHA, U_ALPHA = 0.00051, 0.0002  # 1/K of I_sc
U_EPSILON = 0.02  # V, between cell types
U_SERIES = 0.15  # part of R_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Conditions and coefficients of ``m`` curves, arrays of shape ``(m,)``."""

    irradiance: FloatArray  # W/m²
    temperature: FloatArray  # °C
    cells: FloatArray  # 1
    alpha: FloatArray  # A/K; NaN where unknown: the typical one is taken

    def take(self, rows: slice) -> Measured:
        """Return the conditions of some of the curves."""
        return Measured(
            irradiance=self.irradiance[rows],
            temperature=self.temperature[rows],
            cells=self.cells[rows],
            alpha=self.alpha[rows],
        )

    def alpha_or_typical(self, i_sc: FloatArray) -> FloatArray:
        """Return alpha, from the median of silicon modules where it is not known."""
        at_stc = i_sc * STC.irradiance / self.irradiance
        return np.asarray(
            np.where(np.isnan(self.alpha), TYPICAL_ALPHA * at_stc, self.alpha), dtype=np.float64
        )


def translate_diodes(
    diodes: Diodes,
    measured: Measured,
    target: Conditions = STC,
    *,
    epsilon: float = EPSILON,
    alpha: FloatArray | None = None,
    series: FloatArray | None = None,
) -> Diodes:
    """Return the models that procedure 4 makes of ``diodes`` at ``target``.

    ``series`` [Ω], where given, is used in the irradiance step in place of the model's own.
    """
    i_sc = single_diode_current(np.zeros(1), diodes)[:, 0]
    alpha = measured.alpha_or_typical(i_sc) if alpha is None else alpha
    warmer = target.temperature - measured.temperature
    stretch = warmer / (measured.temperature + ZERO_CELSIUS)
    brighter = i_sc * (target.irradiance / measured.irradiance - 1.0)
    rs = diodes.resistance_series
    excess = 0.0 if series is None else (series - rs) * brighter
    # The diode's voltage is (V2 + offset + (1 + r) Rs I2) / (1 + r).
    offset = stretch * epsilon * measured.cells - (1 + stretch) * (rs * alpha * warmer - excess)
    a = diodes.nNsVth * (1 + stretch)
    dark = diodes.saturation_current * np.exp(offset / a)
    shunt = diodes.conductance_shunt / (1 + stretch)
    light = diodes.photocurrent + brighter + alpha * warmer
    return Diodes(
        photocurrent=light + diodes.saturation_current - dark - shunt * offset,
        saturation_current=dark,
        resistance_series=rs * (1 + stretch),
        conductance_shunt=shunt,
        nNsVth=a,
    )


def translation_resistance(diodes: Diodes, measured: Measured) -> FloatArray:
    """Return the R_s [Ω] of each curve that carries it from one irradiance to another.

    With the irradiance V_oc of silicon follows an ideality of one (Sinton and Cuevas, 16th EU
    PVSEC (2000) 1152), while the fit's ``n`` also holds what resistance spread over the cell adds
    to the slope of the curve, ``(n - 1) Ns k T / q / I_sc``: in a translation that part belongs
    to R_s.
    """
    thermal = measured.cells * BOLTZMANN_PER_CHARGE * (measured.temperature + ZERO_CELSIUS)
    i_sc = np.maximum(single_diode_current(np.zeros(1), diodes)[:, 0], 1e-12)
    spread = np.clip(diodes.nNsVth - thermal, 0.0, thermal) / i_sc
    return np.asarray(diodes.resistance_series + spread, dtype=np.float64)


def standard_figures(diodes: Diodes, measured: Measured, u_p_rel: FloatArray) -> list[STCFigures]:
    """Return the figures at STC of each model.

    Args:
        diodes: ``m`` models at the measured conditions.
        measured: their conditions.
        u_p_rel: relative standard uncertainty of P_mp from the fit, shape ``(m,)``.

    Returns:
        Figures whose uncertainties hold the fit's and the translation's part: the budget of the
        instrument (irradiance, temperature, spectrum) is added by whoever knows it.
    """
    series = translation_resistance(diodes, measured)
    base = _figures(translate_diodes(diodes, measured, series=series))
    i_sc = single_diode_current(np.zeros(1), diodes)[:, 0]
    alpha = measured.alpha_or_typical(i_sc)
    u_alpha = np.where(np.isnan(measured.alpha), U_ALPHA, 0.1 * TYPICAL_ALPHA) * base[0]
    varied = (
        translate_diodes(diodes, measured, series=series, alpha=alpha + u_alpha),
        translate_diodes(diodes, measured, series=series, epsilon=EPSILON + U_EPSILON),
        translate_diodes(diodes, measured, series=series * (1 + U_SERIES)),
    )
    square = np.sum([(_figures(other) - base) ** 2 for other in varied], axis=0)
    square[2] += (u_p_rel * base[2]) ** 2
    u = np.sqrt(square)
    columns = np.concatenate([base, u]).T.tolist()
    return [
        STCFigures(
            i_sc=isc,
            v_oc=voc,
            p_mp=pmp,
            i_mp=imp,
            v_mp=vmp,
            fill_factor=ff,
            u_p_mp=u_pmp,
            u_i_sc=u_isc,
            u_v_oc=u_voc,
            u_fill_factor=u_ff,
        )
        for isc, voc, pmp, imp, vmp, ff, u_isc, u_voc, u_pmp, _, _, u_ff in columns
    ]


def stepped_figures(base: STCFigures, steps: Steps, measured: Measured, at: int) -> STCFigures:
    """Return the figures at STC of a curve with steps.

    The steps' model is translated sample by sample (procedure 4); V_oc, where all substrings
    carry the current, is that of the underlying diode.

    Args:
        base: figures of the underlying diode alone.
        steps: what was found.
        measured: conditions of the batch.
        at: the curve's place in the batch.
    """
    diode = steps.diodes
    grid = np.linspace(0.0, 1.15 * float(open_circuit_voltage(diode)[0]), 2000)
    current = single_diode_current(grid, diode)[0] + knees_current(grid, steps.knees)
    i_sc = float(current[0])
    alpha = float(measured.alpha_or_typical(np.full(measured.alpha.size, i_sc))[at])
    series = translation_resistance(diode, measured.take(slice(at, at + 1)))
    voltage, translated = translate_procedure_4(
        grid,
        current,
        Conditions(
            irradiance=float(measured.irradiance[at]), temperature=float(measured.temperature[at])
        ),
        STC,
        i_sc=i_sc,
        alpha=alpha,
        resistance_series=float(series[0]),
        cells_in_series=int(measured.cells[at]),
    )
    peak = int((voltage * translated).argmax())
    i_mp, v_mp = float(translated[peak]), float(voltage[peak])
    short = float(np.interp(0.0, voltage, translated))
    scale = i_mp * v_mp / base.p_mp if base.p_mp > 0 else 1.0
    return replace(
        base,
        i_sc=short,
        i_mp=i_mp,
        v_mp=v_mp,
        p_mp=i_mp * v_mp,
        fill_factor=i_mp * v_mp / (short * base.v_oc),
        u_p_mp=None if base.u_p_mp is None else base.u_p_mp * scale,
    )


def _figures(diodes: Diodes) -> FloatArray:
    """Return rows (i_sc, v_oc, p_mp, i_mp, v_mp, fill_factor), shape ``(6, m)``."""
    i_sc = single_diode_current(np.zeros(1), diodes)[:, 0]
    v_oc = open_circuit_voltage(diodes)
    i_mp, v_mp = maximum_power(diodes)
    product = np.where(i_sc * v_oc > 0, i_sc * v_oc, np.inf)
    return np.stack([i_sc, v_oc, i_mp * v_mp, i_mp, v_mp, i_mp * v_mp / product])
