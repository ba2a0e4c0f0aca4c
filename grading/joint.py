"""I-V curve and EL picture of one panel held against each other.

The picture says which cells have lost area and which substrings are dark; from that a module of
cells in series (Bishop's model, bypass diodes) predicts the curve. The diode comes from the
curve's own fit; the light's strength, which the picture cannot tell, is set by the short-circuit
current. What is left to compare is the *shape*: current that single substrings have lost, and
voltage that whole substrings have. A disagreement beyond the uncertainty means that the picture is
another panel's, or that one of the two was measured badly.

What the two cannot tell each other: the light of a cell is not its current one to one (a crack of
class A costs nothing, a dimmed area of class B only part of its current), so the loss that the
picture predicts is uncertain by a third of itself; and interrupted fingers raise the series
resistance by less than it varies between modules.

References:
    Bishop, Solar Cells 25 (1988) 73, doi:10.1016/0379-6787(88)90059-2.
    Köntges et al., Sol. Energy Mater. Sol. Cells 95 (2011) 1131, doi:10.1016/j.solmat.2010.10.034.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grading.el.risk import dark_substrings, substrings
from grading.iv import ModuleModel
from grading.values import ELCell, ELResult, FloatArray, IVResult, Nameplate, SingleDiode

AREA_U = 0.03  # of a cell: standard uncertainty of an inactive share
LIGHT_U = 0.33  # relative: light lost is not current lost one to one
POWER_U = 0.015  # relative: what the model of a module leaves open, its diode being fitted
TYPICAL_U = 0.04  # relative: the same where the diode had to be taken as typical
TYPICAL_N, TYPICAL_RS = 1.1, 0.0055  # ideality, and series resistance [Ω] of one cell
VOLTAGE_U = 0.04  # relative: of V_oc against the nameplate, ageing and temperature included
VTH_25 = 0.025693  # V, k T / q at 25 °C
LEAST_LOSS_U = 0.01  # of the power: cracks that the picture does not show
_AGREE = 2.0  # standard uncertainties
_FREE = 0.08  # inactive share of a cell below which its substring loses hardly anything


@dataclass(frozen=True, slots=True, kw_only=True)
class JointResult:
    """What the picture predicts of the curve, and how far the curve is from it.

    ``loss``: share of its current that each substring has lost, by its worst cell (picture).
    ``dark``: substrings without light (picture); ``voltage_lost``: how many substrings' worth of
    voltage the curve lacks, None without a rated V_oc. ``power_ratio`` is the measured over the
    predicted power, with standard uncertainty ``u_power_ratio``. The deviations are in standard
    uncertainties: ``power_deviation`` is positive where the curve is better than the picture,
    ``voltage_deviation`` where more voltage is missing than substrings are dark.
    ``power_lost`` is the share of the lit substrings' power that damage costs now. Where curve
    and picture agree it is the mean of what each of them says, weighted by ``1/u²``, and so is
    known better than from either; where they do not, it is the curve's, and its uncertainty
    spans what the picture says.
    """

    loss: tuple[float, ...]
    dark: int
    voltage_lost: float | None
    u_voltage_lost: float
    power_ratio: float
    u_power_ratio: float
    power_deviation: float
    voltage_deviation: float
    power_lost: float
    u_power_lost: float


def compare(iv: IVResult, el: ELResult, plate: Nameplate) -> JointResult | None:
    """Hold a curve against a picture.

    Args:
        iv: the curve's result; its fit gives the diode.
        el: the picture's result.
        plate: ``v_oc`` tells lost voltage; without it only power is compared.

    Returns:
        None where no model can be built: no fit, or substrings of unequal numbers of strings.
    """
    model, u_model = _diode(iv, plate)
    strings = el.layout.rows if _strings_are_rows(el) else el.layout.columns
    if model is None or strings % 2 or iv.measured.i_sc <= 0:
        return None
    groups = [cells for cells in _by_substring(el, strings) if cells]
    dark = dark_substrings(groups)
    loss = np.array([0.0 if is_dark else _loss(c) for c, is_dark in zip(groups, dark, strict=True)])
    lit = ~dark
    if not lit.any():
        return None
    cells_each = len(el.cells) // len(groups)
    power = _predicted_power(iv, model, loss[lit], cells_each)
    u_loss = (power[2] - power[1]) / (2 * power[0])
    u_power = float(np.hypot(u_model, u_loss))
    ratio = iv.measured.p_mp / power[0]
    lost, u_lost = _voltage_lost(iv, plate, len(groups))
    power_deviation = (ratio - 1) / u_power
    voltage_deviation = 0.0 if lost is None else (lost - int(dark.sum())) / u_lost
    together = _together(
        1 - np.array([iv.measured.p_mp, power[0]]) / power[3],
        np.array([u_model, max(u_loss * power[0] / power[3], LEAST_LOSS_U)]),
        agree=abs(power_deviation) < _AGREE,
    )
    return JointResult(
        loss=tuple(loss.tolist()),
        dark=int(dark.sum()),
        voltage_lost=lost,
        u_voltage_lost=u_lost,
        power_ratio=float(ratio),
        u_power_ratio=u_power,
        power_deviation=float(power_deviation),
        voltage_deviation=float(voltage_deviation),
        power_lost=together[0],
        u_power_lost=together[1],
    )


def _together(loss: FloatArray, u: FloatArray, *, agree: bool) -> tuple[float, float]:
    """Return the best loss and its standard uncertainty from the curve's and the picture's."""
    if not agree:
        return float(np.clip(loss[0], 0, 1)), float(np.hypot(u[0], loss[1] - loss[0]))
    weight = 1 / u**2
    mean = float(np.average(loss, weights=weight))
    return float(np.clip(mean, 0, 1)), float(1 / np.sqrt(weight.sum()))


def _diode(iv: IVResult, plate: Nameplate) -> tuple[SingleDiode | None, float]:
    """Return the diode of a sound cell times their number, and what it leaves open of the power.

    A fit through steps is no diode: there it is a typical one with this curve's V_oc and I_sc.
    """
    fitted = iv.robust or iv.model
    if fitted is None or not fitted.converged or iv.steps.count == 0:
        return (fitted if fitted is not None and fitted.converged else None), POWER_U
    cells = plate.cells_in_series
    if cells is None:
        return None, TYPICAL_U
    a = TYPICAL_N * cells * VTH_25
    typical = replace(
        fitted,
        saturation_current=float(iv.measured.i_sc / np.expm1(iv.measured.v_oc / a)),
        resistance_series=TYPICAL_RS * cells,
        resistance_shunt=10.0 * cells,
        nNsVth=a,
    )
    return typical, TYPICAL_U


def _strings_are_rows(el: ELResult) -> bool:
    a, b, _, d = (np.array(corner) for corner in el.corners)
    return bool(np.linalg.norm(b - a) >= np.linalg.norm(d - a))


def _by_substring(el: ELResult, strings: int) -> list[list[ELCell]]:
    number = substrings(strings)
    groups: list[list[ELCell]] = [[] for _ in range(int(number.max()) + 1)]
    for cell in el.cells:
        groups[number[cell.row if _strings_are_rows(el) else cell.column]].append(cell)
    return groups


def _loss(cells: Sequence[ELCell]) -> float:
    """Current that a substring has lost, by its worst cell."""
    worst = max(cell.inactive_fraction for cell in cells)
    return float(np.clip((worst - _FREE) / (1 - _FREE), 0.0, 1.0))


def _predicted_power(iv: IVResult, model: SingleDiode, loss: FloatArray, cells: int) -> FloatArray:
    """Return powers [W]: by the picture, every loss one ``u`` larger, one smaller, none at all."""
    u = np.hypot(AREA_U, LIGHT_U * loss) * (loss > 0)
    cases = np.clip(np.stack((loss, loss + u, loss - u)), 0.0, 0.98)
    # The strongest substring carries the short-circuit current; the others' diodes conduct.
    light = iv.measured.i_sc / (1.0 - cases.min(axis=1, keepdims=True))
    light, cases = np.vstack((light, light[0])), np.vstack((cases, np.zeros_like(loss)))
    photocurrent = np.broadcast_to(light[:, :, None], (*cases.shape, cells)).copy()
    photocurrent[:, :, 0] *= 1.0 - cases
    total = cells * loss.size
    shape = (1, 1, 1)
    module = ModuleModel(
        photocurrent=photocurrent,
        saturation_current=np.full(shape, model.saturation_current),
        resistance_series=np.full(shape, model.resistance_series / total),
        conductance_shunt=np.full(shape, total / model.resistance_shunt),
        nVth=np.full(shape, model.nNsVth / total),
    )
    currents = np.linspace(0.0, float(photocurrent.max()), 400)
    power: FloatArray = np.max(module.curve(currents) * currents, axis=1)
    return power


def _voltage_lost(iv: IVResult, plate: Nameplate, count: int) -> tuple[float | None, float]:
    """How many substrings' worth of voltage is missing, and its standard uncertainty."""
    u = VOLTAGE_U * count
    if plate.v_oc is None or iv.stc is None:
        return None, u
    return float(count * (1.0 - iv.stc.v_oc / plate.v_oc)), u
