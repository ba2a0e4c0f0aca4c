from __future__ import annotations

import numpy as np
import pytest

from evidence.weights import load_cell_model
from grading.el.net import CellModel
from simulators.el_render import CellSpec, ModuleStyle, render_cell
from simulators.el_render.dataset import CellSet, rendered_set
from simulators.el_render.spec import AreaSpec, CrackSpec, TextureSpec

STYLE = ModuleStyle(busbars=3, noise=0.005, crowding=0.02)
SHADED = TextureSpec(seed=3, gradient=(0.05, -0.05))


@pytest.fixture(scope="session")
def model() -> CellModel:
    """The network that ships."""
    loaded = load_cell_model()
    if loaded is None:
        pytest.skip("no weights in grading/el/weights")
    return loaded


@pytest.fixture(scope="session")
def rendered() -> CellSet:
    """Cells that no training saw: a seed of its own."""
    return rendered_set(360, seed=9_001)


@pytest.fixture
def picture():
    """Render one mono cell with the given cracks and areas, at bright level 1."""

    def make(*, cracks=(), areas=(), style=STYLE, level=1.0, seed=5, side=160):
        spec = CellSpec(texture=SHADED, cracks=cracks, areas=areas, level=level, seed=seed)
        return render_cell(spec, style, side=side)

    return make


def crack(length: float, *, contrast: float = 0.5, start=(0.12, 0.1), angle=0.8) -> CrackSpec:
    """A straight crack."""
    end = (start[0] + length * np.cos(angle), start[1] + length * np.sin(angle))
    points = tuple(
        (float(x), float(y)) for x, y in zip(*np.linspace(start, end, 12).T, strict=True)
    )
    return CrackSpec(points=points, width=0.012, contrast=contrast)


def rectangle(x0: float, y0: float, x1: float, y1: float, level: float) -> AreaSpec:
    """An area with less light."""
    return AreaSpec(polygon=((x0, y0), (x1, y0), (x1, y1), (x0, y1)), level=level)


@pytest.fixture
def make_crack():
    return crack


@pytest.fixture
def make_rectangle():
    return rectangle
