"""How good a cell model is, and what a new one does better or worse than the old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from grading.el.net import CellModel
from simulators.el_render.dataset import CellSet

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Area under the ROC curve (None where all cells are of one kind) and accuracy at even odds."""

    cells: int
    auc: float | None
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two models on the same cells; ``better`` and ``worse`` are indices of cells."""

    before: Score
    after: Score
    better: tuple[int, ...]
    worse: tuple[int, ...]


def auc(defective: Flags, score: NDArray[Any]) -> float | None:
    """Area under the ROC curve: how often a defective cell scores above a sound one."""
    positive = int(defective.sum())
    negative = len(defective) - positive
    if not positive or not negative:
        return None
    ranks = rankdata(score)[defective].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * negative))


def score_of(defective: Flags, logit: NDArray[Any]) -> Score:
    """Score log-odds against the truth."""
    return Score(
        cells=len(defective),
        auc=auc(defective, logit),
        accuracy=float(((logit > 0) == defective).mean()) if len(defective) else 1.0,
    )


def compare(old: CellModel, new: CellModel, cells: CellSet) -> Comparison:
    """Run both models on the same cells."""
    before, after = (model.predict(cells.cells).logit for model in (old, new))
    was_right, is_right = (before > 0) == cells.defective, (after > 0) == cells.defective
    return Comparison(
        before=score_of(cells.defective, before),
        after=score_of(cells.defective, after),
        better=tuple(np.flatnonzero(is_right & ~was_right).tolist()),
        worse=tuple(np.flatnonzero(was_right & ~is_right).tolist()),
    )


def overlap(found: Flags, truth: Flags) -> float:
    """Intersection over union; 1 where both are empty."""
    union = int((found | truth).sum())
    return float((found & truth).sum() / union) if union else 1.0
