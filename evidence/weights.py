"""The cell network that ships with the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from grading.el.net import CellModel


@cache
def load_cell_model() -> CellModel | None:
    """The shipped network, or None where the package holds none (classical measures remain)."""
    folder = files("grading.el") / "weights"
    net, head = folder / "cells.onnx", folder / "cells_head.onnx"
    if not net.is_file():
        return None
    return CellModel.from_bytes(net.read_bytes(), head.read_bytes() if head.is_file() else None)
