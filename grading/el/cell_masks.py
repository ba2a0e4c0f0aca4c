"""From the network's class probabilities to a label mask without crumbs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_marks import CRACK, FINGER, INACTIVE
from grading.el.cell_stack import SIDE, MaskStack
from grading.el.net import (
    CRACK_CHANNEL,
    FINGER_CHANNEL,
    INACTIVE_CHANNEL,
    OUTSIDE_CHANNEL,
    NetOutput,
)

CRACK_OVER = 0.6  # probability; set on rendered cells, where length and overlap are right
LEAST_CRACK = 7  # pixels that a crack must span
LEAST_AREA = 25  # pixels (0.1% of a cell) of an inactive part


def net_marks(output: NetOutput) -> tuple[MaskStack, NDArray[np.float64]]:
    """Label masks ``(n, 160, 160)`` and each wafer's area ``(n,)`` [cells]."""
    best = output.masks.argmax(axis=1)
    labels = np.zeros(best.shape, np.uint8)
    labels[best == FINGER_CHANNEL] = FINGER
    labels[best == INACTIVE_CHANNEL] = INACTIVE
    labels[output.masks[:, CRACK_CHANNEL] > CRACK_OVER] = CRACK
    for label in labels:
        _sweep(label, CRACK, span=LEAST_CRACK)
        _sweep(label, INACTIVE, area=LEAST_AREA)
    wafer = 1 - (best == OUTSIDE_CHANNEL).mean(axis=(1, 2))
    return labels, np.maximum(wafer, 1 / SIDE**2)


def _sweep(label: NDArray[np.uint8], code: int, *, span: int = 0, area: int = 0) -> None:
    """Take out parts of one kind that are too small to mean anything."""
    mask = (label == code).astype(np.uint8)
    if not cv2.countNonZero(mask):
        return
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    longest = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    drop = (longest < span) | (stats[:, cv2.CC_STAT_AREA] < area)
    drop[0] = False
    label[drop[parts]] = 0
