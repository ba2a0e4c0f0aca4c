"""Defects drawn on a cell: cracks, areas with less light, interrupted fingers.

Each function returns the share of light left, and where the truth mask is set.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from simulators.el_render.spec import AreaSpec, CrackSpec, FingerSpec, ModuleStyle, busbar_positions
from simulators.el_render.wafer import Image, grid, smooth_noise

SEEN_WIDTH = 0.009  # of the side: no crack looks thinner than the blur of a sharp picture
FINE = 2  # lines are drawn this much larger and averaged down
ENCLOSED = 160  # side at which cut-off areas are found, so that they do not hang on the picture's
Mask = NDArray[np.bool_]


def draw_cracks(
    cracks: Sequence[CrackSpec], side: int, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Light left where cracks run; their darkness varies along them."""
    light = np.ones((side, side), np.float32)
    mask = np.zeros((side, side), bool)
    for crack in cracks:
        cover = _line(crack.points, crack.width, side)
        uneven = np.clip(1 + 0.35 * smooth_noise(rng, side, 0.12), 0.4, 1.5)
        light *= 1 - np.clip(crack.contrast * uneven, 0, 0.97) * cover
        mask |= _line(crack.points, max(crack.width, SEEN_WIDTH), side) > 0.4
    return light, mask


def draw_fingers(fingers: Sequence[FingerSpec], side: int) -> tuple[Image, Mask]:
    """Light left along interrupted fingers; darkest in the middle, where no current arrives."""
    light = np.ones((side, side), np.float32)
    mask = np.zeros((side, side), bool)
    for finger in fingers:
        cover = _line(((finger.x, finger.y0), (finger.x, finger.y1)), finger.width, side)
        light *= 1 - finger.contrast * cover
        mask |= cover > 0.35
    return light, mask


def draw_areas(
    areas: Sequence[AreaSpec],
    cracks: Sequence[CrackSpec],
    style: ModuleStyle,
    side: int,
    rng: np.random.Generator,
) -> tuple[Image, Mask]:
    """Light left in dim and dark areas; ``cracks`` bound those that have no outline."""
    light = np.ones((side, side), np.float32)
    mask = np.zeros((side, side), bool)
    for area in areas:
        inside = _inside(area, cracks, style, side)
        if inside is None:
            continue
        if area.ragged:
            inside = _ragged(inside, area.ragged, rng)
        soft = _soften(inside, area.softness)
        left = _level(area, side, rng)
        light *= 1 - soft * (1 - left)
        if area.harmless:
            continue
        mask |= soft * (1 - area.level) > 0.25 if area.softness > 0.02 else soft > 0.5
    return light, mask


def _line(points: Sequence[tuple[float, float]], width: float, side: int) -> Image:
    """Share of each pixel that a line of some width covers."""
    scale = FINE * side
    pixels = np.rint(np.asarray(points) * scale * 16 - 8).astype(np.int32).reshape(-1, 1, 2)
    canvas = np.zeros((scale, scale), np.uint8)
    thick = max(1, round(width * scale))
    cv2.polylines(canvas, [pixels], False, 255, thick, cv2.LINE_AA, 4)
    cover = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return cover.astype(np.float32) * np.float32(min(1.0, width * scale / thick) / 255)


def _inside(
    area: AreaSpec, cracks: Sequence[CrackSpec], style: ModuleStyle, side: int
) -> Mask | None:
    if area.polygon:
        canvas = np.zeros((side, side), np.uint8)
        pixels = np.rint(np.asarray(area.polygon) * side * 16 - 8).astype(np.int32)
        cv2.fillPoly(canvas, [pixels.reshape(-1, 1, 2)], 1, cv2.LINE_8, 4)
        return canvas.astype(bool)
    found = _enclosed(area, cracks, style)
    if found is None:
        return None
    return cv2.resize(found, (side, side), interpolation=cv2.INTER_LINEAR) > 127


def _enclosed(
    area: AreaSpec, cracks: Sequence[CrackSpec], style: ModuleStyle
) -> NDArray[np.uint8] | None:
    """The area around the seed that cracks, busbars and edges cut off, a quarter at most."""
    walls = np.zeros((ENCLOSED, ENCLOSED), np.uint8)
    for crack in cracks:
        walls |= _line(crack.points, max(crack.width, SEEN_WIDTH), ENCLOSED) > 0.4
    for centre in busbar_positions(style):
        row = int(centre * ENCLOSED)
        walls[max(row - 1, 0) : row + 1] = 1
    x, y = (min(int(value * ENCLOSED), ENCLOSED - 1) for value in area.seed or (0.5, 0.5))
    if walls[y, x]:
        return None
    _, parts = cv2.connectedComponents(1 - walls, connectivity=4)
    inside = np.asarray(parts == parts[y, x], np.uint8)
    if not 0.003 < inside.mean() < 0.25:
        return None
    return np.asarray(cv2.dilate(inside, np.ones((3, 3), np.uint8)) * 255, np.uint8)


def _ragged(inside: Mask, reach: float, rng: np.random.Generator) -> Mask:
    """Let the area's ends differ from finger to finger."""
    side = inside.shape[0]
    pitch = max(1, round(side * rng.uniform(0.008, 0.02)))
    shift = np.repeat(rng.normal(0, reach * side, side // pitch + 1), pitch)[:side]
    y, x = np.mgrid[:side, :side].astype(np.float32)
    moved = cv2.remap(
        inside.astype(np.uint8), x, np.asarray(y + shift, np.float32), cv2.INTER_NEAREST
    )
    return moved.astype(bool)


def _soften(inside: Mask, softness: float) -> Image:
    side = inside.shape[0]
    return np.asarray(
        cv2.GaussianBlur(inside.astype(np.float32), (0, 0), max(softness * side, 0.3)), np.float32
    )


def _level(area: AreaSpec, side: int, rng: np.random.Generator) -> Image:
    """Light left within an area, finger by finger and grain by grain."""
    x, _ = grid(side)
    level = np.full((side, side), area.level, np.float32)
    if area.comb:
        pitch = rng.uniform(0.006, 0.04)
        column = rng.standard_normal(int(1 / pitch) + 2).astype(np.float32)
        wave = np.interp(x[0] / pitch, np.arange(column.size), column).astype(np.float32)
        level = level * np.exp(area.comb * wave)
    if area.speckle:
        level = level * np.exp(area.speckle * smooth_noise(rng, side, 0.015))
    return np.clip(level, 0.01, 1.0)
