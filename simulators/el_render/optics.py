"""What the camera makes of the light: cell outline, blur, glare, noise, tone curve."""

from __future__ import annotations

import cv2
import numpy as np

from simulators.el_render.marks import Mask
from simulators.el_render.spec import CellSpec, ModuleStyle
from simulators.el_render.wafer import Image, grid


def wafer_outline(style: ModuleStyle, spec: CellSpec, side: int) -> Mask:
    """Pixels on the wafer: a square within the margin, with cut corners if pseudo-square.

    A half-cut cell was cut across its busbars, so only one of its ends has them.
    """
    x, y = grid(side)
    edge_x, edge_y = np.minimum(x, 1 - x), np.minimum(y, 1 - y)
    inside: Mask = (edge_x > style.margin) & (edge_y > style.margin)
    if style.corner:
        for end, along in zip(spec.cut_ends, (x, 1 - x), strict=True):
            if end:
                inside &= along / style.aspect + edge_y > style.corner + 2 * style.margin
    return inside


def place(image: Image, spec: CellSpec, *, nearest: bool = False, border: float = 0.0) -> Image:
    """Shift and turn the cell a little, as an imperfect rectification leaves it."""
    if not spec.turn and spec.shift == (0.0, 0.0):
        return image
    side = image.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), float(np.degrees(spec.turn)), 1.0)
    turn[:, 2] += np.asarray(spec.shift) * side
    moved = cv2.warpAffine(
        image,
        turn,
        (side, side),
        flags=cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=border,
    )
    return np.asarray(moved, np.float32)


def expose(light: Image, style: ModuleStyle, rng: np.random.Generator) -> Image:
    """Blur, scattered light, shot and read noise, tone curve; bright level stays about 1."""
    side = light.shape[0]
    seen = cv2.GaussianBlur(light, (0, 0), max(style.blur * side, 0.25))
    if style.glare:
        small = cv2.resize(light, (20, 20), interpolation=cv2.INTER_AREA)
        wide = cv2.resize(cv2.GaussianBlur(small, (0, 0), 3), (side, side))
        seen = seen * (1 - style.glare) + style.glare * wide
    noisy = seen + style.noise * np.sqrt(np.maximum(seen, 0.05)) * rng.standard_normal(
        (side, side), np.float32
    )
    toned = np.maximum(noisy, 0) ** np.float32(style.gamma)
    return np.asarray(style.pedestal + (1 - style.pedestal) * toned, np.float32)
