"""How many cells lie side by side: a comb of gaps between busbars, explained by fewest terms.

Across the cells the picture dips at every gap. Busbars dip too, but at fixed places inside each
cell, so gaps and busbars are counted together: the pair (cells, busbars per cell) whose comb
explains most of the dips with the fewest free amplitudes wins (Schwarz's criterion, 1978).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FloatImage = NDArray[np.float32]

MOST_CELLS = 30
_BUSBARS = (2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 15, 16)
_MIDDLE_GAPS = tuple(0.04 * i for i in range(16))  # cell pitches
_WIDTH = 7  # px of a dip's template
_CLEAR_OF_GAP = 8  # px from a gap to the first busbar, else its flank counts as one
_DEEPEST = 0.5  # a wide middle gap must not outweigh all the others
_RIM = 0.012  # of the profile at either end: the outside looks in
_INDEPENDENT = 60.0  # samples that count as independent in the criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class Comb:
    """One reading of the dips along one axis of the lit area.

    ``cells`` side by side; ``busbars`` per cell that run across this axis' lines (0: none);
    ``middle_gap`` is the extra width in the middle, in cell pitches; ``score`` is a log
    likelihood (higher is better), ``plain`` the best one without busbars; ``depth`` is the mean dip
    at the gaps.
    """

    cells: int
    busbars: int
    middle_gap: float
    score: float
    plain: float
    depth: float


def dip_profile(upright: FloatImage, strips: int = 24) -> Array:
    """Return how much darker each column is than its surroundings, (width,), 0 to 1.

    ``upright`` is the lit area made rectangular. Strips are taken apart so that cracks and
    broken lines, which differ from strip to strip, fall out of the median.
    """
    height = upright.shape[0] // strips * strips
    rows = upright[:height].reshape(strips, -1, upright.shape[1]).mean(axis=1)
    reach = 2 * round(0.011 * rows.shape[1]) + 1
    around = cv2.morphologyEx(rows, cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8))
    floor = 0.01 * float(np.percentile(around, 95))
    dips = 1.0 - rows / np.maximum(around, max(floor, 1e-6))
    wide = cv2.dilate(dips, np.ones((1, 3), np.uint8))
    profile = np.minimum(np.median(wide, axis=0), _DEEPEST)
    rim = round(_RIM * len(profile))
    profile[:rim] = profile[len(profile) - rim :] = np.median(profile)
    return np.asarray(profile, dtype=np.float64)


def read_combs(profile: Array) -> list[Comb]:
    """Return the readings of a dip profile, best first; one for each number of cells."""
    profile = profile - np.median(profile)
    response = np.convolve(profile, np.ones(_WIDTH), mode="same")
    # the best within one pixel either way
    peaks = np.maximum(np.maximum(np.roll(response, 1), np.roll(response, -1)), response)
    total = max(float(np.sum(profile**2)), 1e-12)
    readings = []
    for cells in range(2, MOST_CELLS + 1):
        gaps = _MIDDLE_GAPS if cells % 2 == 0 and cells >= 8 else _MIDDLE_GAPS[:1]
        plain = [_read(peaks, total, cells, 0, gap) for gap in gaps]
        readings.append(max(plain, key=_score))
    readings.sort(key=_score, reverse=True)
    for i, bare in enumerate(readings):
        with_bars = [
            _read(peaks, total, bare.cells, busbars, bare.middle_gap)
            for busbars in _BUSBARS
            if 2 * busbars * bare.cells * _CLEAR_OF_GAP <= len(profile)
        ]
        best = max((bare, *with_bars), key=_score)
        readings[i] = replace(best, plain=bare.score)
    return sorted(readings, key=_score, reverse=True)


def _score(comb: Comb) -> float:
    return comb.score


def _read(peaks: Array, total: float, cells: int, busbars: int, gap: float) -> Comb:
    """Score one hypothesis: explained energy of gaps and busbars against the free amplitudes."""
    size = len(peaks)
    gaps = _sample(peaks, _positions(np.arange(1, cells), cells, gap, size))
    explained = max(float(gaps.sum()), 0.0) ** 2 / (len(gaps) * _WIDTH)
    free = 2.0 + (gap > 0) + 1.5 * (busbars > 0)
    if busbars:
        inside = (np.arange(busbars) + 0.5) / busbars
        spots = (np.arange(cells)[:, None] + inside).ravel()
        bars = _sample(peaks, _positions(spots, cells, gap, size))
        explained += max(float(bars.sum()), 0.0) ** 2 / (len(bars) * _WIDTH)
    left = max(1.0 - explained / total, 0.02)
    score = -0.5 * (_INDEPENDENT * np.log(left) + free * np.log(_INDEPENDENT))
    return Comb(
        cells=cells,
        busbars=busbars,
        middle_gap=gap,
        score=float(score),
        plain=float(score),
        depth=float(gaps.mean()) / _WIDTH,
    )


def _positions(spots: NDArray[Any], cells: int, gap: float, size: int) -> Array:
    """Places [px] of ``spots`` given in cell pitches, with the middle gap let in."""
    middle = cells / 2.0
    moved = spots + gap * ((spots > middle) + 0.5 * (spots == middle))
    return np.asarray(moved * size / (cells + gap) - 0.5)


def _sample(peaks: Array, places: Array) -> Array:
    """Values of ``peaks`` at places."""
    return np.asarray(peaks[np.minimum(np.rint(places).astype(np.intp), len(peaks) - 1)])
