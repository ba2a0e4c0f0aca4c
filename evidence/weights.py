"""The cell network that ships with the package, or a site's own."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from grading.el.net import CellModel


@cache
def load_cell_model(folder: Path | None = None) -> CellModel | None:
    """The network in ``folder`` (as ``zonkeur train-el`` leaves it), or the shipped one.

    None where the package holds none: classical measures remain.
    """
    graph = shipped_net() if folder is None else (folder / "cells.onnx").read_bytes()
    return None if graph is None else CellModel.from_bytes(graph)


def shipped_net() -> bytes | None:
    """The ONNX graph that ships with the package."""
    net = files("grading.el") / "weights" / "cells.onnx"
    return net.read_bytes() if net.is_file() else None
