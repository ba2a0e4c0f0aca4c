"""From a crack mask to cracks: thin it to lines, follow them, and measure them.

Thinning after Guo & Hall 1989, "Parallel thinning with two-subiteration algorithms", CACM 32(3),
algorithm A1, as a table over the eight neighbours, for the whole stack at once. (The better known
one of Zhang & Suen eats slanting lines two pixels wide.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import hypot
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_stack import SIDE, MaskStack
from grading.values import Crack, Point

Pixel: TypeAlias = int  # y * WIDTH + x
WIDTH = SIDE + 2  # with a rim, so that no neighbour is on the other side
MIN_LENGTH = 5.0  # pixels; shorter pieces are spurs
_WEIGHTS = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)  # p9 p2 p3 / p8 p4 / ...
_STEPS = (-WIDTH, 1, WIDTH, -1, 1 - WIDTH, WIDTH + 1, WIDTH - 1, -WIDTH - 1)


def _tables() -> tuple[MaskStack, MaskStack]:
    """0 where the neighbours let a pixel go, in each of the two sub-iterations."""
    code = np.arange(256)
    p = [((code >> bit) & 1).astype(bool) for bit in range(8)]  # p2 .. p9, clockwise from north
    corners = sum((~p[i] & (p[i + 1] | p[(i + 2) % 8])).astype(int) for i in (0, 2, 4, 6))
    one = sum((p[i - 1] | p[i]).astype(int) for i in (0, 2, 4, 6))
    other = sum((p[i] | p[i + 1]).astype(int) for i in (0, 2, 4, 6))
    count = np.minimum(one, other)
    base = (corners == 1) & (count >= 2) & (count <= 3)
    first = base & ~((p[4] | p[5] | ~p[7]) & p[6])
    second = base & ~((p[0] | p[1] | ~p[3]) & p[2])
    return (~first).astype(np.uint8), (~second).astype(np.uint8)


_TABLES = _tables()


def thin(mask: MaskStack) -> MaskStack:
    """Thin masks ``(n, h, w)`` of 0 and 1 to lines one pixel wide."""
    n, height, width = mask.shape
    tall: NDArray[Any] = np.pad(mask, ((0, 0), (1, 1), (1, 1))).reshape(-1, width + 2)
    while True:
        before = cv2.countNonZero(tall)
        for table in _TABLES:
            code = cv2.filter2D(tall, cv2.CV_8U, _WEIGHTS, borderType=cv2.BORDER_CONSTANT)
            tall = cv2.bitwise_and(tall, cv2.LUT(code, table))
        if cv2.countNonZero(tall) == before:
            return tall.reshape(n, height + 2, width + 2)[:, 1:-1, 1:-1]


def trace_cracks(
    mask: MaskStack, busbar_rows: NDArray[np.bool_] | None = None
) -> tuple[tuple[Crack, ...], ...]:
    """Cracks of each cell as polylines in unit cell coordinates (x to the right, y down).

    Args:
        mask: ``(n, 160, 160)``, 1 on cracks.
        busbar_rows: ``(n, 160)``, the rows that a busbar covers, or None where unknown.
    """
    lines = thin(mask)
    rows = np.zeros(mask.shape[:2], bool) if busbar_rows is None else busbar_rows
    return tuple(
        tuple(_crack(branch, busbars) for branch in _branches(line)) if line.any() else ()
        for line, busbars in zip(lines, rows, strict=True)
    )


def _crack(branch: list[Pixel], busbars: NDArray[np.bool_]) -> Crack:
    path = np.stack(np.divmod(branch, WIDTH)[::-1], axis=-1).astype(np.int32)[:, None]
    corners = cv2.approxPolyDP(path, 1.5, closed=False).reshape(-1, 2)
    length = float(np.hypot(*np.diff(corners, axis=0).T).sum()) / SIDE
    points: tuple[Point, ...] = tuple(
        ((float(x) + 0.5) / SIDE, (float(y) + 0.5) / SIDE) for x, y in corners
    )
    low, high = int(path[..., 1].min()), int(path[..., 1].max())
    below, above = busbars[low : low + 1].any(), busbars[high : high + 1].any()
    crosses = bool(busbars[low : high + 1].any() and not (below and above))
    return Crack(points=points, length=length, crosses_busbar=crosses)


def _branches(line: NDArray[np.uint8]) -> Iterator[list[Pixel]]:
    """Paths of pixels between ends and junctions, longer than ``MIN_LENGTH``."""
    y, x = np.nonzero(line)
    pixels = (y * WIDTH + x).tolist()
    left = set(pixels)
    beside = cv2.boxFilter(line, cv2.CV_8U, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    degree = dict(zip(pixels, (beside[y, x] - 1).tolist(), strict=True))
    while left:
        start = min([pixel for pixel in left if degree[pixel] <= 1] or left)
        path = _walk(start, left, degree)
        if len(path) > MIN_LENGTH:
            yield path


def _beside(pixel: Pixel, pixels: set[Pixel]) -> list[Pixel]:
    return [near for step in _STEPS if (near := pixel + step) in pixels]


def _walk(start: Pixel, left: set[Pixel], degree: dict[Pixel, int]) -> list[Pixel]:
    """Follow a line straight through junctions, taking its pixels out of ``left``."""
    path = [start]
    _take_out(start, left, degree)
    while options := _beside(path[-1], left):
        ahead = options[0] if len(options) == 1 else min(options, key=partial(_bend, path))
        path.append(ahead)
        # Thinned diagonals may be stairs two pixels wide: the other half is the same line.
        for pixel in options:
            if pixel == ahead or pixel - ahead in _STEPS:
                _take_out(pixel, left, degree)
    return path


def _take_out(pixel: Pixel, left: set[Pixel], degree: dict[Pixel, int]) -> None:
    left.discard(pixel)
    for near in _beside(pixel, left):
        degree[near] -= 1


def _bend(path: list[Pixel], pixel: Pixel) -> float:
    """How far a step turns away from the direction of the last five pixels."""
    (back_y, back_x), (y, x) = divmod(path[max(0, len(path) - 6)], WIDTH), divmod(path[-1], WIDTH)
    to_y, to_x = divmod(pixel, WIDTH)
    ahead, step = (y - back_y, x - back_x), (to_y - y, to_x - x)
    norm = hypot(*ahead) * hypot(*step) or 1.0
    return -(ahead[0] * step[0] + ahead[1] * step[1]) / norm
