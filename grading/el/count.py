"""Rows and columns of the lit area: both combs together, with the shape of real cells."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.comb import Comb, dip_profile, read_combs
from grading.el.grid import Axis, Grid
from grading.el.lens import Array, View, dense_map
from grading.el.usual import is_usually_lit

_LONG = 1200  # px of the upright picture's long side
_SHORT = 720  # px, at least, of its short side
_SHAPES = {1.0: 0.0, 0.5: -1.0, 1.0 / 3.0: -4.0}  # short/long side of a cell: log prior
_SHAPE_SPREAD = 0.07  # of the log of a cell's aspect as measured
_UNUSUAL = -3.0  # log prior of a layout that is not made in number


def count_cells(image: NDArray[np.float32], lit: View) -> tuple[Grid, Comb, Comb]:
    """Return the grid of the lit area, and the readings along x and y that it rests on.

    ``lit`` takes the unit square to the lit area. Wafers are square, or cut in two or three
    across their busbars; the pair of readings that agrees best with that wins.
    """
    aspect = plane_aspect(lit)
    width, height = round(_LONG * min(1.0, aspect)), round(_LONG * min(1.0, 1.0 / aspect))
    upright = _upright(image, lit, max(width, _SHORT), max(height, _SHORT))
    across = read_combs(dip_profile(upright))[:8]
    down = read_combs(dip_profile(np.ascontiguousarray(upright.T)))[:8]
    x, y = max(
        ((x, y) for x in across for y in down),
        key=lambda pair: _likelihood(*pair, aspect=aspect),
    )
    columns = Axis(cells=x.cells, middle=x.middle_gap)
    rows = Axis(cells=y.cells, middle=y.middle_gap)
    stretch = np.diag([1.0 / columns.length, 1.0 / rows.length, 1.0])
    view = View(homography=lit.homography @ stretch, k1=lit.k1, centre=lit.centre, scale=lit.scale)
    return Grid(columns=columns, rows=rows, view=view), x, y


def shape_error(grid: Grid) -> float:
    """How far the cells' aspect is from that of a whole, half or third wafer (log)."""
    shape = plane_aspect(grid.view)
    return float(np.min(np.abs(np.log(shape / _all_shapes()))))


def plane_aspect(view: View) -> float:
    """Width over height of the unit square in the plane, for a lens of normal focal length.

    The two columns of the homography have equal length for a square seen with focal length f
    (Zhang 2000, eq. 3); f is taken as 1.1 long sides of the picture.
    """
    rays = view.homography / np.array([[1.1], [1.1], [1.0]])
    return float(np.linalg.norm(rays[:, 0]) / np.linalg.norm(rays[:, 1]))


def _upright(image: NDArray[np.float32], lit: View, width: int, height: int) -> NDArray[np.float32]:
    u, v = np.meshgrid(np.linspace(0, 1, 33), np.linspace(0, 1, 33))
    places = dense_map(lit.project(np.stack((u, v), axis=-1)), height, width)
    picture = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_LINEAR)
    return np.asarray(picture, dtype=np.float32)


def _likelihood(x: Comb, y: Comb, *, aspect: float) -> float:
    """Log likelihood of a pair; busbars run one way only, along the short side of a cut cell."""
    shape = aspect * (y.cells + y.middle_gap) / (x.cells + x.middle_gap)
    readings = []
    for ratio in _all_shapes():
        vertical = x.score + y.plain if ratio >= 1 else -np.inf
        horizontal = x.plain + y.score if ratio <= 1 else -np.inf
        readings.append(max(vertical, horizontal) + _shape_prior(shape, ratio))
    return float(max(readings)) + (0.0 if is_usually_lit(x.cells, y.cells) else _UNUSUAL)


def _all_shapes() -> Array:
    ratios = np.array(sorted(_SHAPES))
    return np.unique(np.concatenate((ratios, 1.0 / ratios)))


def _shape_prior(shape: float, ratio: float) -> float:
    short = min(_SHAPES, key=lambda known: abs(known - min(ratio, 1.0 / ratio)))
    return _SHAPES[short] - 0.5 * float(np.log(shape / ratio) / _SHAPE_SPREAD) ** 2
