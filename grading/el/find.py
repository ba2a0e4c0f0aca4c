"""Find the grid of all cells in a picture, without being told what it is."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from grading.el.correction import shrink
from grading.el.count import count_cells, shape_error
from grading.el.extend import cells_beyond
from grading.el.grid import Axis, Grid
from grading.el.lens import View
from grading.el.quality import blur
from grading.el.refine import Fit, refine
from grading.el.region import lit_mask, lit_view
from grading.errors import ImageError

_FINDING_SIZE = 1800  # px of the long side on which the grid is found
_BEYOND = (1.0, 4.0)  # weight of light beyond a side, at the first and at the second look
_LEAST_CELL = 48.0  # px of a cell's long side
_LEAST_SEEN = 0.5  # share of the borders between cells
_LEAST_DIPS = 0.4  # share of these that are dips
_LEAST_DEPTH = 0.05  # of a dip
_WORST_SHAPE = 0.22  # log of a cell's aspect over that of a wafer
_LEAST_STEP = 0.15  # of the converter's step
_WORST_BLUR = 0.0022  # of the module's long side

FOCUS = "Focus the lens, keep camera and module still, and repeat."

FloatImage = NDArray[np.float32]


def finding_size(signal: FloatImage) -> tuple[FloatImage, float]:
    """Return the picture in the size in which grids are found, and the factor to it."""
    factor = min(1.0, _FINDING_SIZE / max(signal.shape))
    return shrink(signal, factor), factor


def find_grid(
    signal: FloatImage, noise: float, step: float = 1.0, lens_k1: float | None = None
) -> Grid:
    """Return the grid of all cells, dark ones too, fitted to the borders that are seen.

    Args:
        signal: the corrected picture, in finding size.
        noise: standard deviation of one of its pixels.
        step: of the converter, in the same counts: much less than it is not seen.
        lens_k1: the lens' radial term as calibrated (see ``grading.el.lens``), else fitted.

    Raises:
        ImageError: there is no module, or only part of one, in the picture.
    """
    mask = lit_mask(signal)
    for weight in _BEYOND:
        fit = _fit_lit(signal, lit_view(mask, weight), noise, lens_k1)
        if _is_module(fit):
            break
    else:
        _refuse(signal, lit_view(mask, 0.0), fit)
    grid = fit.grid
    while (grown := cells_beyond(signal, grid, _LEAST_STEP * step)) is not None:
        grid = refine(signal, grown, noise, lens_k1).grid
    return grid


def _fit_lit(signal: FloatImage, lit: View, noise: float, lens_k1: float | None) -> Fit:
    """Count and fit the cells of the lit area, and count again as the fit sees them."""
    start, _, _ = count_cells(signal, lit)
    fit = refine(signal, start, noise, lens_k1)
    again, _, _ = count_cells(signal, _whole(fit.grid))
    return fit if _alike(again, fit.grid) else refine(signal, again, noise, lens_k1)


def _whole(grid: Grid) -> View:
    """The grid's own view, taking the unit square to its cells: sharper than the lit sides."""
    stretch = np.diag([grid.columns.length, grid.rows.length, 1.0])
    return replace(grid.view, homography=grid.view.homography @ stretch)


def _alike(one: Grid, other: Grid) -> bool:
    return all(
        a.cells == b.cells and abs(a.middle - b.middle) < 0.3
        for a, b in ((one.columns, other.columns), (one.rows, other.rows))
    )


def _is_module(fit: Fit) -> bool:
    return (
        fit.seen >= _LEAST_SEEN
        and fit.dips >= _LEAST_DIPS
        and fit.rms <= 0.3 + 0.012 * min(fit.grid.cell_size())
        and fit.depth >= _LEAST_DEPTH
        and shape_error(fit.grid) <= _WORST_SHAPE
    )


def _refuse(signal: FloatImage, lit: View, fit: Fit) -> NoReturn:
    whole = Grid(columns=Axis(cells=1, gap=0.0), rows=Axis(cells=1, gap=0.0), view=lit)
    if blur(signal, whole) > _WORST_BLUR * max(whole.cell_size()):
        raise ImageError("blurred", "The picture is too blurred to see the cells in.", FOCUS)
    raise ImageError(
        "not_a_module",
        f"Something shines, but no grid of cells is seen in it: {fit.seen:.0%} of its lines.",
        "Take a picture of one whole module with current on, the camera facing it.",
    )


def refuse_small(grid: Grid) -> None:
    """Raise ``ImageError`` ``too_small`` if cells are too small to see cracks in."""
    cell = max(grid.cell_size())
    if cell < _LEAST_CELL:
        raise ImageError(
            "too_small",
            f"Cells of {cell:.0f} px are too small to see cracks in.",
            f"Move closer, or use more pixels: at least {_LEAST_CELL:.0f} px for a cell.",
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
