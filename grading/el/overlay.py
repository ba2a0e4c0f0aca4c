"""The picture that a person trusts: the photograph with what was found drawn into it."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.values import CellClass, ELCell, ELImage, ELResult, Point

ColourImage = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Blue, green, red; told apart with red-green blindness too (after Okabe and Ito 2008).
COLOURS: dict[CellClass, Colour] = {
    CellClass.SOUND: (150, 140, 60),
    CellClass.CRACK_A: (66, 228, 240),
    CellClass.CRACK_B: (0, 159, 230),
    CellClass.CRACK_C: (40, 60, 235),
    CellClass.DARK: (167, 121, 204),
    CellClass.SHUNT: (233, 180, 86),
    CellClass.FINGER: (115, 158, 0),
    CellClass.CONTACT: (178, 114, 0),
}
LETTERS: dict[CellClass, str] = {
    CellClass.CRACK_A: "A",
    CellClass.CRACK_B: "B",
    CellClass.CRACK_C: "C",
    CellClass.DARK: "D",
    CellClass.SHUNT: "S",
    CellClass.FINGER: "F",
    CellClass.CONTACT: "K",
}
_CRACK: Colour = (66, 228, 240)
_DEAD: Colour = (40, 60, 235)
_INK: Colour = (20, 20, 20)
_PAPER: Colour = (235, 235, 235)
_STRONG, _FAINT = 0.45, 0.2  # of the wash; a cell that is dark all over needs little
_WHOLE = 0.95  # inactive share from which on it is
_FINE = 4  # binary places of drawing coordinates


def draw_overlay(image: ELImage, result: ELResult) -> ColourImage:
    """Draw cells, cracks, dead area and class letters on the photograph.

    Args:
        image: the raw photograph.
        result: what ``analyse`` said of it.

    Returns:
        Blue, green and red, uint8, of the photograph's shape ``(height, width, 3)``.
    """
    canvas = _tone(np.asarray(image.pixels))
    side = _cell_side(result)
    thick = max(1, round(side / 110))
    _tint(canvas, result.cells)
    for cell in result.cells:
        if cell.cell_class is CellClass.SOUND:
            _outline(canvas, cell, max(1, thick // 2))
    for cell in result.cells:
        if cell.cell_class is not CellClass.SOUND:
            _outline(canvas, cell, thick + (thick > 1))
    for cell in result.cells:
        for crack in cell.cracks:
            _trace(canvas, crack.points, _CRACK, thick, closed=False)
    for cell in result.cells:
        _letter(canvas, cell, side)
    _number(canvas, result, side)
    return canvas


def _tone(pixels: NDArray[np.uint16]) -> ColourImage:
    """Grey picture for the eye: dark level to black, bright cells below white, gamma 1/2."""
    low, high = np.percentile(pixels[::4, ::4], [2.0, 99.5])
    codes = np.arange(65536, dtype=np.float64)
    curve = np.sqrt(np.clip((codes - low) / max(high - low, 1.0), 0.0, 1.0)) * 225.0
    grey = curve.astype(np.uint8)[pixels]
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def _cell_side(result: ELResult) -> float:
    outlines = np.array([cell.polygon for cell in result.cells])
    sides = np.linalg.norm(outlines - np.roll(outlines, -1, axis=1), axis=-1)
    return float(np.median(sides.min(axis=1)))


def _tint(canvas: ColourImage, cells: Iterable[ELCell]) -> None:
    """Wash dead areas with colour, cell by cell, so that the picture stays visible below."""
    for cell in cells:
        areas = [_fixed(area) for area in cell.inactive_areas]
        if not areas:
            continue
        x, y, width, height = cv2.boundingRect(np.concatenate(areas) >> _FINE)
        x0, y0 = max(x - 1, 0), max(y - 1, 0)
        part = canvas[y0 : y + height + 2, x0 : x + width + 2]
        wash = part.copy()
        moved = [area - (np.array([x0, y0]) << _FINE) for area in areas]
        cv2.fillPoly(wash, moved, _DEAD, cv2.LINE_AA, _FINE)
        strength = _FAINT if cell.inactive_fraction > _WHOLE else _STRONG
        cv2.addWeighted(wash, strength, part, 1.0 - strength, 0.0, dst=part)


def _outline(canvas: ColourImage, cell: ELCell, thick: int) -> None:
    _trace(canvas, cell.polygon, COLOURS[cell.cell_class], thick, closed=True)


def _trace(
    canvas: ColourImage, points: tuple[Point, ...], colour: Colour, thick: int, *, closed: bool
) -> None:
    cv2.polylines(canvas, [_fixed(points)], closed, colour, thick, cv2.LINE_AA, _FINE)


def _fixed(points: tuple[Point, ...]) -> NDArray[np.int32]:
    return np.asarray(np.rint(np.array(points) * (1 << _FINE)), dtype=np.int32)


def _letter(canvas: ColourImage, cell: ELCell, side: float) -> None:
    letter = LETTERS.get(cell.cell_class)
    if letter is None:
        return
    corner = np.array(cell.polygon[0])
    inward = np.array(cell.polygon).mean(axis=0) - corner
    at = corner + inward * 0.28
    _text(canvas, letter, (float(at[0]), float(at[1])), side / 75.0, COLOURS[cell.cell_class])


def _number(canvas: ColourImage, result: ELResult, side: float) -> None:
    """Row and column numbers beside the module, counted from one as operators do."""
    for cell in result.cells:
        a, b, _, d = (np.array(point) for point in cell.polygon)
        if cell.row == 0:
            at = 0.5 * (a + b) + 0.3 * (a - d) * side / max(float(np.linalg.norm(a - d)), 1.0)
            _text(canvas, str(cell.column + 1), (float(at[0]), float(at[1])), side / 110.0, _PAPER)
        if cell.column == 0:
            at = 0.5 * (a + d) + 0.3 * (a - b) * side / max(float(np.linalg.norm(a - b)), 1.0)
            _text(canvas, str(cell.row + 1), (float(at[0]), float(at[1])), side / 110.0, _PAPER)


def _text(canvas: ColourImage, text: str, centre: Point, size: float, colour: Colour) -> None:
    """Write text about a point, with a dark rim so that it reads on any ground."""
    size = max(size, 0.35)
    thick = max(1, round(size * 1.8))
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thick)
    at = (round(centre[0] - width / 2), round(centre[1] + height / 2))
    rim = thick + 2 * max(1, round(size))
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, rim, cv2.LINE_AA)
    cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thick, cv2.LINE_AA)
