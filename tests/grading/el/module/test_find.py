"""The grid is found without hints, on every layout and disturbance, to below 1% of a cell."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from grading.el.correction import correct
from grading.el.find import find_grid, finding_size
from grading.el.grid import Grid
from grading.values import ELImage
from simulators.el_module import LAYOUTS, Camera, draw_camera, draw_module, take_photo


def grid_of(photo, *, frames=False) -> Grid:
    image = ELImage(
        pixels=photo.pixels,
        dark=photo.dark if frames else None,
        flat=photo.flat if frames else None,
    )
    corrected = correct(image)
    small, factor = finding_size(corrected.signal)
    return find_grid(small, corrected.noise * factor, corrected.step).scaled(1 / factor)


def error(grid: Grid, photo) -> float:
    """Mean corner error over a cell's width (the shorter side)."""
    truth = photo.polygons
    side = min(
        np.linalg.norm(truth[:, :, 1] - truth[:, :, 0], axis=-1).mean(),
        np.linalg.norm(truth[:, :, 3] - truth[:, :, 0], axis=-1).mean(),
    )
    return float(np.linalg.norm(grid.polygons() - truth, axis=-1).mean() / side)


def assert_found(photo, **options) -> None:
    grid = grid_of(photo, **options)
    assert (grid.rows.cells, grid.columns.cells) == (photo.rows, photo.columns)
    assert error(grid, photo) < 0.01


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout[0]}x{layout[1]}")
def test_every_layout(shoot, layout):
    assert_found(shoot(layout, k1=-0.05, roll=0.05, tilt=(0.05, -0.04)))


@pytest.mark.parametrize("dark", [(0, 1), (4, 5), (2, 3), (0, 1, 2, 3)], ids=str)
@pytest.mark.parametrize("layout", [(6, 10, False), (6, 20, True)], ids=["full", "half"])
def test_dark_strings_keep_their_cells(shoot, layout, dark):
    assert_found(shoot(layout, dark=dark, k1=-0.03, roll=-0.08))


@pytest.mark.parametrize(("gap", "seed"), [(0.03, 0), (0.03, 3), (0.05, 2)])
def test_a_narrow_middle_gap_is_seen(gap, seed):
    """A gap that no comb tells from the others moves half of the cells."""
    rng = np.random.default_rng(seed)
    layout = (6, 20, True) if seed % 2 else (6, 24, True)
    module = replace(draw_module(rng, layout=layout, kinds=8), middle_gap=gap)
    assert_found(take_photo(module, draw_camera(rng)))


def test_bright_gaps_between_black_cells():
    """Deep in the dark the back sheet scatters more light than the cells give."""
    rng = np.random.default_rng(4)
    module = draw_module(rng, layout=(8, 12, False), kinds=8, dark_rows=frozenset({0, 1}))
    photo = take_photo(replace(module, dark_level=0.0), Camera(roll=0.05))
    seams = np.zeros(photo.pixels.shape, np.uint16)
    cells = np.rint(photo.polygons[:2].reshape(-1, 4, 2)).astype(np.int32)
    cv2.polylines(seams, list(cells), isClosed=True, color=100, thickness=2)
    assert_found(replace(photo, pixels=photo.pixels + seams))


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("layout", [(6, 10, False), (6, 24, True)], ids=["full", "half"])
def test_quarter_turns(shoot, layout, turns):
    assert_found(shoot(layout, quarter_turns=turns, roll=0.06))


@pytest.mark.parametrize("roll", [-0.26, 0.26])
def test_fifteen_degrees(shoot, roll):
    assert_found(shoot((6, 12, False), roll=roll, tilt=(0.1, 0.1)))


@pytest.mark.parametrize("bits", [8, 16])
def test_dim_picture_of_few_bits(shoot, bits):
    assert_found(shoot((6, 10, False), exposure=0.12, bits=bits, dark_level=0.03))


def test_frames_are_used(shoot):
    assert_found(shoot((8, 12, False), vignetting=0.45), frames=True)


def test_a_calibrated_lens_is_believed(shoot):
    """The term of the calibration stands, and the rest of the view is fitted with it."""
    photo = shoot((4, 9, False), k1=-0.08, roll=0.05)
    k1 = -0.08 / Camera().focal ** 2  # per squared long side
    corrected = correct(ELImage(pixels=photo.pixels))
    small, factor = finding_size(corrected.signal)
    noise = corrected.noise * factor
    alone = find_grid(small, noise, corrected.step)
    told = find_grid(small, noise, corrected.step, k1)
    assert abs(told.view.k1 - k1) < min(5e-4, abs(alone.view.k1 - k1))
    assert error(told.scaled(1 / factor), photo) < 0.01


def test_large_picture(shoot):
    assert_found(shoot((6, 10, False), width=3600, height=2400, blur=1.6))


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a picture costs too much to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    layout=st.sampled_from(LAYOUTS),
    seed=st.integers(2, 5),
    camera=st.fixed_dictionaries(
        {
            "tilt": st.tuples(st.floats(-0.12, 0.12), st.floats(-0.12, 0.12)),
            "roll": st.floats(-0.26, 0.26),
            "quarter_turns": st.integers(0, 3),
            "k1": st.floats(-0.1, 0.03),
            "vignetting": st.floats(0.0, 0.45),
            "glow": st.floats(0.0, 0.04),
            "exposure": st.floats(0.2, 0.85),
            "blur": st.floats(0.5, 1.0),
            "fill": st.floats(0.72, 0.86),
        }
    ),
)
def test_any_view(shoot, layout, seed, camera):
    assert_found(shoot(layout, seed=seed, **camera))


def test_turned_and_mirrored_pictures_agree(shoot):
    photo = shoot((6, 12, False), dark=(4, 5), k1=-0.05, roll=0.04)
    grid = grid_of(photo)
    height, width = photo.pixels.shape
    cell = min(grid.cell_size())
    for pixels, back in (
        (np.rot90(photo.pixels, 2), lambda p: np.array([width - 1, height - 1]) - p),
        (photo.pixels[:, ::-1], lambda p: np.array([width - 1, 0]) + p * [-1, 1]),
        (np.rot90(photo.pixels), lambda p: np.stack((width - 1 - p[..., 1], p[..., 0]), -1)),
    ):
        corrected = correct(ELImage(pixels=np.ascontiguousarray(pixels)))
        turned = find_grid(corrected.signal, corrected.noise, corrected.step)
        centres = back(turned.polygons().mean(axis=2).reshape(-1, 2))
        ours = grid.polygons().mean(axis=2).reshape(-1, 2)
        apart = np.linalg.norm(centres[:, None] - ours[None], axis=-1).min(axis=1)
        assert len(centres) == len(ours)
        assert apart.max() < 0.01 * cell


def test_parts_cut_off_along_a_side_do_not_move_it():
    """Seven of ten cells of the edge row are dark beyond their first busbar."""
    module = draw_module(np.random.default_rng(8), layout=(6, 10, False), kinds=10)
    style = replace(module.style, busbars=2, busbar_width=0.014, busbar_level=0.6)
    sound = replace(module.cells[0], cracks=(), areas=(), strips=(1.0, 1.0), level=1.0)
    cut_off = replace(sound, strips=(0.05, 1.0), strip_rise=30.0)
    edge = tuple(sound if column in (1, 4, 8) else cut_off for column in range(10))
    assert_found(
        take_photo(
            replace(module, style=style, cells=edge + (sound,) * 50), Camera(roll=0.03, k1=-0.04)
        )
    )
