"""Where the borders of cells are seen: dips between like cells, steps at bright edges.

Every border between two cells (or between a cell and the outside) is cut across by a short
profile, averaged along the middle of the border so that rounded corners stay out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.grid import Axis, Grid
from grading.el.lens import Array

_ALONG = np.linspace(0.24, 0.76, 21)  # where a border is sampled, in pitches
_STEPS = 61  # samples across
_LEAST_REACH = 4.5  # px to either side, beyond any blur
_UNLIKE = 0.45  # a neighbour darker than this share of the other makes a step, not a dip
_LEAST_HALF_CUT = 12  # cells along the axis that a middle gap divides
_LEAST_JUMP = 0.03  # pitches
_SURE = 8.0  # standard errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Borders:
    """Borders seen across one axis, one entry each.

    ``index`` is the border's number along the axis (0 before the first cell); ``across`` the cell
    number on the other axis; ``side`` is 0 for the middle of a gap, +1 for the first edge of
    the cell behind the border, -1 for the last edge of the cell before it; ``place`` where it
    is seen [pitch]; ``sigma`` its standard uncertainty [px]; ``depth`` of a dip (0 to 1).
    """

    index: NDArray[np.int64]
    across: NDArray[np.int64]
    side: NDArray[np.int64]
    place: Array
    sigma: Array
    depth: Array


def see_borders(
    image: NDArray[np.float32], grid: Grid, *, vertical: bool, reach: float, noise: float
) -> Borders:
    """Find all borders within ``reach`` pitches of where ``grid`` expects them.

    ``vertical`` borders lie between columns. ``noise`` is the standard deviation of one pixel of
    ``image``. Borders that are not clearly seen are left out.
    """
    axis, other = (grid.columns, grid.rows) if vertical else (grid.rows, grid.columns)
    index, side = _expected(axis)
    nominal = index + axis.middle * (
        (index > axis.cells / 2) | ((index == axis.cells / 2) & (side > 0))
    )
    if axis.middle == 0.0:
        nominal = index.astype(np.float64)
    pixel = grid.cell_size()[0 if vertical else 1]
    reach = max(reach, min(_LEAST_REACH / pixel, 0.25))
    offset = np.linspace(-reach, reach, _STEPS)
    across = np.arange(other.cells)
    along = across[:, None] + other.shift(across)[:, None] + _ALONG
    profiles = _profiles(image, grid, nominal, offset, along, vertical=vertical)
    spread = noise / np.sqrt(len(_ALONG))
    repeated = np.repeat(side[:, None], other.cells, axis=1)
    side2, shift, sigma, depth = _locate(profiles, offset, repeated.copy(), spread, pixel)
    seen = np.isfinite(shift) & (sigma < 0.05 * pixel)
    rows, columns = np.nonzero(seen)
    return Borders(
        index=index[rows],
        across=columns,
        side=side2[seen],
        place=(nominal[:, None] + shift)[seen],
        sigma=sigma[seen],
        depth=depth[seen],
    )


def wide_middle(borders: Borders, axis: Axis) -> float:
    """Return how far the places of ``borders`` jump in the middle [pitch]; 0.0 where they do not.

    A half-cut module's middle gap shows as a step in a smooth curve (cubic: perspective and
    lens) through the gaps between cells, fitted by reweighted least squares (Tukey's biweight).
    """
    gaps = (borders.side == 0) & (borders.index != axis.cells // 2)
    if axis.middle or axis.cells % 2 or axis.cells < _LEAST_HALF_CUT or gaps.sum() < axis.cells:
        return 0.0
    x, y = borders.index[gaps] / axis.cells - 0.5, (borders.place - borders.index)[gaps]
    terms = np.column_stack((x**3, x**2, x, np.ones_like(x), np.sign(x) / 2.0))
    weight = np.ones_like(y)
    for _ in range(5):
        found = np.linalg.lstsq(terms * weight[:, None], y * weight)[0]
        off = y - terms @ found
        scale = 4.685 * 1.4826 * float(np.median(np.abs(off))) + 1e-6
        weight = np.maximum(1.0 - (off / scale) ** 2, 0.0)
    spread = np.linalg.pinv((terms * weight[:, None]).T @ (terms * weight[:, None]))[-1, -1]
    error = scale / 4.685 * np.sqrt(max(float(spread), 0.0))
    jump = float(found[-1])
    return jump if jump > max(_LEAST_JUMP, _SURE * error) else 0.0


def _expected(axis: Axis) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers and sides of the borders to look for; a wide middle gap has two edges."""
    index = np.arange(axis.cells + 1)
    side = np.where(index == 0, 1, np.where(index == axis.cells, -1, 0))
    if axis.middle > 0.0:
        middle = axis.cells // 2
        side[middle] = -1
        index, side = np.append(index, middle), np.append(side, 1)
    return index, side


def _profiles(
    image: NDArray[np.float32],
    grid: Grid,
    nominal: Array,
    offset: Array,
    along: Array,
    *,
    vertical: bool,
) -> Array:
    """Mean brightness across each border, (borders, cells across, steps)."""
    run = nominal[:, None, None, None] + offset[None, None, :, None]
    stay = along[None, :, None, :]
    run, stay = np.broadcast_arrays(run, stay)
    points = np.stack((run, stay) if vertical else (stay, run), axis=-1)
    pixels = grid.view.project(points).astype(np.float32)
    flat = pixels.reshape(-1, pixels.shape[2] * pixels.shape[3], 2)
    values = cv2.remap(image, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR)
    return np.asarray(values.reshape(pixels.shape[:-1]).mean(axis=-1), dtype=np.float64)


def _locate(
    profiles: Array, offset: Array, side: NDArray[np.int64], spread: float, pixel: float
) -> tuple[NDArray[np.int64], Array, Array, Array]:
    """Return side, offset [pitch], uncertainty [px] and depth of each border's profile."""
    reach = offset[-1]
    before = np.median(profiles[..., offset < -0.5 * reach], axis=-1)
    behind = np.median(profiles[..., offset > 0.5 * reach], axis=-1)
    darker = np.minimum(before, behind) < _UNLIKE * np.maximum(before, behind)
    side = np.where((side == 0) & darker, np.where(behind > before, 1, -1), side)
    dip, depth = _dip(profiles, offset, before, behind, max(0.035, 2.0 / pixel))
    step, rise = _step(profiles, offset, side, max(0.02, 1.2 / pixel))
    shift = np.where(side == 0, dip, step)
    contrast = np.where(side == 0, depth * 0.5 * (before + behind), rise)
    sigma = np.where(contrast > 5.0 * spread, 1.5 * spread / np.maximum(contrast, 1e-9), np.inf)
    sigma = np.where((side == 0) & (depth < 0.03), np.inf, sigma)
    return side, shift, np.hypot(sigma, 0.001 * pixel), depth


def _dip(
    profiles: Array, offset: Array, before: Array, behind: Array, width: float
) -> tuple[Array, Array]:
    """Centre of the dip (centroid of what lies below half its depth) and its depth."""
    share = (offset - offset[0]) / (offset[-1] - offset[0])
    base = before[..., None] * (1.0 - share) + behind[..., None] * share
    dips = 1.0 - profiles / np.maximum(base, 1e-9)
    favour = dips * (1.0 - 0.7 * (offset / offset[-1]) ** 2)
    peak = np.argmax(favour, axis=-1)[..., None]
    depth = np.take_along_axis(dips, peak, axis=-1)
    near = np.abs(offset - offset[peak]) < width
    weight = np.where(near, np.maximum(dips - 0.5 * depth, 0.0), 0.0)
    mass = weight.sum(axis=-1)
    centre = np.where(mass > 0, (weight * offset).sum(axis=-1) / np.maximum(mass, 1e-12), np.nan)
    return centre, depth[..., 0]


def _step(
    profiles: Array, offset: Array, side: NDArray[np.int64], width: float
) -> tuple[Array, Array]:
    """Steepest place of the step between a cell and what is darker beside it, and its height.

    Cells often dim toward their edge, which pulls the half-height crossing inward; the steepest
    place stays at the edge under any blur that is symmetric.
    """
    toward = np.where(side[..., None] < 0, profiles[..., ::-1], profiles)
    reach = offset[-1]
    cell = np.median(toward[..., offset > 0.3 * reach], axis=-1)
    dark = np.median(np.minimum.accumulate(toward, axis=-1)[..., offset <= 0.0], axis=-1)
    rising = toward[..., 2:] - toward[..., :-2]
    where = offset[1:-1]
    low = toward[..., 1:-1] < (0.75 * cell + 0.25 * dark)[..., None]
    rising = np.where(low & (np.abs(where) < 0.75 * reach), rising, 0.0)
    peak = np.argmax(rising, axis=-1)[..., None]
    top = np.take_along_axis(rising, peak, axis=-1)
    near = np.abs(where - where[peak]) < width
    weight = np.where(near, np.maximum(rising - 0.6 * top, 0.0), 0.0)
    mass = weight.sum(axis=-1)
    place = np.where(mass > 0, (weight * where).sum(axis=-1) / np.maximum(mass, 1e-12), np.nan)
    return np.where(side < 0, -place, place), cell - dark
