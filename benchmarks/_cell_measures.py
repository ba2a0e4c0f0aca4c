"""Measures of a cell: some eighty numbers in which damage shows, each with a name.

Contrasts are relative to the cell's own light, so that exposure does not matter; line responses
also in units of the cell's own texture, so that a noisy picture or a rough wafer does not look
cracked.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_ridges import DIRECTIONS, SCALES, Ridges
from grading.el.cell_stack import INTERIOR, MARGIN, SIDE, CleanCells

Measures = dict[str, NDArray[np.float64]]
_HALF = INTERIOR[::2, ::2]
_DARK = (0.15, 0.3, 0.45, 0.6, 0.75, 0.85)
_TAIL = (50.0, 90.0, 99.0, 99.7)


def cell_measures(cells: CleanCells, ridges: Ridges) -> Measures:
    """Measures of ``n`` cells, each ``(n,)``, in a fixed order."""
    return {
        **_light(cells),
        **_texture(ridges),
        **_ridge_tails(ridges),
        **_line_tails(ridges),
        **_dark_parts(cells),
        **_profiles(cells),
    }


def measure_table(measures: Measures) -> NDArray[np.float32]:
    """Measures as rows ``(n, k)``."""
    return np.stack(list(measures.values()), axis=1).astype(np.float32)


def _light(cells: CleanCells) -> Measures:
    inside = cells.clean[:, INTERIOR]
    found: Measures = {f"light_p{q}": np.percentile(inside, q, axis=1) for q in (1, 5, 25, 50, 95)}
    found["light_std"] = inside.std(axis=1, dtype=np.float64)
    centred = inside - inside.mean(axis=1, keepdims=True)
    found["light_skew"] = (centred**3).mean(axis=1) / np.maximum(found["light_std"] ** 3, 1e-6)
    for level in _DARK:
        found[f"darker_{level}"] = (inside < level).mean(axis=1)
    return found


def _texture(ridges: Ridges) -> Measures:
    """Roughness at scales from noise to grains, each half the resolution of the one before."""
    found: Measures = {}
    image = ridges.contrast
    for octave in range(4):
        step = image[:, 1:-1, 1:-1] - 0.25 * (
            image[:, 2:, 1:-1] + image[:, :-2, 1:-1] + image[:, 1:-1, 2:] + image[:, 1:-1, :-2]
        )
        keep = 2 + (MARGIN >> octave)
        flat = np.abs(step[:, keep:-keep, keep:-keep]).reshape(len(image), -1)
        found[f"rough_{octave}"] = np.median(flat, axis=1).astype(np.float64)
        found[f"rough_tail_{octave}"] = np.percentile(flat, 99, axis=1)
        image = 0.25 * (
            image[:, ::2, ::2] + image[:, 1::2, ::2] + image[:, ::2, 1::2] + image[:, 1::2, 1::2]
        )
    return found


def _ridge_tails(ridges: Ridges) -> Measures:
    found: Measures = {}
    across = ridges.upright[:, INTERIOR]
    slant = 1 - np.abs(2 * across - 1) ** 4  # 0 for lines along fingers or busbars
    for scale, strength in zip(SCALES, ridges.strength, strict=True):
        inside = strength[:, INTERIOR]
        for q, value in zip(_TAIL, np.percentile(inside, _TAIL, axis=1), strict=True):
            found[f"ridge_{scale}_p{q}"] = value
        tail = np.percentile(inside * slant, (99.0, 99.7), axis=1)
        found[f"slant_{scale}_p99"], found[f"slant_{scale}_p99.7"] = tail
    return found


def _line_tails(ridges: Ridges) -> Measures:
    """Strength of lines that hold, by direction: along fingers, along busbars, neither."""
    found: Measures = {}
    inside = ridges.lines[:, :, _HALF]
    texture = np.maximum(np.median(inside.max(axis=0), axis=1), 1e-3)
    quarter = DIRECTIONS // 2
    groups = {
        "finger": [quarter],
        "busbar": [0],
        "slanting": [k for k in range(DIRECTIONS) if min(k % quarter, -k % quarter) > 1],
    }
    for name, directions in groups.items():
        best = inside[directions].max(axis=0)
        for q, value in zip(
            (95, 99, 99.7), np.percentile(best, (95, 99, 99.7), axis=1), strict=True
        ):
            found[f"line_{name}_p{q}"] = value
            found[f"line_{name}_p{q}_texture"] = value / texture
    found["line_texture"] = texture.astype(np.float64)
    return found


def _dark_parts(cells: CleanCells) -> Measures:
    """Largest connected dark part at three levels: its area, extent and darkness."""
    found: Measures = {}
    for level in (0.35, 0.55, 0.75):
        dark = ((cells.clean < level) & INTERIOR).astype(np.uint8)
        parts = np.array([_largest(mask) for mask in dark]).reshape(-1, 3)
        for column, name in enumerate(("area", "extent", "fill")):
            found[f"part_{level}_{name}"] = parts[:, column]
    return found


def _largest(dark: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Area [cells], longer side [cell sides] and filled share of the largest part."""
    opened = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(opened)
    if count < 2:
        return 0.0, 0.0, 0.0
    best = stats[1:][np.argmax(stats[1:, cv2.CC_STAT_AREA])].tolist()
    _, _, width, height, area = best
    return area / SIDE**2, max(width, height) / SIDE, area / (width * height)


def _profiles(cells: CleanCells) -> Measures:
    """Slow differences: edges against the middle, steps between rows and between columns."""
    rows = np.median(cells.clean[:, :, MARGIN:-MARGIN], axis=2)[:, MARGIN:-MARGIN]
    columns = np.median(cells.clean[:, MARGIN:-MARGIN], axis=1)[:, MARGIN:-MARGIN]
    found: Measures = {}
    for name, profile in (("rows", rows), ("columns", columns)):
        middle = np.maximum(np.median(profile, axis=1), 1e-3)
        found[f"{name}_least"] = profile.min(axis=1) / middle
        ends = np.stack([profile[:, :8].mean(axis=1), profile[:, -8:].mean(axis=1)])
        found[f"{name}_end"] = ends.min(axis=0) / middle
        found[f"{name}_step"] = np.abs(profile[:, 4:] - profile[:, :-4]).max(axis=1) / middle
    return found
