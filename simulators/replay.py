"""Panels with really measured curves: the line shows them as they were measured, unaltered.

A folder to replay holds ``iv/*.csv[.gz]`` and, where there are any, ``el/modules/*.png``. The
curves come with their own irradiance and temperature, which the grading translates. A set has no
rating on a label, so the rating is taken from the set: its power at full sun and 25 °C, rounded
up to 5 W as makers do. Where no picture of that layout is there, one is rendered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path

import cv2
import numpy as np

from evidence.curves import MeasuredCurve, merge_nameplates, read_curves
from evidence.errors import EvidenceError
from evidence.images import is_companion, read_el_image
from grading.errors import CurveError
from grading.values import ELImage, ImageArray, IVCurve, Nameplate, SafetyRecord, Sweep
from simulators.el_module import Camera, draw_module, take_photo
from simulators.el_render import draw_cell

GAMMA = -0.0045  # 1/K, median of 60-cell c-Si
MIN_IRRADIANCE = 600.0  # W/m², below it nobody would grade
LAYOUTS = {36: (4, 9), 60: (6, 10), 72: (6, 12), 96: (8, 12)}
SOUND_INSULATION = SafetyRecord(
    insulation_resistance=650.0, wet_leakage_resistance=400.0, ground_continuity=0.03
)
CurveSet = tuple[str, Nameplate, list[IVCurve]]
AREAS = {36: 1.01, 60: 1.64, 72: 1.94, 96: 2.5}  # m²


@dataclass(frozen=True, kw_only=True)
class ReplayedPanel:
    """One measured curve as a panel (``simulators.world.TruePanel``)."""

    panel_id: str
    serial: str
    nameplate: Nameplate
    curve: IVCurve
    picture: Path | None
    seed: int
    visual_defects: tuple[str, ...] = ()
    safety: SafetyRecord = SOUND_INSULATION

    def sweep(self, direction: Sweep, *, irradiance: float, points: int) -> IVCurve:
        """Return the curve as measured; only the order of its points follows the direction."""
        order = np.argsort(self.curve.voltage, kind="stable")
        if direction is Sweep.DOWN:
            order = order[::-1]
        light = self.curve.irradiance
        return replace(
            self.curve,
            voltage=self.curve.voltage[order],
            current=self.curve.current[order],
            irradiance=None if light is None else light[order],
            time=None,
            sweep=direction,
        )

    def photograph(self, *, current: float) -> ImageArray:
        """Return the picture that goes with the panel; without current, its dark frame."""
        if current > 0.3:
            return self._image.pixels
        dark = self._image.dark
        return np.zeros_like(self._image.pixels) if dark is None else dark

    def forward_voltage(self, *, current: float) -> float:
        """Return a voltage [V] typical for the number of cells."""
        return 0.66 * (self.nameplate.cells_in_series or 60) * (1 if current > 0 else 0)

    def reverse_voltage(self, *, current: float) -> float:
        """Return a voltage [V] typical for the number of bypass diodes."""
        return 0.45 * -(-(self.nameplate.cells_in_series or 60) // 24) * (1 if current > 0 else 0)

    @cached_property
    def _image(self) -> ELImage:
        return _rendered(self.nameplate, self.seed) if self.picture is None else _read(self.picture)


def _read(path: Path) -> ELImage:
    return read_el_image(path)


def _rendered(plate: Nameplate, seed: int) -> ELImage:
    """A sound module of the panel's layout."""
    rng = np.random.default_rng(seed)
    rows, columns = plate.cell_rows or 6, plate.cell_columns or 10
    module = draw_module(rng, layout=(rows, columns, False), kinds=1)
    style = replace(module.style, aspect=1.0, margin=0.0)
    kinds = [draw_cell(rng, style, defective=False) for _ in range(12)]
    still = [replace(cell, shift=(0.0, 0.0), turn=0.0, fingers=()) for cell in kinds]
    cells = tuple(still[int(rng.integers(12))] for _ in range(rows * columns))
    photo = take_photo(replace(module, style=style, cells=cells), Camera(seed=seed, bits=16))
    return ELImage(pixels=photo.pixels, dark=photo.dark)


