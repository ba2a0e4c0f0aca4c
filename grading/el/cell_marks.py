"""Marks on cells by classical measures alone: dark area, cracks, interrupted fingers.

The fallback where no network is at hand, and features beside it where one is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_ridges import Ridges
from grading.el.cell_stack import INTERIOR, SIDE, CleanCells, MaskStack

SOUND, CRACK, INACTIVE, FINGER = 0, 1, 2, 3  # codes of a label mask
DARK_BELOW = 0.5  # of the cell's bright level
MIN_AREA = 40  # pixels (0.16% of a cell)
MIN_RUN = 14  # pixels that a line must span


def classical_marks(cells: CleanCells, ridges: Ridges) -> MaskStack:
    """Label mask ``(n, 160, 160)`` of cells whose busbars lie horizontally."""
    dark = (cells.clean < DARK_BELOW) & INTERIOR
    inactive = np.stack([_large(mask, MIN_AREA) for mask in dark])
    lines = _line_mask(ridges) & INTERIOR & ~inactive
    labels = np.zeros(dark.shape, np.uint8)
    for label, cell_lines, upright in zip(labels, lines, ridges.upright, strict=True):
        _label_lines(label, cell_lines, upright)
    labels[inactive] = INACTIVE
    return labels


def _large(mask: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(opened)
    keep = stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    kept: NDArray[np.bool_] = keep[parts] if count > 1 else np.zeros_like(mask)
    return kept


def _line_mask(ridges: Ridges) -> NDArray[np.bool_]:
    """Pixels on a line that holds over 18 pixels and stands out of the cell's own texture."""
    held = ridges.lines.max(axis=0)
    texture = np.percentile(held[:, INTERIOR[::2, ::2]], 75, axis=1)[:, None, None]
    stands_out = held > np.maximum(0.015, 3.0 * texture)
    wide = stands_out.repeat(2, axis=1).repeat(2, axis=2)
    found: NDArray[np.bool_] = wide & (ridges.strength[1] > 0.02)
    return found


def _label_lines(
    label: NDArray[np.uint8], lines: NDArray[np.bool_], upright: NDArray[np.float32]
) -> None:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(
        lines.astype(np.uint8), connectivity=8
    )
    for part in range(1, count):
        width, height, area = stats[part, 2:5].tolist()
        if max(width, height) < MIN_RUN or area > 0.3 * width * height + 6 * max(width, height):
            continue
        here = parts == part
        straight_finger = width <= 5 and height < SIDE and float(upright[here].mean()) > 0.85
        label[here] = FINGER if straight_finger else CRACK
