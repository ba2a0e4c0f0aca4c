"""The grid of cells in the picture: its model, and where each cell lies.

The module's plane is measured in cell pitches: the middle of the gap between columns ``c - 1``
and ``c`` lies at ``u = c``, between rows ``r - 1`` and ``r`` at ``v = r``. A half-cut module has
a wider gap in the middle: all that lies behind it is moved on by ``middle``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grading.el.lens import Array, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Cells along one axis: ``cells`` of them, ``gap`` and ``middle`` in cell pitches."""

    cells: int
    gap: float = 0.02
    middle: float = 0.0

    @property
    def length(self) -> float:
        """Length from the middle of the gap before the first cell to that after the last."""
        return self.cells + self.middle

    def starts(self) -> Array:
        """Where each cell's first edge lies, (cells,)."""
        index = np.arange(self.cells, dtype=np.float64)
        return index + self.gap / 2.0 + self.shift(index)

    def ends(self) -> Array:
        """Where each cell's last edge lies, (cells,)."""
        return self.starts() + 1.0 - self.gap

    def shift(self, index: NDArray[Any]) -> Array:
        """Extra distance of cell ``index`` owing to the middle gap."""
        return np.asarray(self.middle * (index >= self.cells / 2.0), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """All cells of a module as seen: ``view`` takes (u, v) in pitches to image pixels."""

    columns: Axis
    rows: Axis
    view: View

    def scaled(self, factor: float) -> Grid:
        """Return the same grid on a picture resized by ``factor``."""
        return Grid(columns=self.columns, rows=self.rows, view=self.view.scaled(factor))

    def polygons(self) -> Array:
        """Outlines in pixels, (rows, columns, 4, 2), clockwise from the top left."""
        u0, u1 = self.columns.starts(), self.columns.ends()
        v0, v1 = self.rows.starts(), self.rows.ends()
        u = np.stack((u0, u1, u1, u0), axis=-1)[None, :, :]
        v = np.stack((v0, v0, v1, v1), axis=-1)[:, None, :]
        return self.view.project(np.stack(np.broadcast_arrays(u, v), axis=-1))

    def middles(self) -> Array:
        """Middles of the cells on the plane, (rows, columns, 2)."""
        u = 0.5 * (self.columns.starts() + self.columns.ends())
        v = 0.5 * (self.rows.starts() + self.rows.ends())
        return np.stack(np.meshgrid(u, v), axis=-1)

    def corners(self) -> Array:
        """Corners of the cell area in pixels, (4, 2), clockwise from the top left."""
        u = np.array([self.columns.starts()[0], self.columns.ends()[-1]])
        v = np.array([self.rows.starts()[0], self.rows.ends()[-1]])
        return self.view.project(np.stack((u[[0, 1, 1, 0]], v[[0, 0, 1, 1]]), axis=-1))

    def cell_size(self) -> tuple[float, float]:
        """Median width and height of a cell in pixels."""
        sides = np.linalg.norm(np.diff(self.polygons(), axis=2), axis=-1)
        return float(np.median(sides[..., 0])), float(np.median(sides[..., 1]))
