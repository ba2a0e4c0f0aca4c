"""From one raw photograph to every cell of the module: the EL core's one verb."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_marks import INACTIVE
from grading.el.cells import CellJudgements, judge_cells
from grading.el.correction import correct, shrink
from grading.el.count import count_cells
from grading.el.extend import extend
from grading.el.grid import Grid
from grading.el.net import CellModel
from grading.el.quality import sharpness, signal_to_noise
from grading.el.rectify import SIDE, cut_cells, even_out, place_in_image
from grading.el.refine import Fit, refine
from grading.el.region import lit_mask, lit_view
from grading.errors import ImageError
from grading.values import (
    Crack,
    ELCell,
    ELImage,
    ELLayout,
    ELQuality,
    ELResult,
    Finding,
    Point,
    Severity,
)

_FINDING_SIZE = 1800  # px of the long side on which the grid is found
_LEAST_CELL = 20.0  # px of a cell's short side
_LEAST_SEEN = 0.5  # share of the borders between cells
_LEAST_SHARPNESS = 0.15

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]


def analyse(
    image: ELImage, *, layout: ELLayout | None = None, model: CellModel | None = None
) -> ELResult:
    """Find the module and all its cells in ``image`` without being told what it is, and judge them.

    Args:
        image: the raw photograph; ``dark`` and ``flat`` are used when given, else the dark level,
            hot pixels and the lens' fall-off are estimated from the picture.
        layout: what the module should be (nameplate). A picture of something else is a finding
            ``layout_mismatch`` of severity error: it is another panel's.
        model: the cell network; None judges by classical measures alone.

    Returns:
        Rows and columns as seen in the picture; polygons in raw pixels, clockwise from the top
        left, the first pixel's centre being (0, 0).

    Raises:
        ImageError: ``black``, ``saturated``, ``not_a_module``, ``out_of_frame``, ``blurred`` or
            ``too_small``.
    """
    corrected = correct(image)
    factor = min(1.0, _FINDING_SIZE / max(corrected.signal.shape))
    small = shrink(corrected.signal, factor)
    grid = find_grid(small, corrected.noise * factor)
    fine = _scaled(grid, 1.0 / factor)
    _refuse_cut_off(fine, corrected.signal.shape)
    quality = ELQuality(
        sharpness=sharpness(corrected.signal, fine),
        snr=signal_to_noise(corrected.signal, fine),
        saturated_fraction=corrected.saturated,
    )
    _refuse_blurred(quality, fine)
    reading = min(1.0, 1.2 * SIDE / max(fine.cell_size()))
    stack = cut_cells(shrink(corrected.signal, reading), _scaled(fine, reading))
    stack, _ = even_out(stack, fine, vignetted=image.flat is None)
    judged = judge_cells(stack, model=model)
    seen = ELLayout(rows=fine.rows.cells, columns=fine.columns.cells)
    return ELResult(
        layout=seen,
        corners=_corners(fine),
        quality=quality,
        cells=_cells(fine, judged),
        findings=_layout_findings(seen, layout),
    )


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
    _refuse_misfit(fit)
    grid, added = extend(signal, fit.grid)
    if any((added.top, added.right, added.bottom, added.left)):
        grid = refine(signal, grid, noise).grid
    return grid


def _refuse_misfit(fit: Fit) -> None:
    cell = min(fit.grid.cell_size())
    if fit.seen < _LEAST_SEEN or fit.rms > 0.03 * cell or fit.depth < 0.05:
        raise ImageError(
            "not_a_module",
            f"No grid of cells is seen: {fit.seen:.0%} of its lines, {fit.rms:.1f} px off.",
            "Take a picture of one whole module with current on, the camera facing it.",
        )


def _refuse_cut_off(grid: Grid, shape: tuple[int, ...]) -> None:
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


def _refuse_blurred(quality: ELQuality, grid: Grid) -> None:
    if quality.sharpness < _LEAST_SHARPNESS:
        raise ImageError(
            "blurred",
            f"A line of 1% of a cell keeps only {quality.sharpness:.0%} of its depth.",
            "Focus the lens, keep camera and module still, and repeat.",
        )


def _scaled(grid: Grid, factor: float) -> Grid:
    return Grid(columns=grid.columns, rows=grid.rows, view=grid.view.scaled(factor))


def _layout_findings(seen: ELLayout, expected: ELLayout | None) -> tuple[Finding, ...]:
    if expected is None:
        return ()
    same = {seen.rows, seen.columns} == {expected.rows, expected.columns}
    if same and (seen.rows == seen.columns) == (expected.rows == expected.columns):
        return ()
    return (
        Finding(
            code="layout_mismatch",
            severity=Severity.ERROR,
            detail=(
                f"The picture shows {seen.rows}×{seen.columns} cells, "
                f"{expected.rows}×{expected.columns} are expected: is it another panel's?"
            ),
            value=float(seen.rows * seen.columns),
            unit="1",
        ),
    )


def _corners(grid: Grid) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = (_point(corner) for corner in grid.corners())
    return a, b, c, d


def _cells(grid: Grid, judged: CellJudgements) -> tuple[ELCell, ...]:
    polygons = grid.polygons()
    cells = []
    for i, (row, column) in enumerate(np.ndindex(grid.rows.cells, grid.columns.cells)):
        cells.append(
            ELCell(
                row=row,
                column=column,
                polygon=tuple(_point(corner) for corner in polygons[row, column]),
                defect_probability=float(judged.defect_probability[i]),
                cell_class=judged.cell_class[i],
                inactive_fraction=float(judged.inactive_fraction[i]),
                crack_length_fraction=float(judged.crack_length_fraction[i]),
                relative_intensity=float(judged.relative_intensity[i]),
                cracks=tuple(_placed(grid, row, column, crack) for crack in judged.cracks[i]),
                inactive_areas=_outlines(grid, row, column, judged.labels[i] == INACTIVE),
            )
        )
    return tuple(cells)


def _placed(grid: Grid, row: int, column: int, crack: Crack) -> Crack:
    points = place_in_image(grid, row, column, np.asarray(crack.points, dtype=np.float64))
    return Crack(
        points=tuple(_point(point) for point in points),
        length=crack.length,
        crosses_busbar=crack.crosses_busbar,
    )


def _outlines(grid: Grid, row: int, column: int, mask: Mask) -> tuple[tuple[Point, ...], ...]:
    """Outlines in image pixels of the areas of a cell's mask, to about one of its pixels."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outlines = []
    for contour in found:
        slim = cv2.approxPolyDP(contour, 0.8, closed=True).reshape(-1, 2)
        if len(slim) >= 3:
            points = place_in_image(grid, row, column, (slim + 0.5) / SIDE)
            outlines.append(tuple(_point(point) for point in points))
    return tuple(outlines)


def _point(pixel: NDArray[np.float64]) -> Point:
    return (round(float(pixel[0]), 3), round(float(pixel[1]), 3))
