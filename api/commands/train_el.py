"""``zonkeur train-el``: train the cell network, from rendered cells or from a site's own."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import typer

from api.commands.output import BAD_CALL, NOT_JUDGED, print_json, progress_console
from evidence.images import read_image
from evidence.weights import load_cell_model, shipped_net
from grading.el.cells import single_cell
from grading.el.net import CellModel
from grading.errors import ImageError
from simulators.el_render.dataset import CellSet, as_bytes, rendered_set
from simulators.el_render.finetune import split_by_panel, train_further
from simulators.el_render.scores import compare
from simulators.el_render.training import TrainingPlan, export_onnx, import_onnx, train

RENDERED_SEED = 7_000  # apart from the seeds that the shipped weights were trained on


def train_el(
    labels: Path | None = typer.Argument(
        None, help="labels.csv (file,defective[,panel]); without it, train on rendered cells alone."
    ),
    out: Path = typer.Option(Path("el-model"), help="Folder for the new model and its report."),
    cells: int = typer.Option(2_000, help="Rendered cells to train on."),
    epochs: int = typer.Option(4, help="Passes over the cells."),
    rate: float = typer.Option(5e-4, help="Highest learning rate (3e-3 to start from nothing)."),
    seed: int = typer.Option(1, help="Seed of everything drawn at random."),
    held_out: float = typer.Option(0.25, min=0.05, max=0.9, help="Share of panels to judge by."),
    anew: bool = typer.Option(False, help="Start from nothing; only with rendered cells."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Train, and report what got better or worse; the old model is kept. Needs extra `train`."""
    _need_torch()
    plan = TrainingPlan(epochs=epochs, rate=rate, seed=seed)
    keep_old(out / "cells.onnx")
    if labels is None:
        report = _from_rendered(plan, cells, out, anew=anew)
    else:
        report = _from_site(labels, plan, cells, held_out, out)
    (out / "checkpoint.pt").unlink(missing_ok=True)
    if as_json:
        print_json(report)
    else:
        progress_console.print(report)


def _need_torch() -> None:
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        progress_console.print(
            "Training needs PyTorch: install this package with its extra `train`.", style="red"
        )
        raise typer.Exit(BAD_CALL) from None


def _say(line: str) -> None:
    progress_console.print(line)


def keep_old(model: Path) -> Path | None:
    """Move a model out of the way, named by its content; the path it now has."""
    if not model.is_file():
        return None
    kept = model.with_name(f"cells-{hashlib.sha256(model.read_bytes()).hexdigest()[:12]}.onnx")
    model.replace(kept)
    return kept


def _from_rendered(plan: TrainingPlan, count: int, out: Path, *, anew: bool) -> dict[str, Any]:
    graph = shipped_net()
    start = None if anew or graph is None else import_onnx(graph)
    cells = rendered_set(count, seed=plan.seed, cache=out)
    export_onnx(train(cells, plan, folder=out, start=start, report=_say), out / "cells.onnx")
    judged_by = rendered_set(500, seed=RENDERED_SEED, cache=out)
    return {"model": str(out / "cells.onnx"), "rendered": _against_shipped(out, judged_by)}


def _from_site(
    labels: Path, plan: TrainingPlan, count: int, held_out: float, out: Path
) -> dict[str, Any]:
    files, site, panels = read_site_cells(labels)
    kept, held = split_by_panel(panels, held_out)
    if not kept or not held:
        progress_console.print("Cells of at least two panels are needed.", style="red")
        raise typer.Exit(BAD_CALL)
    rendered = rendered_set(count, seed=RENDERED_SEED + plan.seed, cache=out)
    graph = shipped_net()
    if graph is None:
        progress_console.print("This package ships no network to train further.", style="red")
        raise typer.Exit(BAD_CALL)
    train_further(graph, chosen(site, kept), rendered, plan, folder=out, report=_say)
    found = _against_shipped(out, chosen(site, held))
    for key in ("better", "worse"):
        found[key] = [files[held[index]] for index in found[key]]
    judged_by = rendered_set(500, seed=RENDERED_SEED, cache=out)
    return {
        "model": str(out / "cells.onnx"),
        "site": {"trained_on": len(kept), "held_out": len(held), **found},
        "rendered": _against_shipped(out, judged_by),
    }


def _against_shipped(out: Path, cells: CellSet) -> dict[str, Any]:
    new = CellModel.from_bytes((out / "cells.onnx").read_bytes())
    return asdict(compare(load_cell_model() or new, new, cells))


def chosen(cells: CellSet, indices: list[int]) -> CellSet:
    """Some of the cells."""
    return CellSet(
        images=cells.images[indices],
        labels=cells.labels[indices],
        defective=cells.defective[indices],
        inactive_fraction=cells.inactive_fraction[indices],
    )


def read_site_cells(labels: Path) -> tuple[list[str], CellSet, list[str]]:
    """A site's labelled cells: file names, cells, and the panel that each came from.

    Without a column ``panel``, twenty cells in a row count as one.
    """
    with labels.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if not rows or not {"file", "defective"} <= rows[0].keys():
        progress_console.print(f"{labels} needs the columns file and defective.", style="red")
        raise typer.Exit(BAD_CALL)
    try:
        cells = [single_cell(read_image(labels.parent / row["file"])) for row in rows]
    except ImageError as error:
        progress_console.print(f"{error.detail} {error.remedy}", style="red")
        raise typer.Exit(NOT_JUDGED) from error
    images = as_bytes(np.stack(cells))
    defective = np.array([row["defective"].strip().lower() in ("1", "true") for row in rows])
    site = CellSet(
        images=images,
        labels=np.zeros_like(images),
        defective=defective,
        inactive_fraction=np.full(len(rows), np.nan),
    )
    panels = [row.get("panel") or str(index // 20) for index, row in enumerate(rows)]
    return [row["file"] for row in rows], site, panels
