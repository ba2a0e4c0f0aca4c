"""Busbars, ribbons and fingers: what the front metal does to the light."""

from __future__ import annotations

import cv2
import numpy as np

from simulators.el_render.marks import Mask
from simulators.el_render.spec import CellSpec, ModuleStyle, busbar_positions
from simulators.el_render.wafer import Image, grid


def metal_light(
    style: ModuleStyle, spec: CellSpec, side: int, rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Share of light that the metal lets through, and where busbars lie, ``(side, side)``."""
    x, y = grid(side)
    light = _crowding(style, y) * _strips(style, spec, y)
    if style.finger_pitch and style.finger_pitch * side > 2.2:
        light = light * (
            1 - style.finger_contrast * (0.5 + 0.5 * np.cos(2 * np.pi * x / style.finger_pitch))
        )
    if style.end_pads:
        return np.asarray(light * _end_pads(style, x, y), np.float32), np.zeros_like(x, bool)
    bars, mask = _busbars(style, x, y, rng)
    if style.solder_marks:
        bars = bars * _solder_marks(style, side, rng)
    return np.asarray(light * bars, np.float32), mask


def _busbars(
    style: ModuleStyle, x: Image, y: Image, rng: np.random.Generator
) -> tuple[Image, Mask]:
    side = len(x)
    light = np.ones_like(x)
    mask = np.zeros(x.shape, bool)
    ends = (1 - style.busbar_reach) / 2
    along = (x > ends) & (x < 1 - ends)
    solder = along
    if style.busbar_dashes:
        phase = (x - ends) / (1 - 2 * ends) * style.busbar_dashes
        solder = along & ((phase % 1) < 0.55)
    thin = 0.35 if style.busbar_dashes else 0.0
    for centre in busbar_positions(style):
        cover = np.clip((style.busbar_width / 2 - np.abs(y - centre)) * side + 0.5, 0, 1)
        share = cover * np.where(solder, 1.0, thin * along)
        tone = 1 - (1 - style.busbar_level) * rng.uniform(0.8, 1.1)
        light = light * (1 - share * (1 - np.clip(tone, 0.02, 1)))
        mask |= (cover > 0.5) & along
    return np.asarray(light, np.float32), mask


def _end_pads(style: ModuleStyle, x: Image, y: Image) -> Image:
    light = np.ones_like(x)
    for centre in busbar_positions(style):
        for edge in (style.margin + 0.01, 1 - style.margin - 0.01):
            inside = np.hypot(x - edge, y - centre) < style.end_pads
            light[inside] = style.busbar_level
    return light


def _solder_marks(style: ModuleStyle, side: int, rng: np.random.Generator) -> Image:
    """Small dark marks where the ribbon was soldered, drawn out along the fingers."""
    depth = np.zeros((side, side), np.float32)
    rows = (busbar_positions(style) * side).astype(int)
    count = int(rng.integers(2, 9))
    for row in rows:
        depth[row, rng.integers(0, side, count)] = rng.uniform(0.3, 1.0, count)
    sigma = rng.uniform(0.004, 0.012) * side
    spread = cv2.GaussianBlur(depth, (0, 0), sigma, sigmaY=sigma * rng.uniform(1, 2.5))
    peak = max(float(spread.max()), 1e-6)
    return np.asarray(1 - style.solder_marks * spread / peak, np.float32)


def _strips(style: ModuleStyle, spec: CellSpec, y: Image) -> Image:
    """Light beyond the outer busbars falls off along the fingers' free ends."""
    first = 0.5 / max(style.busbars, 1)
    light = np.ones_like(y)
    for level, distance in zip(spec.strips, (y, 1 - y), strict=True):
        ramp = np.clip((first - distance) / first, 0, 1)
        light = light * (1 - (1 - level) * np.minimum(1, spec.strip_rise * ramp))
    return np.asarray(light, np.float32)


def _crowding(style: ModuleStyle, y: Image) -> Image:
    """Voltage lost along the fingers: brighter or darker next to a busbar."""
    if not style.busbars:
        return np.ones_like(y)
    return np.asarray(
        1 + style.crowding * np.cos(2 * np.pi * (y * style.busbars - 0.5)), np.float32
    )
