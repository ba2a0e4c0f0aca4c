"""The strongest prior there is: what all cells of a module show belongs to their type.

Contact pads, logos and soldering marks lie at the same place in every cell; damage does not.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_stack import INTERIOR, Stack

LEAST_CELLS = 12  # fewer cannot tell a type's own mark from damage
DARK_MARK = 0.7  # of the bright level, in the median cell


def without_common_marks(
    cells: Stack, busbar_rows: NDArray[np.bool_], dark: NDArray[np.bool_]
) -> Stack:
    """Lighten the dark marks that more than half of a module's cells share.

    Busbars, which the network knows, stay; dark cells have no say.

    Args:
        cells: ``(n, 160, 160)``, busbars horizontal, bright level 1.
        busbar_rows: ``(n, 160)``, rows that a busbar covers.
        dark: ``(n,)``, cells that are dark as a whole.
    """
    if np.count_nonzero(~dark) < LEAST_CELLS:
        return cells
    rows = busbar_rows[~dark].mean(axis=0) > 0.3
    shared = (cells[~dark] < DARK_MARK).mean(axis=0) > 0.5
    mark = shared & INTERIOR & ~rows[:, None]
    if not mark.any():
        return cells
    usual = np.median(cells[~dark], axis=0)
    wide = cv2.dilate(mark.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    lift = np.where(wide & ~rows[:, None], 1 / np.clip(usual, 0.1, 1), 1)
    return np.minimum(cells * lift.astype(np.float32), np.maximum(cells, 1.0))
