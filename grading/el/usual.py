"""Layouts that modules are made in: what is likely before a picture is looked at."""

from __future__ import annotations

from grading.el.grid import Grid

_MADE = frozenset(
    (
        *((4, 9), (6, 8), (6, 9), (6, 10), (6, 11), (6, 12), (8, 12), (8, 16)),
        *((6, 18), (6, 20), (6, 22), (6, 24)),
    )
)
# A string that a diode bypasses is two rows; without it or two of them the rest is lit.
_LIT = frozenset((rows - dark, columns) for rows, columns in _MADE for dark in (0, 2, 4))


def is_usual(grid: Grid) -> bool:
    """Whether modules of that many rows and columns are made in number."""
    return _pair(grid.rows.cells, grid.columns.cells) in _MADE


def is_usually_lit(cells: int, others: int) -> bool:
    """Whether so many cells are what is lit of a usual module, strings in the dark left out."""
    pair = _pair(cells, others)
    return pair in _LIT or (pair[1], pair[0]) in _LIT


def _pair(cells: int, others: int) -> tuple[int, int]:
    return (min(cells, others), max(cells, others))
