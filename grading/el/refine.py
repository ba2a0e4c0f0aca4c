"""Sub-pixel fit of the grid to the borders that are seen: perspective, lens and gaps at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from grading.el.grid import Axis, Grid
from grading.el.lens import Array
from grading.el.observe import Borders, see_borders, wide_middle

_CALIBRATED = 1e-4  # standard uncertainty of a calibrated radial term: thousands of borders pull


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A grid fitted to borders.

    ``rms`` [px] of the better 80% of them; ``seen``: share of the borders between cells that are
    seen, in the worse of both directions; ``dips``: share of these that are dips, not steps;
    ``depth``: median depth of the dips.
    """

    grid: Grid
    rms: float
    seen: float
    dips: float
    depth: float


def refine(
    image: NDArray[np.float32], grid: Grid, noise: float, lens_k1: float | None = None
) -> Fit:
    """Fit ``grid`` to the picture, looking ever closer (Levenberg-Marquardt, robust loss).

    ``lens_k1``: the lens' radial term as calibrated; else the grid itself tells it.
    """
    for reach in (0.13, 0.08, 0.08):
        across = see_borders(image, grid, vertical=True, reach=reach, noise=noise)
        down = see_borders(image, grid, vertical=False, reach=reach, noise=noise)
        grid = replace(
            grid,
            columns=_opened(grid.columns, wide_middle(across, grid.columns)),
            rows=_opened(grid.rows, wide_middle(down, grid.rows)),
        )
        fit = _fit(grid, across, down, lens_k1)
        grid = fit.grid
    return fit


def _opened(axis: Axis, middle: float) -> Axis:
    return replace(axis, middle=middle) if middle else axis


def _fit(grid: Grid, across: Borders, down: Borders, lens_k1: float | None) -> Fit:
    start = _pack(grid)
    if len(across.index) + len(down.index) < 2 * len(start):
        return Fit(grid=grid, rms=float("inf"), seen=0.0, dips=0.0, depth=0.0)
    targets = [_target(grid, across, vertical=True), _target(grid, down, vertical=False)]
    sigma = np.concatenate((across.sigma, down.sigma))
    expected = np.array([lens_k1 or 0.0, 0.017, 0.017])
    spread = np.array([0.2 if lens_k1 is None else _CALIBRATED, 0.1, 0.1])

    def residuals(parameters: Array) -> Array:
        trial = _unpack(parameters, grid)
        off = [
            _off(trial, borders, *target, vertical=vertical)
            for borders, target, vertical in zip(
                (across, down), targets, (True, False), strict=True
            )
        ]
        prior = (parameters[[8, 9, 10]] - expected) / spread
        return np.concatenate((np.concatenate(off) / sigma, prior))

    def jacobian(parameters: Array) -> Array:
        trial = _unpack(parameters, grid)
        by_border = [
            _off_derivatives(trial, borders, normal, vertical=vertical)
            for borders, (_, normal), vertical in zip(
                (across, down), targets, (True, False), strict=True
            )
        ]
        prior = np.zeros((3, len(parameters)))
        prior[[0, 1, 2], [8, 9, 10]] = 1.0 / spread
        return np.concatenate((np.concatenate(by_border) / sigma[:, None], prior))

    found = least_squares(
        residuals, start, jacobian, loss="soft_l1", f_scale=2.0, x_scale="jac", max_nfev=25
    )
    fitted = _unpack(found.x, grid)
    off = np.abs(residuals(found.x)[: len(sigma)] * sigma)
    inner = [
        _inner(borders, axis.cells) for borders, axis in ((across, grid.columns), (down, grid.rows))
    ]
    whole = [(grid.columns.cells - 1) * grid.rows.cells, (grid.rows.cells - 1) * grid.columns.cells]
    is_dip = np.concatenate([b.side[i] == 0 for b, i in zip((across, down), inner, strict=True)])
    depth = np.concatenate([b.depth[i] for b, i in zip((across, down), inner, strict=True)])
    return Fit(
        grid=fitted,
        rms=float(np.sqrt(np.mean(np.sort(off)[: int(0.8 * len(off))] ** 2))),
        seen=min(float(i.sum()) / max(n, 1) for i, n in zip(inner, whole, strict=True)),
        dips=float(is_dip.mean()) if len(is_dip) else 0.0,
        depth=float(np.median(depth[is_dip])) if is_dip.any() else 0.0,
    )


