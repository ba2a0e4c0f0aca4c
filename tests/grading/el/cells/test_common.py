"""What a module's cells have in common is no damage; what one of them has alone is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from grading.el.cell_common import LEAST_CELLS, without_common_marks
from simulators.el_render import CellSpec, ModuleStyle, render_cell
from simulators.el_render.spec import AreaSpec, TextureSpec

PADS = ModuleStyle(busbars=3, end_pads=0.05, busbar_level=0.3, noise=0.005)
HOLE = AreaSpec(polygon=((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6)), level=0.1)
NO_ROWS = np.zeros((20, 160), bool)


def module(broken: int) -> np.ndarray:
    cells = []
    for index in range(20):
        areas = (HOLE,) if index < broken else ()
        spec = CellSpec(texture=TextureSpec(seed=index), areas=areas, seed=index)
        cells.append(render_cell(spec, PADS).image)
    return np.stack(cells)


def test_pads_of_every_cell_vanish_and_one_cells_hole_stays() -> None:
    cells = module(broken=1)
    seen = without_common_marks(cells, NO_ROWS, np.zeros(20, bool))
    pad = np.s_[:, 78:82, 7:9]
    assert cells[pad].mean() < 0.5
    assert seen[pad].mean() > 0.8
    assert seen[0, 70:90, 70:90].mean() < 0.2
    np.testing.assert_array_equal(seen[1:, 60:100, 60:100], cells[1:, 60:100, 60:100])


def test_few_cells_have_no_say() -> None:
    cells = module(broken=20)[: LEAST_CELLS - 1]
    rows, dark = NO_ROWS[: len(cells)], np.zeros(len(cells), bool)
    assert without_common_marks(cells, rows, dark) is cells


def test_dark_cells_have_no_say() -> None:
    """A bypassed substring must not make the others' darkness look usual."""
    cells = module(broken=0)
    cells[:11, 40:60, 40:60] = 0.05
    dark = np.arange(20) < 11
    seen = without_common_marks(cells, NO_ROWS, dark)
    np.testing.assert_array_equal(seen[:, 40:60, 40:60], cells[:, 40:60, 40:60])


def test_busbars_stay() -> None:
    style = replace(PADS, end_pads=0.0)
    cells = np.stack([render_cell(CellSpec(seed=index), style).image for index in range(20)])
    rows = NO_ROWS.copy()
    rows[:, 76:84] = True
    seen = without_common_marks(cells, rows, np.zeros(20, bool))
    np.testing.assert_array_equal(seen[:, 76:84], cells[:, 76:84])
