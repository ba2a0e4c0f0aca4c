"""Made-up used panels: one truth each, from which its I-V curve and its EL picture both follow.

The mix is that of a municipal collection: most are sound and somewhat aged, the others have the
faults that second-life lines report. Everything follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np

from grading.iv import Diodes, single_diode_current
from grading.values import FloatArray, ImageArray, IVCurve, Nameplate, SafetyRecord, Sweep
from simulators.el_module import Camera, Module, Photo, draw_module, take_photo
from simulators.el_render import CellSpec, ModuleStyle, draw_cell, render_cell

DIODE_DROP = 0.5  # V, forward voltage of a conducting bypass diode
CELL_BREAKDOWN = 15.0  # V, usual of multicrystalline cells
SUBSTRINGS = 3
WET_SHARE = 0.6  # of its dry insulation that a panel without cracks in its back keeps when wet
VTH_25 = 0.025693  # V, k T / q at 25 °C
EL_THRESHOLD = 0.3  # A, below it a module does not glow


class Condition(StrEnum):
    """What is the matter with a panel."""

    SOUND = "sound"
    WORN = "worn"
    CRACKED = "cracked"
    CELL_LOST = "cell_lost"
    SHORTED_DIODE = "shorted_diode"
    OPEN_DIODE = "open_diode"
    WEAK_INSULATION = "weak_insulation"
    LEAKS_WET = "leaks_wet"  # a cracked back sheet, which only water finds
    BROKEN_GLASS = "broken_glass"


SHARES = {
    Condition.SOUND: 0.48,
    Condition.WORN: 0.16,
    Condition.CRACKED: 0.12,
    Condition.CELL_LOST: 0.08,
    Condition.SHORTED_DIODE: 0.06,
    Condition.WEAK_INSULATION: 0.04,
    Condition.BROKEN_GLASS: 0.04,
    Condition.OPEN_DIODE: 0.01,
    Condition.LEAKS_WET: 0.01,
}

# Typical 60-cell modules of 2008–2016 as Dutch roofs carry them; figures of their data sheets.
MODELS = (
    Nameplate(maker="Canadian Solar", model="CS6P-240P", p_mp=240, i_sc=8.59, v_oc=37.0),
    Nameplate(maker="Yingli", model="YL250P-29b", p_mp=250, i_sc=8.92, v_oc=37.6),
    Nameplate(maker="Trina Solar", model="TSM-255PC05A", p_mp=255, i_sc=8.88, v_oc=38.1),
    Nameplate(maker="Suntech", model="STP245S-20/Wd", p_mp=245, i_sc=8.52, v_oc=37.3),
)


@dataclass(frozen=True, kw_only=True)
class MadeUpPanel:
    """One panel as it really is (``simulators.world.TruePanel``)."""

    panel_id: str
    serial: str
    nameplate: Nameplate
    condition: Condition
    visual_defects: tuple[str, ...]
    safety: SafetyRecord
    substrings: Diodes  # one model a substring
    shorted: tuple[bool, ...]
    open_diode: tuple[bool, ...] = (False,) * SUBSTRINGS
    module: Module
    seed: int

    def sweep(self, direction: Sweep, *, irradiance: float, points: int) -> IVCurve:
        """Return one sweep as a tester measures it at ``irradiance`` [W/m²]: with noise."""
        rng = np.random.default_rng([self.seed, direction is Sweep.UP, points])
        light = irradiance / 1000 * (1 + 0.002 * np.linspace(1, -1, points))
        voltage, current = self._module_curve(irradiance / 1000)
        v_oc = float(np.interp(0.0, -current, voltage))
        grid = np.linspace(-0.01 * v_oc, 1.01 * v_oc, points)
        measured = np.interp(grid, voltage, current)
        i_sc = float(np.interp(0.0, voltage, current))
        measured = measured + i_sc * (light / np.mean(light) - 1)
        order = slice(None) if direction is Sweep.UP else slice(None, None, -1)
        noisy_v = grid + rng.normal(0, 2e-4 * v_oc, points)
        noisy_i = measured + rng.normal(0, 4e-4 * i_sc, points)
        return IVCurve(
            voltage=noisy_v[order],
            current=noisy_i[order],
            irradiance=1000 * light[order],
            temperature=float(25 + rng.normal(0, 0.8)),
            time=np.linspace(0.0, 0.008, points),
            sweep=direction,
        )

    def photograph(self, *, current: float) -> ImageArray:
        """Return the EL picture at ``current`` [A]; without current, a dark frame."""
        return self._photo.pixels if current > EL_THRESHOLD else self._photo.dark

    def forward_voltage(self, *, current: float) -> float:
        """Return the voltage [V] at which the panel takes ``current`` [A] in the dark."""
        dark = replace(self.substrings, photocurrent=np.zeros(SUBSTRINGS))
        grid = np.linspace(0, 30, 3000)
        total = 0.0
        for k in range(SUBSTRINGS):
            taken = -single_diode_current(grid, dark.take(slice(k, k + 1)))[0]
            total += 0.0 if self.shorted[k] else float(np.interp(current, taken, grid))
        return total

    def reverse_voltage(self, *, current: float) -> float:
        """Return the voltage [V] of the bypass diodes at ``current`` [A], driven backwards."""
        diode = DIODE_DROP - 0.05 * max(0.0, 1 - current / 8.0)
        drops = [
            0.0 if short else (20 * CELL_BREAKDOWN if broken else diode)
            for short, broken in zip(self.shorted, self.open_diode, strict=True)
        ]
        return float(sum(drops))

    @cached_property
    def _photo(self) -> Photo:
        return take_photo(self.module, Camera(seed=self.seed, exposure=0.7, bits=16))

    def _module_curve(self, suns: float) -> tuple[FloatArray, FloatArray]:
        """Add the voltages of the substrings at each current; bypass diodes clip them."""
        lit = replace(self.substrings, photocurrent=self.substrings.photocurrent * suns)
        current = np.linspace(1.3 * float(lit.photocurrent.max()), -2.0, 6000)
        grid = np.linspace(-1.0, 20.0, 6000)
        total = np.zeros_like(current)
        for k in range(SUBSTRINGS):
            own = single_diode_current(grid, lit.take(slice(k, k + 1)))[0]
            voltage = np.interp(-current, -own, grid, left=-DIODE_DROP)
            total += 0.0 if self.shorted[k] else np.maximum(voltage, -DIODE_DROP)
        return total, current


def make_panel(number: int, *, seed: int = 0, condition: Condition | None = None) -> MadeUpPanel:
    """Return the panel with a number; the same numbers and seed give the same panel."""
    rng = np.random.default_rng([seed, number])
    kinds, shares = list(SHARES), list(SHARES.values())
    condition = condition or kinds[int(rng.choice(len(kinds), p=shares))]
    plate = _nameplate(MODELS[int(rng.integers(len(MODELS)))], year=int(rng.integers(2008, 2017)))
    safety = _safety(rng, condition)
    aged = _substrings(rng, plate, condition)
    module = _module(rng, condition)
    return MadeUpPanel(
        panel_id=f"ZK{seed:02d}{number:06d}",
        serial=f"{plate.year}{number * 7919 % 10**8:08d}",
        nameplate=plate,
        condition=condition,
        visual_defects=("broken_glass",) if condition is Condition.BROKEN_GLASS else (),
        safety=safety,
        substrings=replace(aged, photocurrent=aged.photocurrent * _current_left(module)),
        shorted=(condition is Condition.SHORTED_DIODE, False, False),
        open_diode=(False, condition is Condition.OPEN_DIODE, False),
        module=module,
        seed=int(rng.integers(2**31)),
    )


def _nameplate(model: Nameplate, *, year: int) -> Nameplate:
    """Complete a data sheet with the medians of 60-cell c-Si (domain sheet, section 2)."""
    if model.i_sc is None or model.v_oc is None or model.p_mp is None:
        raise ValueError("a model needs its ratings")
    return replace(
        model,
        i_mp=round(0.94 * model.i_sc, 2),
        v_mp=round(model.p_mp / (0.94 * model.i_sc), 1),
        alpha_sc=0.00051 * model.i_sc,
        beta_voc=-0.00339 * model.v_oc,
        gamma_pmp=-0.0045,
        cells_in_series=60,
        cell_rows=6,
        cell_columns=10,
        area=1.64,
        max_system_voltage=1000.0,
        year=year,
    )


def _safety(rng: np.random.Generator, condition: Condition) -> SafetyRecord:
    weak = condition is Condition.WEAK_INSULATION
    resistance = float(rng.uniform(2, 15) if weak else rng.lognormal(np.log(900), 0.5))
    wet = min(0.01 * resistance, 15.0) if condition is Condition.LEAKS_WET else None
    return SafetyRecord(
        insulation_resistance=resistance,
        wet_leakage_resistance=WET_SHARE * resistance if wet is None else wet,
        ground_continuity=float(rng.uniform(0.01, 0.05)),
    )


def _substrings(rng: np.random.Generator, plate: Nameplate, condition: Condition) -> Diodes:
    i_sc, v_oc = plate.i_sc or 0.0, plate.v_oc or 0.0
    age = 2026 - (plate.year or 2026)
    loss = 1 - float(rng.normal(0.005, 0.0015)) * age
    a = 20 * 1.05 * VTH_25
    photocurrent = np.full(SUBSTRINGS, i_sc * loss) * rng.normal(1, 0.003, SUBSTRINGS)
    series = 0.33 / SUBSTRINGS
    if condition is Condition.WORN:
        series *= float(rng.uniform(1.6, 3.0))
        photocurrent *= float(rng.uniform(0.85, 0.95))
    saturation = i_sc / np.expm1(v_oc / SUBSTRINGS / a)
    return Diodes(
        photocurrent=photocurrent,
        saturation_current=np.full(SUBSTRINGS, saturation),
        resistance_series=np.full(SUBSTRINGS, series),
        conductance_shunt=np.full(SUBSTRINGS, SUBSTRINGS / 600.0),
        nNsVth=np.full(SUBSTRINGS, a),
    )


def _module(rng: np.random.Generator, condition: Condition) -> Module:
    """Sound cells, and as many damaged ones as the condition asks for."""
    dark = frozenset({0, 1}) if condition is Condition.SHORTED_DIODE else frozenset[int]()
    layout = (6, 10, False)
    module = draw_module(rng, layout=layout, dark_rows=dark, kinds=1)
    style = replace(module.style, aspect=1.0, margin=0.0)
    damaged = {Condition.CRACKED: int(rng.integers(5, 20)), Condition.CELL_LOST: 2}
    bad = set(rng.choice(60, damaged.get(condition, 0), replace=False).tolist())
    sound = [replace(draw_cell(rng, style, defective=False), fingers=()) for _ in range(12)]
    cells = [
        draw_cell(rng, style, defective=True) if i in bad else sound[int(rng.integers(12))]
        for i in range(60)
    ]
    if condition is Condition.CELL_LOST:
        cells[min(bad)] = _lost_cell(rng, style)
    still = tuple(replace(cell, shift=(0.0, 0.0), turn=0.0) for cell in cells)
    return replace(module, style=style, cells=still)


def _lost_cell(rng: np.random.Generator, style: ModuleStyle) -> CellSpec:
    """A cell that has lost a good part of its area."""
    while True:
        cell = draw_cell(rng, style, defective=True)
        if 0.2 <= _area_lost(cell, style) <= 0.6:
            return cell


def _area_lost(cell: CellSpec, style: ModuleStyle) -> float:
    """Share of a cell's light that its damage takes: what is dark does not deliver either."""
    return render_cell(cell, style, side=48, optics=False).damage


def _current_left(module: Module) -> FloatArray:
    """Share of its current that each substring can carry, ``(SUBSTRINGS,)``.

    The cells of a substring, here two rows, are in series; its worst cell decides.
    """
    lost = {cell: _area_lost(cell, module.style) for cell in set(module.cells)}
    by_substring = np.array([lost[cell] for cell in module.cells]).reshape(SUBSTRINGS, -1)
    return np.asarray(1 - by_substring.max(axis=1))
