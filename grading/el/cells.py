"""Judge cells: from a stack of rectified cells to cracks, dead area and a probability each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_class import cell_classes
from grading.el.cell_common import without_common_marks
from grading.el.cell_cracks import trace_cracks
from grading.el.cell_marks import CRACK, INACTIVE, classical_marks
from grading.el.cell_masks import net_marks
from grading.el.cell_ridges import find_ridges
from grading.el.cell_stack import (
    INTERIOR,
    SIDE,
    CleanCells,
    MaskStack,
    Stack,
    clean_cells,
)
from grading.el.net import CellModel
from grading.errors import ImageError
from grading.values import CellClass, Crack, FloatArray, read_only

DARK_CELL = 0.35  # of the module's bright level: the whole cell is dark
DIM_CELL, DIM_SPREAD = 0.5, 0.03  # of the module's bright level: as likely defective as not
LEAST_CONTRAST = 0.01  # (max − min) / max below which a picture holds no cell


@dataclass(frozen=True, slots=True, kw_only=True)
class CellJudgements:
    """What is seen in ``n`` cells; every sequence has that length.

    ``inactive_fraction`` is the area cut off or dark, as a fraction of the cell;
    ``crack_length_fraction`` the summed length of its cracks over its side;
    ``relative_intensity`` its bright level over the module's. ``cracks`` are in unit cell
    coordinates (x to the right, y down, 0 to 1). ``labels`` ``(n, 160, 160)``: 0 sound, 1 crack,
    2 inactive or dark, 3 finger interruption.
    """

    defect_probability: FloatArray
    cell_class: tuple[CellClass, ...]
    inactive_fraction: FloatArray
    crack_length_fraction: FloatArray
    relative_intensity: FloatArray
    cracks: tuple[tuple[Crack, ...], ...]
    labels: MaskStack

    def __post_init__(self) -> None:
        for name in ("defect_probability", "inactive_fraction", "crack_length_fraction"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        object.__setattr__(self, "relative_intensity", read_only(self.relative_intensity))
        self.labels.setflags(write=False)


def judge_cells(stack: Stack, *, model: CellModel | None = None) -> CellJudgements:
    """Judge the rectified cells of one module together.

    Args:
        stack: float ``(n, 160, 160)``, linear intensity, the module's bright level being 1.
        model: the loaded network; None judges by classical measures alone.

    Raises:
        ImageError: the stack is not made of finite pictures of that size.
    """
    return _judge(_checked(stack), model, of_one_module=True)


def judge_single(
    images: Sequence[NDArray[Any]], *, model: CellModel | None = None
) -> CellJudgements:
    """Judge pictures that each show one cell, of any size, 8 or 16 bits or float.

    Each is normalised by itself, so ``relative_intensity`` is 1 for every cell.

    Raises:
        ImageError: a picture is not of one channel, or holds no cell.
    """
    cells = [single_cell(image) for image in images]
    stack = np.stack(cells) if cells else np.zeros((0, SIDE, SIDE), np.float32)
    return _judge(_checked(stack), model, of_one_module=False)


def single_cell(image: NDArray[Any]) -> NDArray[np.float32]:
    """One picture of a cell at 160 × 160, its bright level 1.

    Raises:
        ImageError: it is not of one channel, or holds no cell.
    """
    if image.ndim != 2 or min(image.shape) < 32:
        raise ImageError(
            "cell_shape",
            f"A picture of one cell has one channel and at least 32×32 pixels, not {image.shape}.",
            "Give a grey picture of one cell.",
        )
    cell = cv2.resize(image.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    bright = float(np.percentile(cell[INTERIOR], 85))
    if not np.isfinite(bright) or bright <= 0 or np.ptp(cell) < LEAST_CONTRAST * bright:
        raise ImageError(
            "no_cell",
            "The picture holds no cell: it is black or of one even tone.",
            "Check exposure and current, and take the picture again.",
        )
    return np.asarray(cell / bright, np.float32)


def _checked(stack: Stack) -> Stack:
    if stack.ndim != 3 or stack.shape[1:] != (SIDE, SIDE) or not np.isfinite(stack).all():
        raise ImageError(
            "cell_stack",
            f"A stack of cells is finite and (n, {SIDE}, {SIDE}), not {stack.shape}.",
            "Rectify the cells again.",
        )
    return np.ascontiguousarray(stack, np.float32)


def _judge(stack: Stack, model: CellModel | None, *, of_one_module: bool) -> CellJudgements:
    if not len(stack):
        return _nothing()
    cells = clean_cells(stack, of_one_module=of_one_module)
    dark = cells.bright < DARK_CELL
    if of_one_module:
        usual = without_common_marks(cells.cells, cells.busbar_rows, dark)
        cells = replace(cells, cells=usual)
    seen = _classical(cells) if model is None else _learned(cells, model)
    labels, turned = np.where(dark[:, None, None], INACTIVE, seen.labels), cells.turned
    labels = labels.astype(np.uint8)
    cracks = trace_cracks((labels == CRACK).astype(np.uint8), cells.busbar_rows)
    inactive = (labels == INACTIVE).mean(axis=(1, 2)) / seen.wafer
    return CellJudgements(
        defect_probability=_with_dimness(seen.logit, cells.bright),
        cell_class=cell_classes(labels, cells, dark),
        inactive_fraction=np.where(dark, 1.0, np.minimum(inactive, 1.0)),
        crack_length_fraction=_total_length(cracks),
        relative_intensity=cells.bright.astype(np.float64),
        cracks=tuple(_turn_back(own, turn) for own, turn in zip(cracks, turned, strict=True)),
        labels=np.where(turned[:, None, None], labels.transpose(0, 2, 1), labels),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Label masks, log-odds of a defect, and the wafer's area [cells], of each cell."""

    labels: MaskStack
    logit: FloatArray
    wafer: FloatArray


