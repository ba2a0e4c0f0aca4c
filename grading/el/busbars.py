"""How many busbars a cell has, and which way they run: dips that all cells share."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.rectify import SIDE

Array = NDArray[np.float64]

_COUNTS = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16)
_MARGIN = 5  # px at the rim, where the gap shows
_CLEAR = 0.35  # share of the dips' energy that the busbars must explain
_HALF = 2  # px, half width of a dip


def count_busbars(stack: NDArray[np.float32]) -> tuple[int | None, bool]:
    """Return the number of busbars per cell (None where not countable), and whether vertical.

    Args:
        stack: rectified cells (n, 160, 160).
    """
    level = stack[:, ::8, ::8].mean(axis=(1, 2))
    lit = stack[level > 0.4 * np.percentile(level, 90)][:64]
    along, across = _read(_profile(lit[:, :, ::2], 2)), _read(_profile(lit[:, ::2], 1))
    vertical = across[1] > along[1]
    count, share = across if vertical else along
    return (count if share > _CLEAR else None), vertical


def _profile(stack: NDArray[np.float32], axis: int) -> Array:
    """Dips across the cell, averaged along ``axis`` and over all cells, (160,)."""
    lines = np.median(stack, axis=axis).astype(np.float32)
    around = cv2.morphologyEx(lines, cv2.MORPH_CLOSE, np.ones((1, 9), np.uint8))
    dips = 1.0 - lines / np.maximum(around, 1e-3)
    return np.asarray(np.mean(np.clip(dips, 0.0, 0.6), axis=0), dtype=np.float64)


def _read(profile: Array) -> tuple[int, float]:
    """Best number of evenly spread dips, and the share of the energy times their depth."""
    inside = profile.copy()
    inside[:_MARGIN] = inside[-_MARGIN:] = 0.0
    inside = np.maximum(inside - np.median(inside), 0.0)
    total = float(np.sum(inside**2))
    if total < 1e-5:
        return 0, 0.0
    window = np.ones(2 * _HALF + 1)
    energy = np.convolve(inside**2, window, mode="same")
    depth = np.convolve(inside, window, mode="same")
    found = []
    for count in _COUNTS:
        places = np.rint((np.arange(count) + 0.5) / count * SIDE - 0.5).astype(int)
        near = np.clip(places[:, None] + np.arange(-2, 3), 0, SIDE - 1)
        share = energy[near].max(axis=1).sum() / total
        present = depth[near].max(axis=1)
        even = float(np.min(present) / max(float(np.median(present)), 1e-9))
        found.append((count, float(min(share, 1.0) * min(1.0, 2.0 * even) - 0.01 * count)))
    return max(found, key=lambda reading: reading[1])
