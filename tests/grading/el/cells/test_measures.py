"""Ridges, busbars and measures: what must and must not change them."""

from __future__ import annotations

import numpy as np
import pytest

from grading.el.cell_ridges import DIRECTIONS, find_ridges
from grading.el.cell_stack import INTERIOR, clean_cells, tall_image, untall
from simulators.el_render import ModuleStyle
from simulators.el_render.spec import busbar_positions


def test_a_tall_image_is_laid_out_and_back() -> None:
    stack = np.random.default_rng(1).random((3, 160, 160), np.float32)
    np.testing.assert_array_equal(untall(tall_image(stack)), stack)


@pytest.mark.parametrize("busbars", [2, 3, 4, 5])
def test_busbars_are_found_and_taken_out(picture, busbars: int) -> None:
    style = ModuleStyle(busbars=busbars, busbar_level=0.3, noise=0.004)
    cells = clean_cells(picture(style=style).image[None])
    rows = (busbar_positions(style) * 160).astype(int)
    assert cells.busbar_rows[0, rows].all()
    assert cells.clean[0][:, 20:-20][rows].min() > 0.8
    assert not cells.turned[0]


def test_a_cell_with_upright_busbars_is_turned(picture) -> None:
    image = picture().image
    cells = clean_cells(np.stack([image, image.T]))
    assert cells.turned.tolist() == [False, True]
    np.testing.assert_allclose(cells.cells[0], cells.cells[1], atol=1e-6)


def test_a_modules_cells_decide_on_their_direction_together(picture) -> None:
    bare = picture(style=ModuleStyle(busbars=0)).image
    stack = np.stack([picture(seed=1).image.T, picture(seed=2).image.T, bare])
    assert clean_cells(stack, of_one_module=True).turned.all()


@pytest.mark.parametrize("angle", np.arange(0, 180, 30))
def test_a_line_answers_strongest_in_its_own_direction(angle: int) -> None:
    y, x = np.mgrid[:160, :160].astype(np.float32) - 80
    across = y * np.cos(np.radians(angle)) - x * np.sin(np.radians(angle))
    cell = (1 - 0.4 * np.exp(-(across**2) / 2)).astype(np.float32)
    lines = find_ridges(cell[None]).lines[:, 0, 35:45, 35:45].max(axis=(1, 2))
    assert int(np.argmax(lines)) == angle * DIRECTIONS // 180


def test_ridges_do_not_see_exposure(picture, make_crack) -> None:
    clean = clean_cells(picture(cracks=(make_crack(0.6),)).image[None]).clean
    once, twice = find_ridges(clean), find_ridges(2 * clean)
    np.testing.assert_allclose(once.strength, twice.strength, atol=1e-4)


def test_interior_leaves_out_corners_and_rim() -> None:
    assert not INTERIOR[0].any()
    assert not INTERIOR[8, 8]
    assert INTERIOR[80, 80]
    np.testing.assert_array_equal(INTERIOR, INTERIOR.T)
