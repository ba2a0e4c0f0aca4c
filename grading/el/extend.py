"""Cells beyond the lit area: a bypassed substring is dark and still has its cells.

Even a dark row glows faintly, by the light that its lit neighbours scatter into it and by the
little current past its diode. What tells a row of cells from the frame or the bench is that the
gaps between its columns go on through it: the same dips, at the same places, at a few counts.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.grid import Grid
from grading.el.lens import Array
from grading.el.usual import is_usual

_SURE = 4.0  # standard errors of the mean dip
_BEYOND_DOUBT = 6.0  # bright lines too: deep in the dark the back sheet outshines the cells
_LIKELY = 2.5  # standard errors, where it makes a usual module
_DARK = 0.15  # of the bright cells: a bypassed string
_SIDES = ("top", "right", "bottom", "left")
_MOST = 30  # cells along one axis
_ALONG = np.linspace(0.15, 0.85, 40)
_OFFSET = np.linspace(-0.16, 0.16, 49)


def cells_beyond(image: NDArray[np.float32], grid: Grid, least: float) -> Grid | None:
    """Return ``grid`` with one more row or column (or two), or None where there is no more.

    ``least`` [counts] is the smallest dip that counts.
    """
    for side in _SIDES:
        if steps := _surely_beyond(image, grid, side, least):
            return _grow(grid, side, steps)
    return _completed(image, grid)


def _surely_beyond(image: NDArray[np.float32], grid: Grid, side: str, least: float) -> int:
    """How many more rows or columns are surely there: 1, or 2 by both together, or 0."""
    if not _may_grow(grid, side):
        return 0
    next_one = _grow(grid, side)
    if _evidence(image, next_one, side, least) > _SURE:
        return 1
    first = _evidence(image, next_one, side, -np.inf)
    second = _evidence(image, _grow(grid, side, 2), side, -np.inf)
    for steps, evidence in ((1, first), (2, second)):
        if abs(evidence) > _BEYOND_DOUBT:
            return steps
    together = (first + second) / np.sqrt(2.0)
    return 2 if first > 0.4 * _SURE and together > _SURE else 0


def _completed(image: NDArray[np.float32], grid: Grid) -> Grid | None:
    """Add one or two strings where that makes a usual module, on weaker evidence of either sign."""
    if is_usual(grid):
        return None
    best, strongest = None, 0.0
    for side, steps in itertools.product(_SIDES, (1, 2)):
        if not _may_grow(grid, side) or not is_usual(grown := _grow(grid, side, steps)):
            continue
        seen = [_evidence(image, _grow(grid, side, n), side, -np.inf) for n in range(1, steps + 1)]
        evidence = float(np.abs(seen).sum() / np.sqrt(steps))
        halved = steps == 1 and _is_dark(image, grid, side)
        if evidence > max(strongest, 0.0 if halved else _LIKELY):
            best, strongest = grown, evidence
    return best


def _is_dark(image: NDArray[np.float32], grid: Grid, side: str) -> bool:
    """Whether the outermost string at ``side`` is dark: a diode bypasses two, never one alone."""
    middle = grid.view.project(grid.middles()).astype(np.float32)
    level = cv2.remap(image, middle[..., 0], middle[..., 1], cv2.INTER_LINEAR)
    outermost = {"top": level[0], "bottom": level[-1], "left": level[:, 0], "right": level[:, -1]}
    return bool(np.median(outermost[side]) < _DARK * np.percentile(level, 90))


def _may_grow(grid: Grid, side: str) -> bool:
    axis = grid.rows if side in ("top", "bottom") else grid.columns
    return axis.middle == 0.0 and axis.cells < _MOST


def _grow(grid: Grid, side: str, steps: int = 1) -> Grid:
    upright = side in ("top", "bottom")
    move = np.eye(3)
    if side in ("top", "left"):
        move[1 if upright else 0, 2] = -float(steps)
    view = replace(grid.view, homography=grid.view.homography @ move)
    if upright:
        rows = replace(grid.rows, cells=grid.rows.cells + steps)
        return Grid(columns=grid.columns, rows=rows, view=view)
    columns = replace(grid.columns, cells=grid.columns.cells + steps)
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
    if flat.mean() < least or (least > 0 and (flat > 0).mean() < 0.7):
        return 0.0
    return _as_normal(float(flat.mean()) / max(error, 1e-9), len(flat) - 1)


def _as_normal(t: float, freedom: int) -> float:
    """Student's t as the normal deviate of about the same probability (Wallace 1959)."""
    return float(np.sign(t) * np.sqrt(freedom * np.log1p(t * t / max(freedom, 1))))
