"""Which condition a cell is mainly in, from its label mask and its light.

Crack modes after Köntges et al. 2011 (doi:10.1016/j.solmat.2010.10.034): A, a line; B, an area
of raised resistance, dimmer; C, an area cut off, dark.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_marks import CRACK, FINGER, INACTIVE
from grading.el.cell_stack import SIDE, CleanCells, MaskStack
from grading.values import CellClass

CUT_OFF = 0.4  # light left, of the cell's bright level, below which an area is of class C
LEAST_INACTIVE = 0.003  # of the cell
LEAST_FINGER = 0.0015  # of the cell: one interrupted finger
NEAR = 9  # pixels within which a crack bounds an area


def cell_classes(
    labels: MaskStack, cells: CleanCells, dark: NDArray[np.bool_]
) -> tuple[CellClass, ...]:
    """Class of each cell; ``dark`` ``(n,)`` says which are dark as a whole."""
    return tuple(
        CellClass.DARK if is_dark else _class(label, light)
        for label, light, is_dark in zip(labels, cells.clean, dark, strict=True)
    )


def _class(label: NDArray[np.uint8], light: NDArray[np.float32]) -> CellClass:
    share = np.bincount(label.ravel(), minlength=4) / label.size
    if share[INACTIVE] > LEAST_INACTIVE:
        return _area_class(label, light)
    if share[CRACK] > 0:
        return CellClass.CRACK_A
    return CellClass.FINGER if share[FINGER] > LEAST_FINGER else CellClass.SOUND


def _area_class(label: NDArray[np.uint8], light: NDArray[np.float32]) -> CellClass:
    """Class by the darkest way in which the largest area can be read."""
    inactive = (label == INACTIVE).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(inactive)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height, area = stats[largest].tolist()
    level = float(np.median(light[parts == largest]))
    cracks = cv2.dilate((label == CRACK).astype(np.uint8), np.ones((NEAR, NEAR), np.uint8))
    at_edge = min(x, y, SIDE - x - width, SIDE - y - height) < NEAR
    if (cracks & inactive).any() or (at_edge and level < CUT_OFF):
        return CellClass.CRACK_C if level < CUT_OFF else CellClass.CRACK_B
    if area > 0.8 * width * height:
        return CellClass.CONTACT
    small = max(width, height) < SIDE / 4
    return CellClass.SHUNT if small and not at_edge else CellClass.DARK
