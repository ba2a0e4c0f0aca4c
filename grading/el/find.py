"""Find the grid of all cells in a picture, without being told what it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grading.el.count import count_cells
from grading.el.extend import extend
from grading.el.grid import Grid
from grading.el.lens import View
from grading.el.refine import Fit, refine
from grading.el.region import lit_mask, lit_view
from grading.errors import ImageError

_LEAST_CELL = 20.0  # px of a cell's short side
_LEAST_SEEN = 0.5  # share of the borders between cells

FloatImage = NDArray[np.float32]


def find_grid(signal: FloatImage, noise: float) -> Grid:
    """Return the grid of all cells, dark ones too, fitted to the borders that are seen.

    Raises:
        ImageError: there is no module, or only part of one, in the picture.
    """
    lit = lit_view(lit_mask(signal))
    start, _, _ = count_cells(signal, lit)
    if min(start.cell_size()) < _LEAST_CELL:
        raise ImageError(
            "too_small",
            f"Cells of {min(start.cell_size()):.0f} px are too small to see cracks in.",
            f"Move closer, or use more pixels: at least {_LEAST_CELL:.0f} px for a cell.",
        )
    fit = refine(signal, start, noise)
    again, _, _ = count_cells(signal, _whole(fit.grid))
    if not _alike(again, fit.grid):
        fit = refine(signal, again, noise)
    _refuse_misfit(fit)
    grid, added = extend(signal, fit.grid)
    if any((added.top, added.right, added.bottom, added.left)):
        grid = refine(signal, grid, noise).grid
    return grid


def _whole(grid: Grid) -> View:
    """The grid's own view, taking the unit square to its cells: sharper than the lit sides."""
    stretch = np.diag([grid.columns.length, grid.rows.length, 1.0])
    return replace(grid.view, homography=grid.view.homography @ stretch)


def _alike(one: Grid, other: Grid) -> bool:
    return all(
        a.cells == b.cells and abs(a.middle - b.middle) < 0.3
        for a, b in ((one.columns, other.columns), (one.rows, other.rows))
    )


def _refuse_misfit(fit: Fit) -> None:
    cell = min(fit.grid.cell_size())
    if fit.seen < _LEAST_SEEN or fit.rms > 0.03 * cell or fit.depth < 0.05:
        raise ImageError(
            "not_a_module",
            f"No grid of cells is seen: {fit.seen:.0%} of its lines, {fit.rms:.1f} px off.",
            "Take a picture of one whole module with current on, the camera facing it.",
        )


def refuse_cut_off(grid: Grid, shape: tuple[int, ...]) -> None:
    """Raise ``ImageError`` ``out_of_frame`` if cells lie outside a picture of ``shape``."""
    height, width = shape
    corners = grid.corners()
    slack = 0.05 * min(grid.cell_size())
    low, high = corners.min(axis=0), corners.max(axis=0)
    if (low < -slack).any() or high[0] > width - 1 + slack or high[1] > height - 1 + slack:
        raise ImageError(
            "out_of_frame",
            "Part of the module lies outside the picture.",
            "Move the camera or the module so that the whole frame is seen, and repeat.",
        )
