"""The renderer keeps its word: same arguments, same picture; truth lies where light is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.el_render import CellSpec, ModuleStyle, draw_cell, draw_style, render_cell
from simulators.el_render.cell import RenderedCell
from simulators.el_render.draw_cracks import crack_pattern
from simulators.el_render.spec import AreaSpec, CrackSpec, FingerSpec, Label, Wafer

FLAT = ModuleStyle(busbars=3, noise=0.0, blur=0.002, glare=0.0, crowding=0.0, margin=0.02)


def random_cell(seed: int, side: int = 96, *, defective: bool | None = None) -> RenderedCell:
    rng = np.random.default_rng(seed)
    style = draw_style(rng)
    return render_cell(draw_cell(rng, style, defective=defective), style, side=side)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), side=st.sampled_from([80, 160, 233]))
def test_every_cell_is_a_picture_with_labels(seed: int, side: int) -> None:
    cell = random_cell(seed, side)
    assert cell.image.shape == cell.labels.shape == (side, side)
    assert cell.image.dtype == np.float32
    assert np.isfinite(cell.image).all()
    assert cell.image.min() >= 0
    assert cell.labels.max() <= Label.OUTSIDE
    assert 0 <= cell.inactive_fraction <= 1
    assert 0 <= cell.damage <= 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_rendering_is_pure(seed: int) -> None:
    once, again = random_cell(seed), random_cell(seed)
    np.testing.assert_array_equal(once.image, again.image)
    np.testing.assert_array_equal(once.labels, again.labels)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_sound_cell_has_no_damage(seed: int) -> None:
    cell = random_cell(seed, defective=False)
    assert not np.isin(cell.labels, (Label.CRACK, Label.INACTIVE)).any()
    assert cell.damage == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damage_does_not_hang_on_the_size_of_the_picture(seed: int) -> None:
    """The curve and the picture of a panel, rendered at two sizes, tell of the same lost area."""
    small, large = (random_cell(seed, side, defective=True) for side in (48, 160))
    assert small.damage == pytest.approx(large.damage, abs=0.05)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damage_takes_light_where_the_truth_says(seed: int) -> None:
    """The same cell without its defects is brighter there, and the same elsewhere."""
    rng = np.random.default_rng(seed)
    style = replace(draw_style(rng), noise=0.0, glare=0.0, blur=0.0005, gamma=1.0)
    spec = replace(draw_cell(rng, style, defective=True), shift=(0.0, 0.0), turn=0.0)
    harmed = render_cell(spec, style, side=160, optics=False)
    sound = render_cell(replace(spec, cracks=(), areas=()), style, side=160, optics=False)
    ratio = harmed.image / np.maximum(sound.image, 1e-6)
    hurt = np.isin(harmed.labels, (Label.CRACK, Label.INACTIVE))
    assert (ratio <= 1.0001).all() or harmed.labels.max() == Label.OUTSIDE
    if hurt.sum() > 20 and not np.allclose(ratio[hurt], 1):
        assert ratio[hurt].mean() < ratio[~hurt].mean()


def test_an_area_has_its_size_and_level() -> None:
    area = AreaSpec(polygon=((0.3, 0.2), (0.7, 0.2), (0.7, 0.45), (0.3, 0.45)), level=0.1)
    style = replace(FLAT, busbars=0)
    cell = render_cell(CellSpec(areas=(area,)), style, side=200)
    assert cell.inactive_fraction == pytest.approx(0.4 * 0.25 / 0.96**2, rel=0.05)
    assert np.median(cell.image[cell.labels == Label.INACTIVE]) == pytest.approx(0.1, abs=0.02)


def test_cracks_cut_off_the_corner_they_enclose() -> None:
    crack = CrackSpec(points=((0.0, 0.1), (0.1, 0.0)), width=0.015)
    area = AreaSpec(seed=(0.03, 0.04), level=0.1)
    style = replace(FLAT, margin=0.0)
    cell = render_cell(CellSpec(cracks=(crack,), areas=(area,)), style, side=160)
    assert cell.labels[3, 3] == Label.INACTIVE
    assert cell.inactive_fraction == pytest.approx(0.005, abs=0.002)


def test_an_open_crack_cuts_nothing_off() -> None:
    crack = CrackSpec(points=((0.2, 0.5), (0.8, 0.5)), width=0.015)
    area = AreaSpec(seed=(0.5, 0.55), level=0.1)
    style = replace(FLAT, busbars=0)
    cell = render_cell(CellSpec(cracks=(crack,), areas=(area,)), style, side=160)
    assert cell.inactive_fraction == 0


def test_a_longer_crack_takes_more_light() -> None:
    lengths = np.linspace(0.1, 0.8, 6)
    cells = [
        render_cell(
            CellSpec(cracks=(CrackSpec(points=((0.1, 0.3), (0.1 + length, 0.3))),)), FLAT, side=160
        )
        for length in lengths
    ]
    assert (np.diff([cell.damage for cell in cells]) > 0).all()
    assert (np.diff([cell.crack_pixels for cell in cells]) > 0).all()


def test_busbars_and_corners_are_marked() -> None:
    style = replace(FLAT, busbars=4, corner=0.1)
    cell = render_cell(CellSpec(), style, side=160)
    starts = np.diff((cell.labels[:, 80] == Label.BUSBAR).astype(int)) == 1
    assert starts.sum() == 4
    assert cell.labels[6, 6] == Label.OUTSIDE
    assert cell.labels[80, 6] != Label.OUTSIDE


def test_an_interrupted_finger_is_marked_and_harmless() -> None:
    finger = FingerSpec(x=0.4, y0=0.2, y1=0.45, contrast=0.3, width=0.012)
    cell = render_cell(CellSpec(fingers=(finger,)), FLAT, side=160)
    y, x = np.nonzero(cell.labels == Label.FINGER)
    assert 0.2 * 160 - 3 < y.min() < y.max() < 0.45 * 160 + 3
    assert np.abs(x - 0.4 * 160).max() < 3
    assert cell.damage == 0


def test_size_changes_the_sampling_alone() -> None:
    small, large = (
        render_cell(CellSpec(cracks=(CrackSpec(points=((0.1, 0.1), (0.9, 0.6))),)), FLAT, side=side)
        for side in (160, 320)
    )
    halved = large.image.reshape(160, 2, 160, 2).mean(axis=(1, 3))
    assert np.abs(halved - small.image).mean() < 0.02


def directions(style: ModuleStyle) -> np.ndarray:
    rng = np.random.default_rng(5)
    lines = [crack.points for _ in range(200) for crack in crack_pattern(rng, style)]
    ends = np.array([np.subtract(line[-1], line[0]) for line in lines])
    return np.degrees(np.arctan2(ends[:, 1], ends[:, 0])) % 90


def test_mono_cracks_run_along_the_crystal() -> None:
    """±45° to the busbars for most in mono; no such rule in multi."""
    near = [
        (np.abs(directions(ModuleStyle(wafer=wafer)) - 45) < 15).mean()
        for wafer in (Wafer.MONO, Wafer.MULTI)
    ]
    assert near[0] > 0.6
    assert near[1] < 0.5