def replay(folder: Path | None = None, *, seed: int = 0) -> Iterator[ReplayedPanel]:
    """Yield panels for ever, one set of curves after the other; None takes the shipped sample.

    Raises:
        EvidenceError: the folder holds no curve of a module in enough light.
    """
    if folder is None:
        with resources.as_file(resources.files("simulators") / "data") as shipped:
            sets, pictures = _sets(shipped), _pictures(shipped)
    else:
        sets, pictures = _sets(folder), _pictures(folder)
    if not sets:
        raise EvidenceError(
            "nothing_to_replay",
            f"{folder} holds no module's curve above {MIN_IRRADIANCE:g} W/m².",
            "Name a folder with iv/*.csv[.gz].",
        )
    for number, (name, plate, curve) in enumerate(_in_turn(sets, seed)):
        yield _panel(name, plate, curve, pictures, number)


def _in_turn(sets: list[CurveSet], seed: int) -> Iterator[tuple[str, Nameplate, IVCurve]]:
    """Yield a curve of each set in turn, and none again before all were shown.

    A panel that came back too soon would meet itself on the line.
    """
    rng = np.random.default_rng(seed)
    while True:
        waiting = [
            (name, plate, [curves[i] for i in rng.permutation(len(curves))])
            for name, plate, curves in sets
        ]
        while waiting:
            for name, plate, curves in waiting:
                yield name, plate, curves.pop()
            waiting = [entry for entry in waiting if entry[2]]


def _panel(
    name: str, plate: Nameplate, curve: IVCurve, pictures: dict[str, list[Path]], number: int
) -> ReplayedPanel:
    fitting = pictures.get(f"{plate.cell_rows}x{plate.cell_columns}", [])
    return ReplayedPanel(
        panel_id=f"{name.split('_')[0].upper()}-{curve.curve_id or 1}",
        serial=f"{name}/{curve.curve_id or 1}",
        nameplate=plate,
        curve=curve,
        picture=fitting[number % len(fitting)] if fitting else None,
        seed=number,
    )


def _sets(folder: Path) -> list[CurveSet]:
    sets = []
    for path in sorted((folder / "iv").glob("*.csv*")):
        try:
            measured = read_curves(path)
        except CurveError:
            continue  # a folder may hold other tables beside the curves
        usable = [m.curve for m in measured if _usable(m)]
        cells = measured[0].nameplate.cells_in_series
        if usable and cells in LAYOUTS:
            name = path.name.split(".")[0]
            sets.append((name, _nameplate(name, measured[0].nameplate, usable), usable))
    return sets


def _usable(measured: MeasuredCurve) -> bool:
    curve = measured.curve
    return (
        curve.irradiance is not None
        and curve.temperature is not None
        and float(np.nanmedian(curve.irradiance)) >= MIN_IRRADIANCE
    )


def _nameplate(name: str, known: Nameplate, curves: list[IVCurve]) -> Nameplate:
    cells = known.cells_in_series or 60
    scale = [1000 / float(np.nanmedian(c.irradiance)) for c in curves if c.irradiance is not None]
    power = [
        s * np.nanmax(c.voltage * c.current) / (1 + GAMMA * ((c.temperature or 25.0) - 25.0))
        for s, c in zip(scale, curves, strict=True)
    ]
    current = [s * np.nanmax(c.current) for s, c in zip(scale, curves, strict=True)]
    voltage = [np.nanmax(c.voltage) for c in curves]
    rows, columns = LAYOUTS[cells]
    i_sc, v_oc = float(np.percentile(current, 80)), float(np.percentile(voltage, 95)) * 1.02
    maker, _, model = name.partition("_")
    rated = Nameplate(
        maker=maker.capitalize(),
        model=model.replace("_", "-").upper(),
        p_mp=5 * float(np.ceil(np.percentile(power, 90) / 5)),
        i_sc=round(i_sc, 2),
        v_oc=round(v_oc, 1),
        alpha_sc=0.00051 * i_sc,
        beta_voc=-0.00339 * v_oc,
        cell_rows=rows,
        cell_columns=columns,
        area=AREAS[cells],
    )
    return merge_nameplates([known, rated])


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures by the layout that their name ends in, such as ``_6x10``."""
    found: dict[str, list[Path]] = {}
    for path in sorted((folder / "el" / "modules").glob("*.png")):
        if not is_companion(path) and cv2.haveImageReader(str(path)):
            found.setdefault(path.stem.rpartition("_")[2], []).append(path)
    return found
