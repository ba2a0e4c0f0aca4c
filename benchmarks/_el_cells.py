"""Cells of EL pictures: how well damage is found, and how fast.

Rows on rendered cells need nothing else. Rows marked † need the ELPV data set (Buerhop-Lutz et al.
2018, Deitsch et al. 2019; CC BY-NC-SA 4.0: evaluation only), as the folder that the PyPI package
``elpv-dataset`` installs, and ``shared/data/el/elpv_split.csv``. One processor thread.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from benchmarks._cell_measures import cell_measures, measure_table
from evidence.weights import load_cell_model
from grading.el.cell_marks import CRACK
from grading.el.cell_ridges import find_ridges
from grading.el.cell_stack import Stack, clean_cells
from grading.el.cells import judge_cells, judge_single, single_cell
from grading.el.net import CellModel
from simulators.el_render.dataset import rendered_set
from simulators.el_render.scores import auc, overlap

Array = NDArray[np.float64]
CELLS_PER_MODULE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ElpvPart:
    """Cells of one part: bright level 1, probability of a defect as labelled, file order."""

    cells: Stack
    label: Array
    wafer: NDArray[np.str_]


def cells(shared: Path, elpv: Path | None) -> None:
    """Print the table; ``elpv`` is the data set's folder, None where it is not installed."""
    model = load_cell_model()
    print("| measure | classical alone | shipped |\n|---|---|---|")
    rendered_rows(model)
    if (shared / "synth_cells").is_dir():
        synth_rows(shared / "synth_cells", model)
    speed_row(model)
    if elpv is not None:
        parts = {
            part: elpv_part(elpv, shared / "elpv_split.csv", part) for part in ("tune", "test")
        }
        elpv_rows(parts, model)


def row(name: str, *values: float | None, form: str = "{:.3f}") -> None:
    """Print one line of the table."""
    cells = " | ".join("–" if value is None else form.format(value) for value in values)
    print(f"| {name} | {cells} |", flush=True)


def rendered_rows(model: CellModel | None) -> None:
    """600 rendered cells that no training saw."""
    truth = rendered_set(600, seed=9_002)
    found = [judge_single(list(truth.cells), model=which) for which in (None, model)]
    p = [each.defect_probability for each in found]
    row("rendered: area under ROC", *(auc(truth.defective, each) for each in p))
    row(
        "rendered: accuracy at 0.5",
        *(((each > 0.5) == truth.defective).mean() for each in p),
    )
    row(
        "rendered: damaged cells found at 1 false alarm a module",
        *(recall_at(truth.defective, each, 1 / CELLS_PER_MODULE) for each in p),
    )
    cracked = (truth.labels == CRACK).sum(axis=(1, 2)) > 60
    judged = cracked | ~truth.defective
    row(
        "rendered: cracked cells (> 60 pixels) found at 1 false alarm a module",
        *(recall_at(cracked[judged], each[judged], 1 / CELLS_PER_MODULE) for each in p),
    )
    row(
        "rendered: dead-area error, mean [% of a cell]",
        *(100 * np.abs(each.inactive_fraction - truth.inactive_fraction).mean() for each in found),
    )
    row(
        "rendered: crack IoU, all pixels",
        *(overlap(each.labels == CRACK, truth.labels == CRACK) for each in found),
    )


def recall_at(defective: NDArray[np.bool_], p: Array, alarms: float) -> float:
    """Share of defective cells found where a share ``alarms`` of sound ones is called too."""
    limit = np.quantile(p[~defective], 1 - alarms)
    return float((p[defective] > limit).mean())


