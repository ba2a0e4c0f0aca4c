"""Judge cells: from a stack of rectified cells to cracks, dead area and a probability each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_cracks import trace_cracks
from grading.el.cell_marks import CRACK, FINGER, INACTIVE, classical_marks
from grading.el.cell_ridges import find_ridges
from grading.el.cell_stack import INTERIOR, SIDE, MaskStack, Stack, clean_cells
from grading.el.net import CellModel
from grading.errors import ImageError
from grading.values import CellClass, Crack, FloatArray, read_only

DARK_CELL = 0.35  # of the module's bright level: the whole cell is dark
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


def judge_cells(
    stack: Stack, *, wafer: str | None = None, model: CellModel | None = None
) -> CellJudgements:
    """Judge the rectified cells of one module together.

    Args:
        stack: float ``(n, 160, 160)``, linear intensity, the module's bright level being 1.
        wafer: "mono" or "multi" where known; None finds out.
        model: the loaded network; None judges by classical measures alone.

    Raises:
        ImageError: the stack is not made of finite pictures of that size.
    """
    stack = _checked(stack)
    cells = clean_cells(stack)
    ridges = find_ridges(cells.clean)
    labels = classical_marks(cells, ridges)
    inactive = (labels == INACTIVE).mean(axis=(1, 2))
    cracks = trace_cracks((labels == CRACK).astype(np.uint8), cells.busbar_rows)
    length = np.array([sum(crack.length for crack in own) for own in cracks])
    dark = cells.bright < DARK_CELL
    probability = np.where(dark, 1.0, _classical_probability(length, inactive))
    return CellJudgements(
        defect_probability=probability,
        cell_class=_classes(labels, dark),
        inactive_fraction=np.where(dark, 1.0, inactive),
        crack_length_fraction=length,
        relative_intensity=cells.bright.astype(np.float64),
        cracks=tuple(
            _turn_back(own, turned) for own, turned in zip(cracks, cells.turned, strict=True)
        ),
        labels=np.where(cells.turned[:, None, None], labels.transpose(0, 2, 1), labels),
    )


def judge_single(
    images: Sequence[NDArray[Any]], *, wafer: str | None = None, model: CellModel | None = None
) -> CellJudgements:
    """Judge pictures that each show one cell, of any size, 8 or 16 bits or float.

    Each is normalised by itself, so ``relative_intensity`` is 1 for every cell.

    Raises:
        ImageError: a picture is not of one channel, or holds no cell.
    """
    cells = [_single(image) for image in images]
    stack = np.stack(cells) if cells else np.zeros((0, SIDE, SIDE), np.float32)
    return judge_cells(stack, wafer=wafer, model=model)


def _single(image: NDArray[Any]) -> NDArray[np.float32]:
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


def _classical_probability(length: FloatArray, inactive: FloatArray) -> FloatArray:
    logit = -2.5 + 6.0 * length + 120.0 * inactive
    probability: FloatArray = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
    return probability


def _classes(labels: MaskStack, dark: NDArray[np.bool_]) -> tuple[CellClass, ...]:
    count = np.stack([(labels == code).sum(axis=(1, 2)) for code in (CRACK, INACTIVE, FINGER)], 1)
    return tuple(_class(*row, dark=is_dark) for row, is_dark in zip(count, dark, strict=True))


def _class(crack: int, inactive: int, finger: int, *, dark: bool) -> CellClass:
    if dark:
        return CellClass.DARK
    if inactive > 0:
        return CellClass.CRACK_C if crack > 0 else CellClass.DARK
    if crack > 0:
        return CellClass.CRACK_A
    return CellClass.FINGER if finger > 0 else CellClass.SOUND


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