def _learned(cells: CleanCells, model: CellModel) -> _Seen:
    output = model.predict(cells.cells)
    labels, wafer = net_marks(output)
    return _Seen(labels=labels, logit=output.logit.astype(np.float64), wafer=wafer)


def _classical(cells: CleanCells) -> _Seen:
    """Line length and dark area alone, weighed so that 0.4 of a side or 2% of a cell is even."""
    labels = classical_marks(cells, find_ridges(cells.clean))
    length = _total_length(trace_cracks((labels == CRACK).astype(np.uint8)))
    inactive = (labels == INACTIVE).mean(axis=(1, 2))
    logit = -2.5 + 6.0 * length + 120.0 * inactive
    return _Seen(labels=labels, logit=logit, wafer=np.ones(len(labels)))


def _total_length(cracks: tuple[tuple[Crack, ...], ...]) -> FloatArray:
    return np.array([sum(crack.length for crack in own) for own in cracks], np.float64)


def _with_dimness(logit: FloatArray, bright: NDArray[np.float32]) -> FloatArray:
    """Probability that the cell is defective in itself, or dim against its module."""
    itself = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    dim = 1 / (1 + np.exp(np.clip((bright - DIM_CELL) / DIM_SPREAD, -30, 30)))
    probability: FloatArray = 1 - (1 - itself) * (1 - dim)
    return probability


def _nothing() -> CellJudgements:
    none = np.zeros(0)
    return CellJudgements(
        defect_probability=none,
        cell_class=(),
        inactive_fraction=none,
        crack_length_fraction=none,
        relative_intensity=none,
        cracks=(),
        labels=np.zeros((0, SIDE, SIDE), np.uint8),
    )


def _turn_back(cracks: tuple[Crack, ...], turned: bool) -> tuple[Crack, ...]:
    if not turned:
        return cracks
    return tuple(
        Crack(
            points=tuple((y, x) for x, y in crack.points),
            length=crack.length,
            crosses_busbar=crack.crosses_busbar,
        )
        for crack in cracks
    )