def _inner(borders: Borders, cells: int) -> NDArray[np.bool_]:
    return np.asarray((borders.index > 0) & (borders.index < cells))


def _pack(grid: Grid) -> Array:
    h = grid.view.homography / grid.view.homography[2, 2]
    tail = [grid.view.k1, grid.columns.gap, grid.rows.gap, grid.columns.middle, grid.rows.middle]
    return np.concatenate((h.reshape(-1)[:8], tail))


def _unpack(parameters: Array, grid: Grid) -> Grid:
    view = replace(
        grid.view,
        homography=np.append(parameters[:8], 1.0).reshape(3, 3),
        k1=float(parameters[8]),
    )
    columns = replace(
        grid.columns,
        gap=float(parameters[9]),
        middle=float(parameters[11]) if grid.columns.middle else 0.0,
    )
    rows = replace(
        grid.rows,
        gap=float(parameters[10]),
        middle=float(parameters[12]) if grid.rows.middle else 0.0,
    )
    return Grid(columns=columns, rows=rows, view=view)


def _plane_points(grid: Grid, borders: Borders, place: Array, *, vertical: bool) -> Array:
    other = grid.rows if vertical else grid.columns
    stay = borders.across + 0.5 + other.shift(borders.across)
    return np.stack((place, stay) if vertical else (stay, place), axis=-1)


def _target(grid: Grid, borders: Borders, *, vertical: bool) -> tuple[Array, Array]:
    """Pixels where the borders are seen, and unit normals across them."""
    seen = grid.view.project(_plane_points(grid, borders, borders.place, vertical=vertical))
    beyond = grid.view.project(
        _plane_points(grid, borders, borders.place + 0.01, vertical=vertical)
    )
    normal = beyond - seen
    return seen, normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def _off(grid: Grid, borders: Borders, seen: Array, normal: Array, *, vertical: bool) -> Array:
    """Signed distance [px] of each expected border from where it is seen."""
    points = grid.view.project(_expected(grid, borders, vertical=vertical))
    return np.asarray(np.sum((points - seen) * normal, axis=-1))


def _expected(grid: Grid, borders: Borders, *, vertical: bool) -> Array:
    axis = grid.columns if vertical else grid.rows
    place = borders.index + axis.middle * _behind(axis, borders) + 0.5 * axis.gap * borders.side
    return _plane_points(grid, borders, place, vertical=vertical)


def _behind(axis: Axis, borders: Borders) -> NDArray[np.bool_]:
    middle = axis.cells / 2.0
    behind = (borders.index > middle) | ((borders.index == middle) & (borders.side > 0))
    return np.asarray(behind)


def _off_derivatives(grid: Grid, borders: Borders, normal: Array, *, vertical: bool) -> Array:
    """Derivatives of ``_off`` by all that ``_pack`` packs, (m, 13)."""
    axis, other = (grid.columns, grid.rows) if vertical else (grid.rows, grid.columns)
    by_plane, by_view = grid.view.derivatives(_expected(grid, borders, vertical=vertical))
    place, stay = (0, 1) if vertical else (1, 0)
    along = np.sum(by_plane[..., place] * normal, axis=-1)
    beside = np.sum(by_plane[..., stay] * normal, axis=-1)
    found = np.zeros((len(normal), 13))
    found[:, :9] = np.einsum("mi,mij->mj", normal, by_view)
    found[:, 9 + place] = 0.5 * borders.side * along
    if axis.middle:
        found[:, 11 + place] = _behind(axis, borders) * along
    if other.middle:
        found[:, 11 + stay] = (borders.across >= other.cells / 2.0) * beside
    return found
