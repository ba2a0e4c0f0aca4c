"""From one raw photograph to every cell of the module: the EL core's one verb."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.busbars import count_busbars
from grading.el.cell_marks import INACTIVE
from grading.el.cells import CellJudgements, judge_cells
from grading.el.correction import Corrected, correct, shrink
from grading.el.find import FOCUS, find_grid, finding_size, refuse_cut_off, refuse_small
from grading.el.grid import Grid
from grading.el.net import CellModel
from grading.el.quality import sharpness, signal_to_noise
from grading.el.rectify import SIDE, cut_cells, even_out, place_in_image
from grading.el.risk import module_findings
from grading.el.usual import is_usual
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

_LEAST_SHARPNESS = 0.15
_CLIPPED = 0.002  # share of the pixels

Mask = NDArray[np.bool_]
FloatImage = NDArray[np.float32]


def analyse(
    image: ELImage, *, layout: ELLayout | None = None, model: CellModel | None = None
) -> ELResult:
    """Find the module and all its cells in ``image`` without being told what it is, and judge them.

    Args:
        image: the raw photograph; ``dark`` and ``flat`` are used when given, else the dark level,
            hot pixels and the lens' fall-off are estimated from the picture; so is the lens'
            distortion where ``lens_k1`` is not given.
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
    small, factor = finding_size(corrected.signal)
    grid = find_grid(small, corrected.noise * factor, corrected.step, image.lens_k1)
    grid = grid.scaled(1.0 / factor)
    refuse_cut_off(grid, corrected.signal.shape)
    refuse_small(grid)
    quality = _quality(corrected, grid)
    stack = _cell_stack(corrected.signal, small, factor, grid)
    stack, _ = even_out(stack, grid, vignetted=image.flat is None)
    busbars, _ = count_busbars(stack)
    seen = ELLayout(rows=grid.rows.cells, columns=grid.columns.cells, busbars=busbars)
    cells = _cells(grid, judge_cells(stack, model=model))
    return ELResult(
        layout=seen,
        corners=_corners(grid),
        quality=quality,
        cells=cells,
        findings=(
            *_layout_findings(seen, layout),
            *_unusual_findings(grid, layout),
            *_quality_findings(quality),
            *module_findings(cells, strings_are_rows=_is_wide(grid)),
        ),
    )


def _quality(corrected: Corrected, grid: Grid) -> ELQuality:
    quality = ELQuality(
        sharpness=sharpness(corrected.signal, grid),
        snr=signal_to_noise(corrected.signal, grid),
        saturated_fraction=corrected.saturated,
    )
    _refuse_blurred(quality)
    return quality


def _cell_stack(signal: FloatImage, small: FloatImage, factor: float, grid: Grid) -> FloatImage:
    """Rectified cells from the size that shows them at their 160 pixels without aliasing."""
    cell = max(grid.cell_size())
    if factor * cell >= 0.95 * SIDE or factor == 1.0:
        return cut_cells(small, grid.scaled(factor))
    reading = min(1.0, 1.1 * SIDE / cell)
    return cut_cells(shrink(signal, reading), grid.scaled(reading))


def _refuse_blurred(quality: ELQuality) -> None:
    if quality.sharpness < _LEAST_SHARPNESS:
        raise ImageError(
            "blurred",
            f"A line of 1% of a cell keeps only {quality.sharpness:.0%} of its depth.",
            FOCUS,
        )


def _unusual_findings(grid: Grid, expected: ELLayout | None) -> tuple[Finding, ...]:
    """A dark string without any light cannot be seen: an unusual count is told, not mended."""
    if expected is not None or is_usual(grid):
        return ()
    return (
        Finding(
            code="layout_unusual",
            severity=Severity.WARNING,
            detail=f"{grid.rows.cells}×{grid.columns.cells} cells: is a string wholly dark?",
            value=float(grid.rows.cells * grid.columns.cells),
            unit="1",
        ),
    )


def _is_wide(grid: Grid) -> bool:
    width, height = grid.cell_size()
    return grid.columns.length * width >= grid.rows.length * height


def _quality_findings(quality: ELQuality) -> tuple[Finding, ...]:
    """IEC TS 60904-13 wants no clipped pixels in the module."""
    if quality.saturated_fraction < _CLIPPED:
        return ()
    return (
        Finding(
            code="partly_saturated",
            severity=Severity.WARNING,
            detail="Some pixels are clipped: shorten the exposure for true intensities.",
            value=quality.saturated_fraction,
            unit="1",
        ),
    )


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
