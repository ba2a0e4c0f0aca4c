"""Go on training from a site's own labelled cells, without forgetting the rendered ones.

A site's label says whether a cell is defective, not where; so its pixels' truth is unknown, and
as many rendered cells with masks are trained beside it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from simulators.el_render.dataset import CellSet
from simulators.el_render.training import (
    UNKNOWN,
    Report,
    TrainingPlan,
    export_onnx,
    import_onnx,
    train,
)


def split_by_panel(panels: list[str], share: float) -> tuple[list[int], list[int]]:
    """Indices to train on and to hold out: whole panels, the last ones, about ``share`` of all.

    A random split would put cells of one module on both sides and flatter the result.
    """
    order = list(dict.fromkeys(panels))
    held: set[str] = set()
    while order and sum(panel in held for panel in panels) < share * len(panels):
        held.add(order.pop())
    kept = [index for index, panel in enumerate(panels) if panel not in held]
    return kept, [index for index, panel in enumerate(panels) if panel in held]


def without_masks(cells: CellSet) -> CellSet:
    """The same cells, their pixels' truth unknown."""
    return replace(cells, labels=np.full_like(cells.images, UNKNOWN))


def joined(first: CellSet, second: CellSet) -> CellSet:
    """Both sets as one."""
    return CellSet(
        images=np.concatenate([first.images, second.images]),
        labels=np.concatenate([first.labels, second.labels]),
        defective=np.concatenate([first.defective, second.defective]),
        inactive_fraction=np.concatenate([first.inactive_fraction, second.inactive_fraction]),
    )


def train_further(
    graph: bytes,
    site: CellSet,
    rendered: CellSet,
    plan: TrainingPlan,
    *,
    folder: Path,
    report: Report = print,
) -> Path:
    """Train the network in ``graph`` on; writes ``folder/cells.onnx`` and returns its path."""
    cells = joined(without_masks(site), rendered)
    net = train(cells, plan, folder=folder, start=import_onnx(graph), report=report)
    target = folder / "cells.onnx"
    export_onnx(net, target)
    return target