def synth_rows(folder: Path, model: CellModel | None) -> None:
    """Sixty cells of another renderer."""
    with (folder / "labels.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    images = [cv2.imread(str(folder / each["file"]), cv2.IMREAD_GRAYSCALE) for each in rows]
    masks = [
        cv2.imread(str(folder / each["file"].replace(".png", "_mask.png")), cv2.IMREAD_UNCHANGED)
        for each in rows
    ]
    truth = np.stack(
        [cv2.resize(mask, (160, 160), interpolation=cv2.INTER_NEAREST) for mask in masks]
    )
    defective = np.array([each["defective"] == "1" for each in rows])
    inactive = np.array([float(each["inactive_frac"]) for each in rows])
    found = [judge_single(images, model=which) for which in (None, model)]
    p = [each.defect_probability for each in found]
    row("synth_cells: area under ROC", *(auc(defective, each) for each in p))
    row("synth_cells: accuracy at 0.5", *(((each > 0.5) == defective).mean() for each in p))
    row(
        "synth_cells: dead-area error, mean [% of a cell]",
        *(100 * np.abs(each.inactive_fraction - inactive).mean() for each in found),
    )
    row(
        "synth_cells: crack IoU, all pixels",
        *(overlap(each.labels == CRACK, truth == CRACK) for each in found),
    )


def speed_row(model: CellModel | None) -> None:
    """Time of a module's cells, and as a multiple of copying them."""
    cells = rendered_set(CELLS_PER_MODULE, seed=9_003).cells
    times = [best_time(partial(judge_cells, cells, model=which)) for which in (None, model)]
    copy = best_time(lambda: [cells.copy() for _ in range(100)]) / 100
    row("60 cells, one thread [s]", *times)
    row("60 cells, in memory passes over them", *(each / copy for each in times), form="{:.0f}")


def best_time(action: Callable[[], object], repeats: int = 5) -> float:
    """Least time of several runs [s]."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def elpv_part(images: Path, split: Path, part: str) -> ElpvPart:
    """Read one part of ELPV."""
    with split.open(encoding="utf-8") as lines:
        rows = [each for each in csv.DictReader(lines) if each["part"] == part]
    pictures = [cv2.imread(str(images / each["image"]), cv2.IMREAD_GRAYSCALE) for each in rows]
    return ElpvPart(
        cells=np.stack([single_cell(picture) for picture in pictures]),
        label=np.array([float(each["defect_probability"]) for each in rows]),
        wafer=np.array([each["wafer"] for each in rows]),
    )


def elpv_rows(parts: dict[str, ElpvPart], model: CellModel | None) -> None:
    """Real cells; no ELPV picture in training but for the last rows."""
    for part, cells in parts.items():
        found = [judge_single(list(cells.cells), model=which) for which in (None, model)]
        p = [each.defect_probability for each in found]
        kinds = {"": np.ones(len(cells.label), bool)}
        kinds |= {f", {kind}": cells.wafer == kind for kind in ("mono", "poly")}
        for name, own in kinds.items():
            defective = cells.label[own] >= 0.5
            row(f"† ELPV {part}{name}: area under ROC", *(auc(defective, each[own]) for each in p))
            row(
                f"† ELPV {part}{name}: accuracy at 0.5",
                *(((each[own] > 0.5) == defective).mean() for each in p),
            )
        sure = np.isin(cells.label, (0.0, 1.0))
        row(
            f"† ELPV {part}, confident labels: area under ROC",
            *(auc(cells.label[sure] == 1, each[sure]) for each in p),
        )
    trained_on_tune(parts, model)


def trained_on_tune(parts: dict[str, ElpvPart], model: CellModel | None) -> None:
    """Weights fit on ``tune``: measures alone, and with what the network says. Never shipped."""
    tune, test = (described(parts[name].cells, model) for name in ("tune", "test"))
    truth, judged = (parts[name].label >= 0.5 for name in ("tune", "test"))
    width = tune[0].shape[1]
    scores = []
    for columns in (slice(0, width), slice(0, width + tune[1].shape[1])):
        fit_on, score_on = (np.hstack(both)[:, columns] for both in (tune, test))
        scores.append(logistic(gaussian(fit_on, fit_on), truth, gaussian(fit_on, score_on)))
    row(
        "† trained on tune, tested on test: area under ROC", *(auc(judged, each) for each in scores)
    )
    row(
        "† trained on tune, tested on test: accuracy",
        *(((each > 0) == judged).mean() for each in scores),
    )


def described(cells: Stack, model: CellModel | None) -> tuple[Array, Array]:
    """Measures of cells, and what the network says of them."""
    tables, outputs = [], []
    for start in range(0, len(cells), CELLS_PER_MODULE):
        clean = clean_cells(cells[start : start + CELLS_PER_MODULE])
        tables.append(measure_table(cell_measures(clean, find_ridges(clean.clean))))
        if model is None:
            outputs.append(np.zeros((len(clean.cells), 0)))
            continue
        found = model.predict(clean.cells)
        outputs.append(
            np.column_stack(
                [found.logit, found.masks.mean(axis=(2, 3)), found.masks.max(axis=(2, 3))]
            )
        )
    return np.concatenate(tables), np.concatenate(outputs)


def gaussian(reference: Array, table: Array) -> Array:
    """Each column by its rank among the reference's, as a normal score."""
    ranks = [
        np.searchsorted(np.sort(of), column)
        for of, column in zip(reference.T, table.T, strict=True)
    ]
    share = (np.stack(ranks, axis=1) + 0.5) / (len(reference) + 1)
    scores: Array = norm.ppf(np.clip(share, 1e-3, 1 - 1e-3))
    return scores


def logistic(table: Array, truth: NDArray[np.bool_], query: Array, ridge: float = 10.0) -> Array:
    """Log-odds of ``query`` by logistic regression with squares, ridge-regularised."""

    def wide(rows: Array) -> Array:
        return np.column_stack([np.ones(len(rows)), rows, rows**2 - 1])

    design, sign = wide(table), np.where(truth, 1.0, -1.0)

    def loss(weights: Array) -> tuple[float, Array]:
        margin = sign * (design @ weights)
        pull = np.r_[0.0, weights[1:]]
        slope = -sign / (1 + np.exp(np.clip(margin, -50, 50)))
        value = np.logaddexp(0, -margin).sum() + 0.5 * ridge * (pull**2).sum()
        return float(value), design.T @ slope + ridge * pull

    best = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x
    odds: Array = wide(query) @ best
    return odds
