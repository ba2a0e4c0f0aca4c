"""The light of a sound wafer: grains, dislocations, striations, edges."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from simulators.el_render.spec import TextureSpec

Image = NDArray[np.float32]


def wafer_light(texture: TextureSpec, side: int) -> Image:
    """Luminescence of a sound wafer about 1, ``(side, side)``."""
    rng = np.random.default_rng(texture.seed)
    light = np.ones((side, side), np.float32)
    if texture.grains:
        light *= _grains(rng, texture, side)
    if texture.clouds:
        light *= _clouds(rng, texture, side)
    if texture.blotches or texture.speckles:
        light *= _blotches(rng, texture, side)
    if texture.clusters:
        light *= _clusters(rng, texture, side)
    if texture.streaks:
        light *= _slip_lines(rng, texture, side)
    if texture.rings:
        light *= _rings(rng, texture, side)
    if texture.belt:
        light *= _belt(rng, texture, side)
    return np.asarray(light * _shade(rng, texture, side), np.float32)


def smooth_noise(rng: np.random.Generator, side: int, scale: float) -> Image:
    """Noise of standard deviation about 1 whose patches measure ``scale`` of the side."""
    cells = max(2, round(1 / scale))
    coarse = rng.standard_normal((cells + 3, cells + 3)).astype(np.float32)
    wide = cv2.resize(coarse, None, fx=side / cells, fy=side / cells, interpolation=cv2.INTER_CUBIC)
    y, x = rng.integers(0, side // cells + 1, 2)
    return np.asarray(1.3 * wide[y : y + side, x : x + side], np.float32)


def grid(side: int) -> tuple[Image, Image]:
    """Coordinates x and y of pixel centres in units of the side."""
    axis = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    x, y = np.meshgrid(axis, axis)
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def _grains(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    """Grains of slightly different light, and their boundaries as thin lines.

    Recombination differs from boundary to boundary, so most of them are not seen.
    """
    seeds = np.full((side, side), 255, np.uint8)
    y, x = rng.integers(0, side, (2, texture.grains))
    seeds[y, x] = 0
    _, grain = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    grain = _warp(grain.astype(np.float32), rng, 0.02, 0.08, nearest=True).astype(np.int32)
    tone = 1 + texture.grain_contrast * rng.standard_normal(grain.max() + 1).astype(np.float32)
    light = tone[grain]
    if texture.boundary_contrast:
        activity = texture.boundary_contrast * rng.random(grain.max() + 1).astype(np.float32) ** 3
        edge = np.zeros((side, side), np.float32)
        step = grain[1:, 1:]
        differs = (step != grain[:-1, 1:]) | (step != grain[1:, :-1])
        edge[1:, 1:] = differs * activity[step]
        light = light * (1 - cv2.GaussianBlur(edge, (3, 3), 0.7))
    return np.asarray(light, np.float32)


def _warp(
    image: Image, rng: np.random.Generator, reach: float, scale: float, *, nearest: bool = False
) -> Image:
    side = image.shape[0]
    shift = [smooth_noise(rng, side, scale) * np.float32(reach * side) for _ in range(2)]
    y, x = np.mgrid[:side, :side].astype(np.float32)
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    warped = cv2.remap(image, x + shift[0], y + shift[1], how, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, np.float32)


def _drawn_out(rng: np.random.Generator, texture: TextureSpec, side: int, scale: float) -> Image:
    """Smooth noise, stretched along the direction in which the crystal was pulled."""
    noise = smooth_noise(rng, side, scale)
    if texture.streak <= 1:
        return noise
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), np.degrees(texture.streak_angle), 1.5)
    turn[0] = turn[0] / texture.streak
    drawn = cv2.warpAffine(
        noise, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(drawn, np.float32)


def _clouds(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    coarse = _drawn_out(rng, texture, side, texture.cloud_scale)
    fine = _drawn_out(rng, texture, side, texture.cloud_scale / 3)
    where = np.clip(smooth_noise(rng, side, 0.4) + 0.3, 0, 1.5)
    dark = np.clip(0.6 * coarse + 0.5 * fine, -0.5, 2.0) * where
    return np.asarray(np.clip(1 - texture.clouds * dark, 0.2, 1.3), np.float32)


def _clusters(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    """Dislocation clusters as etched wafers show them: frayed at every scale, sharp on one side."""
    height = np.zeros((side, side), np.float32)
    finest = 1.2 / side
    scale, weight = max(texture.cluster_scale, 1.01 * finest), 1.0
    while scale > finest:
        height += np.float32(weight) * _drawn_out(rng, texture, side, scale)
        scale, weight = scale / 2.1, weight * 0.72
    where = smooth_noise(rng, side, 0.35)
    height = height / height.std() + 0.7 * where
    level = np.quantile(height, 1 - texture.cluster_share)
    rough = np.clip(0.75 + 0.3 * smooth_noise(rng, side, 0.015), 0.1, 1.4)
    dark = np.tanh(np.maximum(height - level, 0)) * rough
    return np.asarray(1 - texture.clusters * dark, np.float32)


def _blotches(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    """Dislocation clusters: dark patches with frayed rims; and fine speckles."""
    depth = np.zeros((side, side), np.float32)
    for _ in range(texture.blotches):
        size = texture.blotch_size * rng.lognormal(0, 0.5)
        _stamp(depth, rng, size, texture, rng.uniform(0.4, 1.0))
    for _ in range(texture.speckles):
        _stamp(depth, rng, rng.uniform(0.005, 0.012), texture, rng.uniform(0.3, 1.0))
    frayed = _warp(depth, rng, 0.012, 0.03)
    rough = np.clip(0.7 + 0.35 * smooth_noise(rng, side, 0.015), 0.2, 1.4)
    return np.asarray(1 - texture.blotch_contrast * np.clip(frayed, 0, 1.3) * rough, np.float32)


def _slip_lines(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    """Bundles of short, nearly parallel dark lines with soft rims: slip and twin planes."""
    scale = 2
    depth = np.zeros((scale * side, scale * side), np.float32)
    angle = rng.uniform(0, np.pi)
    for _ in range(texture.streaks):
        centre, turn = rng.uniform(0, 1, 2), angle + rng.normal(0, 0.25)
        ahead = np.array([np.cos(turn), np.sin(turn)])
        aside = np.array([-ahead[1], ahead[0]])
        long, spread = rng.uniform(0.04, 0.3), rng.uniform(0.01, 0.09)
        for _ in range(int(rng.integers(2, 14))):
            at = centre + aside * rng.normal(0, spread) + ahead * rng.normal(0, long / 4)
            half = ahead * long * rng.uniform(0.2, 0.6)
            ends = np.rint(np.array([at - half, at + half]) * scale * side * 16).astype(np.int32)
            line = np.zeros_like(depth)
            thick = int(rng.integers(1, 4))
            cv2.polylines(line, [ends.reshape(-1, 1, 2)], False, 1.0, thick, cv2.LINE_AA, 4)
            depth = np.maximum(depth, line * np.float32(rng.uniform(0.3, 1.0)))
    sigma = scale * side * rng.uniform(0.003, 0.008)
    soft = cv2.GaussianBlur(depth, (0, 0), sigma)
    soft = cv2.resize(soft, (side, side), interpolation=cv2.INTER_AREA)
    soft = soft / np.float32(max(float(np.percentile(soft, 99.5)), 1e-3))
    uneven = np.clip(0.7 + 0.5 * smooth_noise(rng, side, 0.08), 0.1, 1.6)
    return np.asarray(1 - texture.streak_contrast * np.clip(soft, 0, 1.2) * uneven, np.float32)


def _stamp(
    depth: Image, rng: np.random.Generator, size: float, texture: TextureSpec, strength: float
) -> None:
    """Lower the light in one elongated patch of about ``size``."""
    side = depth.shape[0]
    centre = rng.uniform(0, side, 2)
    angle = texture.streak_angle + rng.normal(0, 0.6)
    long = size * side * np.sqrt(max(texture.streak, 1.0)) * rng.uniform(0.8, 1.6)
    short = max(size * side * rng.uniform(0.5, 1.0), 0.7)
    reach = int(3 * max(long, short)) + 2
    x0, y0 = np.maximum(centre.astype(int) - reach, 0)
    x1, y1 = np.minimum(centre.astype(int) + reach, side)
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    x, y = x - centre[0], y - centre[1]
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    near = np.exp(-(((u / long) ** 2 + (v / short) ** 2) ** 1.5))
    here: NDArray[Any] = depth[y0:y1, x0:x1]
    np.maximum(here, strength * near, out=here)


def _rings(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    x, y = grid(side)
    centre = rng.uniform(0.2, 0.8, 2)
    radius = np.hypot(x - centre[0], y - centre[1])
    wave = np.sin(2 * np.pi * radius / texture.ring_pitch + rng.uniform(0, 6))
    slow = np.sin(2 * np.pi * radius / (texture.ring_pitch * 4.3) + rng.uniform(0, 6))
    bowl = rng.uniform(-1, 2.5) * (radius - 0.3)
    return np.asarray(1 - texture.rings * (0.4 * wave + 0.4 * slow + bowl), np.float32)


def _belt(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    """Tyre-track pattern where the firing belt's mesh cooled the wafer."""
    x, y = grid(side)
    along, pitch = rng.uniform(0.04, 0.09), rng.uniform(0.03, 0.07)
    wave = np.sin(2 * np.pi * x / along + 2.5 * np.sin(2 * np.pi * y / pitch))
    where = np.clip(smooth_noise(rng, side, 0.35) + 0.5, 0, 1.5)
    return np.asarray(1 - texture.belt * wave * where, np.float32)


def _shade(rng: np.random.Generator, texture: TextureSpec, side: int) -> Image:
    """Slow gradients, and edges that came from the crucible's wall."""
    x, y = grid(side)
    light = 1 + texture.gradient[0] * (x - 0.5) + texture.gradient[1] * (y - 0.5)
    wobble = np.clip(1 + 0.35 * smooth_noise(rng, side, 0.15), 0.3, 2)
    for depth, distance in zip(texture.edges, (x, y, 1 - x, 1 - y), strict=True):
        if depth:
            light = light * (1 - depth * np.exp(-((distance / (texture.edge_reach * wobble)) ** 2)))
    return np.asarray(np.clip(light, 0.02, 2), np.float32)
