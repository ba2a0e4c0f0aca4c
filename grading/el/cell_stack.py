"""A stack of rectified cells as one picture: normalise, turn, and take the busbars out.

A module's cells are filtered together: the stack ``(n, 160, 160)`` is laid out as one tall image
with a reflected border between neighbours, so that each OpenCV call works on all cells at once
and no cell sees another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 160  # pixels of a rectified cell
PAD = 16  # pixels of reflected border: at least the reach of the filters, a multiple of 4
MARGIN = 5  # pixels at the cell's edge that belong to the gap between cells
EDGE = 12  # pixels at the edge where a dark column need not be a busbar
PLAIN = 0.01  # of the bright level: lines must be this much darker upright for a cell to be turned
CORNER = 24  # x + y below this, in pixels: outside a pseudo-square wafer

Stack: TypeAlias = NDArray[np.float32]
MaskStack: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanCells:
    """Cells with busbars horizontal, bright level 1, and busbars filled in.

    ``cells`` and ``clean`` are ``(n, 160, 160)``; ``busbar_rows`` ``(n, 160)``; ``turned``
    ``(n,)`` says which cells were transposed; ``bright`` ``(n,)`` is the level divided out.
    """

    cells: Stack
    clean: Stack
    busbar_rows: NDArray[np.bool_]
    turned: NDArray[np.bool_]
    bright: NDArray[np.float32]


def tall_image(stack: Stack, pad: int = PAD) -> NDArray[np.float32]:
    """Lay a stack out as one tall image with reflected borders: a filter then runs once."""
    border = ((0, 0), (pad, pad), (pad, pad))
    return np.pad(stack, border, mode="reflect").reshape(-1, stack.shape[2] + 2 * pad)


def untall(tall: NDArray[Any], pad: int = PAD) -> Stack:
    """The stack that a tall image was laid out from."""
    stack = tall.reshape(-1, tall.shape[1], tall.shape[1])
    return np.ascontiguousarray(stack[:, pad:-pad, pad:-pad], np.float32)


def interior() -> NDArray[np.bool_]:
    """Pixels that lie on the wafer of any cell, pseudo-square ones too: ``(160, 160)``."""
    y, x = np.mgrid[:SIDE, :SIDE]
    edge_y, edge_x = np.minimum(y, SIDE - 1 - y), np.minimum(x, SIDE - 1 - x)
    inside: NDArray[np.bool_] = (
        (edge_y >= MARGIN) & (edge_x >= MARGIN) & (edge_y + edge_x >= CORNER)
    )
    return inside


INTERIOR = interior()


def bright_level(stack: Stack) -> NDArray[np.float32]:
    """The level of each cell's sound area: its 85th percentile, ``(n,)``."""
    level = np.percentile(stack[:, ::2, ::2][:, INTERIOR[::2, ::2]], 85, axis=1)
    return np.maximum(level, 1e-6).astype(np.float32)


def clean_cells(stack: Stack, *, of_one_module: bool = False) -> CleanCells:
    """Normalise each cell by itself, lay its busbars horizontally and fill them in.

    The cells of one module have their busbars one way: then all of them decide together.
    """
    bright = bright_level(stack)
    cells = stack / bright[:, None, None]
    lying, standing = _dips(cells), _dips(cells.transpose(0, 2, 1))
    upright = _line_score(standing) - _line_score(lying)
    turned = np.full(len(cells), np.median(upright) > PLAIN) if of_one_module else upright > PLAIN
    cells = np.where(turned[:, None, None], cells.transpose(0, 2, 1), cells)
    rows = _busbar_rows(np.where(turned[:, None], standing, lying))
    closed = untall(_close_vertically(tall_image(cells), 13))
    clean = np.where(rows[:, :, None], closed, cells)
    return CleanCells(cells=cells, clean=clean, busbar_rows=rows, turned=turned, bright=bright)


def _close_vertically(image: NDArray[np.float32], length: int) -> NDArray[Any]:
    kernel = np.ones((length, 1), np.uint8)
    return cv2.morphologyEx(image, cv2.MORPH_CLOSE, kernel)


def _dips(cells: Stack) -> NDArray[Any]:
    """How far each row lies below its surroundings, ``(n, 160)``, for lines narrower than 11."""
    profile = np.percentile(cells[:, :, MARGIN:-MARGIN:2], 40, axis=2).astype(np.float32)
    columns = np.ascontiguousarray(profile.T)
    dip = _close_vertically(columns, 13).T - profile
    dip[:, :MARGIN] = dip[:, -MARGIN:] = 0
    return dip


def _line_score(dips: NDArray[Any]) -> NDArray[Any]:
    """How dark the darkest lines are, away from the edge, where contact pads lie."""
    inner = dips[:, EDGE:-EDGE]
    score: NDArray[Any] = np.sort(inner, axis=1)[:, -8:].mean(axis=1)
    return score


def _busbar_rows(dip: NDArray[Any]) -> NDArray[np.bool_]:
    strong = dip > np.maximum(0.04, 0.3 * dip.max(axis=1, keepdims=True))
    grown: NDArray[np.bool_] = strong.copy()
    grown[:, 1:] |= strong[:, :-1]
    grown[:, :-1] |= strong[:, 1:]
    return grown
