"""Sets of rendered cells for training and for judging, cached as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grading.el.cell_stack import SIDE, bright_level
from simulators.el_render.cell import RenderedCell, render_cell
from simulators.el_render.draw import draw_cell, draw_style
from simulators.el_render.spec import Label

SEEN = 3.5  # standard deviations: a defect that stands out less is not asked for
SCALE = 160  # grey values per bright level in the cached pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSet:
    """Pictures with their truth; index i is one cell.

    ``images`` uint8 ``(n, 160, 160)`` in 1/160 of the bright level; ``labels`` uint8 likewise,
    codes of ``Label``; ``defective`` bool ``(n,)``; ``inactive_fraction`` ``(n,)``.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    defective: NDArray[np.bool_]
    inactive_fraction: NDArray[np.float64]

    @property
    def cells(self) -> NDArray[np.float32]:
        """Pictures of bright level 1, float32."""
        return self.images.astype(np.float32) / np.float32(SCALE)


def visible_cell(rng: np.random.Generator) -> RenderedCell:
    """One random cell of a random module that is either sound or visibly damaged."""
    while True:
        style = draw_style(rng)
        cell = render_cell(draw_cell(rng, style), style, side=SIDE)
        if cell.visibility > SEEN or cell.damage == 0:
            return cell


def rendered_set(count: int, *, seed: int, cache: Path | None = None) -> CellSet:
    """Render ``count`` cells; reads them from ``cache`` (a folder) where they are already there."""
    stem = None if cache is None else cache / f"cells-{seed}-{count}.npz"
    if stem is not None and stem.is_file():
        with np.load(stem) as saved:
            return CellSet(**{name: saved[name] for name in saved.files})
    rng = np.random.default_rng(seed)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    labels = np.empty((count, SIDE, SIDE), np.uint8)
    inactive = np.empty(count)
    for index in range(count):
        cell = visible_cell(rng)
        images[index] = as_bytes(cell.image[None])[0]
        labels[index] = cell.labels
        inactive[index] = cell.inactive_fraction
    damaged = ((labels == Label.CRACK) | (labels == Label.INACTIVE)).any(axis=(1, 2))
    made = CellSet(images=images, labels=labels, defective=damaged, inactive_fraction=inactive)
    if stem is not None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        np.savez(stem, images=images, labels=labels, defective=damaged, inactive_fraction=inactive)
    return made


def as_bytes(stack: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cells ``(n, 160, 160)`` of any brightness, each by its own bright level, as cached."""
    level = bright_level(stack)[:, None, None]
    return np.asarray(np.clip(np.rint(stack / level * SCALE), 0, 255), np.uint8)
