"""Cells beyond the lit area: a bypassed substring is dark and still has its cells.

Even a dark row glows faintly, by the light that its lit neighbours scatter into it and by the
little current past its diode. What tells a row of cells from the frame or the bench is that the
gaps between its columns go on through it: the same dips, at the same places, at a few counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.grid import Grid
from grading.el.lens import Array

_SURE = 4.5  # standard errors of the mean dip
_MOST = 30  # cells along one axis
_ALONG = np.linspace(0.15, 0.85, 40)
_OFFSET = np.linspace(-0.16, 0.16, 49)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """Rows or columns added on each side of the lit area."""

    top: int = 0
    right: int = 0
    bottom: int = 0
    left: int = 0


def extend(image: NDArray[np.float32], grid: Grid, least: float) -> tuple[Grid, Extension]:
    """Add rows and columns at the four sides while gaps of depth ``least`` [counts] are seen."""
    added = {"top": 0, "right": 0, "bottom": 0, "left": 0}
    for side in added:
        while steps := _cells_beyond(image, grid, side, least):
            for _ in range(steps):
                grid = _grow(grid, side)
            added[side] += steps
    return grid, Extension(**added)


def _cells_beyond(image: NDArray[np.float32], grid: Grid, side: str, least: float) -> int:
    """How many more rows or columns are surely there: 1, or 2 by both together, or 0."""
    if not _may_grow(grid, side):
        return 0
    one = _grow(grid, side)
    first = _evidence(image, one, side, least)
    if first > _SURE:
        return 1
    if first < 0.4 * _SURE or not _may_grow(one, side):
        return 0
    second = _evidence(image, _grow(one, side), side, least)
    return 2 if (first + second) / np.sqrt(2.0) > _SURE else 0


def _may_grow(grid: Grid, side: str) -> bool:
    axis = grid.rows if side in ("top", "bottom") else grid.columns
    return axis.middle == 0.0 and axis.cells < _MOST


def _grow(grid: Grid, side: str) -> Grid:
    vertical = side in ("top", "bottom")
    first = side in ("top", "left")
    move = np.eye(3)
    if first:
        move[1 if vertical else 0, 2] = -1.0
    view = replace(grid.view, homography=grid.view.homography @ move)
    if vertical:
        rows = replace(grid.rows, cells=grid.rows.cells + 1)
        return Grid(columns=grid.columns, rows=rows, view=view)
    columns = replace(grid.columns, cells=grid.columns.cells + 1)
    return Grid(columns=columns, rows=grid.rows, view=view)


def _evidence(image: NDArray[np.float32], grid: Grid, side: str, least: float) -> float:
    """How surely the outermost cells at ``side`` show the module's gaps, in standard errors."""
    vertical = side in ("top", "bottom")
    axis, other = (grid.columns, grid.rows) if vertical else (grid.rows, grid.columns)
    number = 0 if side in ("top", "left") else other.cells - 1
    lines = np.arange(1, axis.cells) + axis.shift(np.arange(1, axis.cells))
    if axis.middle:
        lines = np.delete(lines, axis.cells // 2 - 1)
    run = lines[:, None, None] + _OFFSET[None, None, :]
    stay = np.broadcast_to((number + _ALONG)[None, :, None], (len(lines), len(_ALONG), 1))
    run, stay = np.broadcast_arrays(run, stay)
    pixels = grid.view.project(np.stack((run, stay) if vertical else (stay, run), axis=-1))
    if not _inside(pixels, image.shape):
        return 0.0
    flat = pixels.astype(np.float32).reshape(len(lines) * len(_ALONG), len(_OFFSET), 2)
    values = cv2.remap(image, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR)
    return _dips(values.reshape(len(lines), len(_ALONG), -1).astype(np.float64), least)


def _inside(pixels: Array, shape: tuple[int, ...]) -> bool:
    height, width = shape[:2]
    middle = pixels.reshape(-1, 2)
    good = (middle >= 0).all(axis=1) & (middle < np.array([width, height]) - 1).all(axis=1)
    return bool(good.mean() > 0.7)


def _dips(values: Array, least: float) -> float:
    """Mean dip at the lines over its standard error, from the scatter along and between lines."""
    centre = values[..., np.abs(_OFFSET) < 0.012].mean(axis=-1)
    beside = (np.abs(_OFFSET) > 0.05) & (np.abs(_OFFSET) < 0.14)
    dip = values[..., beside].mean(axis=-1) - centre
    per_line = np.median(dip.reshape(len(dip), 4, -1), axis=-1)
    flat = per_line.ravel()
    limit = 4.0 * 1.4826 * float(np.median(np.abs(flat - np.median(flat)))) + 1e-9
    flat = np.clip(flat, np.median(flat) - limit, np.median(flat) + limit)
    error = float(flat.std(ddof=1)) / np.sqrt(len(flat)) if len(flat) > 2 else np.inf
    if flat.mean() < least or (flat > 0).mean() < 0.7:
        return 0.0
    return float(flat.mean()) / max(error, 1e-9)
