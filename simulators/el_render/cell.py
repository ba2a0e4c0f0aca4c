"""Render one cell: light of the wafer, through metal and defects, into the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.el_render.marks import draw_areas, draw_cracks, draw_fingers
from simulators.el_render.metal import metal_light
from simulators.el_render.optics import expose, place, wafer_outline
from simulators.el_render.spec import CellSpec, Label, ModuleStyle
from simulators.el_render.wafer import Image, wafer_light


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedCell:
    """A picture and its truth.

    ``image`` float32 ``(side, side)``, the bright level of a cell of level 1 being about 1;
    ``labels`` uint8, see ``Label``; ``inactive_fraction`` of the wafer's area; ``damage``: the
    light that cracks and areas take, as a share of the wafer's; ``visibility``: how far the
    strongest of it stands out of noise and texture, in standard deviations.
    """

    image: Image
    labels: NDArray[np.uint8]
    inactive_fraction: float
    damage: float
    visibility: float

    @property
    def crack_pixels(self) -> int:
        """Pixels that cracks cover."""
        return int((self.labels == Label.CRACK).sum())


def render_cell(
    spec: CellSpec, style: ModuleStyle, *, side: int = 160, optics: bool = True
) -> RenderedCell:
    """Render one cell at ``side`` × ``side`` pixels.

    ``optics=False`` leaves blur, noise and tone curve to whoever composes a module.
    """
    rng = np.random.default_rng(spec.seed)
    wafer = wafer_light(spec.texture, side)
    metal, busbars = metal_light(style, spec, side, rng)
    crack_light, crack_mask = draw_cracks(spec.cracks, side, rng)
    area_light, area_mask = draw_areas(spec.areas, spec.cracks, style, side, rng)
    finger_light, finger_mask = draw_fingers(spec.fingers, side)
    outline = wafer_outline(style, spec, side)
    sound = wafer * finger_light
    light = np.asarray(spec.level * sound * metal * crack_light * area_light, np.float32)
    light = np.where(outline, light, np.float32(style.outside_level)).astype(np.float32)
    codes = _labels(crack_mask, area_mask, finger_mask, busbars, outline)
    image = place(light, spec, border=style.outside_level)
    labels = np.asarray(place(codes, spec, nearest=True, border=Label.OUTSIDE), np.uint8)
    harm = outline & (crack_mask | area_mask)
    taken = np.asarray(np.where(harm, 1 - crack_light * area_light, 0), np.float32)
    return RenderedCell(
        image=expose(image, style, rng) if optics else image,
        labels=labels,
        inactive_fraction=float((labels == Label.INACTIVE).sum() / max((labels != 5).sum(), 1)),
        damage=float(taken.sum() / max(outline.sum(), 1)),
        visibility=_visibility(taken, sound, outline, style),
    )


def _labels(
    crack: NDArray[np.bool_],
    area: NDArray[np.bool_],
    finger: NDArray[np.bool_],
    busbar: NDArray[np.bool_],
    outline: NDArray[np.bool_],
) -> Image:
    labels = np.zeros(crack.shape, np.float32)
    for mask, code in (
        (finger, Label.FINGER),
        (area, Label.INACTIVE),
        (crack, Label.CRACK),
        (busbar, Label.BUSBAR),
        (~outline, Label.OUTSIDE),
    ):
        labels[mask] = code
    return labels


def _visibility(
    taken: NDArray[np.float32], sound: Image, outline: NDArray[np.bool_], style: ModuleStyle
) -> float:
    """Strongest 0.3% of the damage over what noise and fine texture leave uncertain."""
    side = taken.shape[0]
    strongest = np.partition(taken.ravel(), -(side * side) // 330)[-(side * side) // 330 :].mean()
    fine = sound[2:-2, 2:-2] - 0.5 * (sound[4:, 2:-2] + sound[:-4, 2:-2])
    texture = float(np.median(np.abs(fine[outline[2:-2, 2:-2]]))) * 1.5
    return float(strongest / (0.01 + texture + 0.5 * style.noise))
