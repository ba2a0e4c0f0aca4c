"""Cells cut out upright and square, all in one pass over the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.grid import Grid
from grading.el.lens import Array, dense_map

SIDE = 160  # px of a rectified cell
_NODES = 9

Stack = NDArray[np.float32]


def cut_cells(image: NDArray[np.float32], grid: Grid) -> Stack:
    """Return the cells of ``grid``, (rows * columns, 160, 160), row by row."""
    places = dense_map(grid.view.project(_nodes(grid)), SIDE, SIDE)
    tall = places.reshape(-1, SIDE, 2)
    # OpenCV's remap takes at most 32767 rows
    parts = [
        cv2.remap(image, part[..., 0], part[..., 1], cv2.INTER_LINEAR)
        for part in np.array_split(tall, range(32000, len(tall), 32000))
    ]
    return np.concatenate(parts).reshape(-1, SIDE, SIDE).astype(np.float32, copy=False)


def place_in_image(grid: Grid, row: int, column: int, points: Array) -> Array:
    """Return pixels (m, 2) of points (m, 2) given in one cell's unit square."""
    u = grid.columns.starts()[column] + points[:, 0] * (1.0 - grid.columns.gap)
    v = grid.rows.starts()[row] + points[:, 1] * (1.0 - grid.rows.gap)
    return grid.view.project(np.stack((u, v), axis=-1))


def even_out(stack: Stack, grid: Grid, *, vignetted: bool) -> tuple[Stack, float]:
    """Scale the stack so that the median bright cell is 1, and level the lens' fall-off.

    The fall-off is fitted to the cells themselves as exp(-b r²) of the distance to the picture's
    centre, robustly, for cells differ; ``vignetted`` False leaves it (a flat field was given).

    Returns:
        The stack, and the fitted fall-off at a cell area's farthest corner (0 to 1).
    """
    level = np.percentile(stack[:, 16:-16:4, 16:-16:4], 70, axis=(1, 2))
    lit = level > 0.35 * np.percentile(level, 90)
    fall = 0.0
    if vignetted and lit.sum() >= 12:
        nodes = grid.view.project(_nodes(grid)) - np.asarray(grid.view.centre)
        radius2 = (nodes**2).sum(axis=-1) / grid.view.scale**2
        middle = radius2[:, _NODES // 2, _NODES // 2]
        slope = _robust_slope(middle[lit], np.log(level[lit]))
        gain = np.exp(-slope * radius2)[..., None]
        gain = np.concatenate((gain, gain), axis=-1)
        stack = stack * dense_map(gain, SIDE, SIDE)[..., 0]
        level = level * np.exp(-slope * middle)
        fall = float(1.0 - np.exp(slope * radius2.max()))
    bright = float(np.median(level[lit])) if lit.any() else 1.0
    return np.asarray(stack / np.float32(max(bright, 1e-6)), dtype=np.float32), fall


def _nodes(grid: Grid) -> Array:
    """Plane points of a coarse net over each cell's pixel centres, (n, 9, 9, 2)."""
    inside = np.linspace(0.5 / SIDE, 1.0 - 0.5 / SIDE, _NODES)
    u = grid.columns.starts()[:, None] + inside * (1.0 - grid.columns.gap)
    v = grid.rows.starts()[:, None] + inside * (1.0 - grid.rows.gap)
    net = np.broadcast_arrays(u[None, :, None, :], v[:, None, :, None])
    return np.stack(net, axis=-1).reshape(-1, _NODES, _NODES, 2)


def _robust_slope(x: Array, y: Array) -> float:
    """Slope ≤ 0 of y over x, by reweighted least squares (Tukey's biweight)."""
    weight = np.ones_like(x)
    slope = 0.0
    for _ in range(10):
        mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
        slope = float(
            np.sum(weight * (x - mean_x) * (y - mean_y))
            / max(float(np.sum(weight * (x - mean_x) ** 2)), 1e-9)
        )
        off = y - mean_y - slope * (x - mean_x)
        scale = 4.685 * 1.4826 * float(np.median(np.abs(off))) + 1e-6
        weight = np.maximum(1.0 - (off / scale) ** 2, 1e-3) ** 2
    return min(slope, 0.0)
