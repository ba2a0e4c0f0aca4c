"""One photograph in, every cell out; and the picture that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from grading.el import analyse, draw_overlay
from grading.values import CellClass, ELImage, ELLayout, Severity

MODULES = Path(__file__).parents[5] / "shared" / "data" / "el" / "modules"


@pytest.fixture(scope="module")
def photo(shoot):
    return shoot((6, 10, False), seed=3, dark=(4, 5), vignetting=0.3, k1=-0.04, roll=0.03)


@pytest.fixture(scope="module")
def result(photo):
    return analyse(ELImage(pixels=photo.pixels))


def codes(result) -> set[str]:
    return {finding.code for finding in result.findings}


def test_result_speaks_of_every_cell_in_order(photo, result):
    assert (result.layout.rows, result.layout.columns) == (6, 10)
    assert [(c.row, c.column) for c in result.cells] == list(np.ndindex(6, 10))
    np.testing.assert_allclose(result.corners, photo.corners, atol=0.8)
    np.testing.assert_allclose(result.cells[37].polygon, photo.polygons[3, 7], atol=0.8)


def test_vignetting_is_levelled_without_a_flat_field(photo, result):
    levels = np.array([c.relative_intensity for c in result.cells]).reshape(6, 10)
    sound = photo.levels[:4] > 0.5
    ratio = (levels[:4] / photo.levels[:4])[sound]
    assert np.std(ratio) / np.mean(ratio) < 0.1
    with_flat = analyse(ELImage(pixels=photo.pixels, dark=photo.dark, flat=photo.flat))
    flat_levels = np.array([c.relative_intensity for c in with_flat.cells]).reshape(6, 10)
    assert np.median(np.abs(levels - flat_levels)[:4]) < 0.05


def test_dark_substring_is_told(result):
    dark = next(f for f in result.findings if f.code == "substring_dark")
    assert dark.value == 1
    assert "rows 5, 6" in dark.detail
    assert all(c.cell_class is CellClass.DARK for c in result.cells[40:])
    risk = {f.code: f.value for f in result.findings if f.code.startswith("power_at_risk")}
    assert 1 / 3 <= risk["power_at_risk_now"] <= risk["power_at_risk_later"] <= 1


def test_busbars_are_counted(shoot):
    for busbars in (2, 3, 4, 5):
        photo = shoot((6, 10, False), seed=3, busbars=busbars)
        assert analyse(ELImage(pixels=photo.pixels)).layout.busbars == busbars


@pytest.mark.parametrize(
    ("rows", "columns", "agrees"), [(6, 10, True), (10, 6, True), (6, 12, False), (5, 12, False)]
)
def test_layout_is_checked_against_the_nameplate(photo, rows, columns, agrees):
    found = analyse(ELImage(pixels=photo.pixels), layout=ELLayout(rows=rows, columns=columns))
    assert ("layout_mismatch" not in codes(found)) == agrees
    severities = {f.severity for f in found.findings if f.code == "layout_mismatch"}
    assert severities <= {Severity.ERROR}


def test_quality_follows_blur_and_noise(shoot):
    good = analyse(ELImage(pixels=shoot((6, 10, False)).pixels)).quality
    soft = analyse(ELImage(pixels=shoot((6, 10, False), blur=1.8).pixels)).quality
    noisy = analyse(ELImage(pixels=shoot((6, 10, False), full_well=1500.0).pixels)).quality
    assert 0 < soft.sharpness < 0.75 * good.sharpness <= 1
    assert noisy.snr < 0.5 * good.snr
    assert good.saturated_fraction < 0.01


def test_noise_figure_is_that_of_the_camera(shoot):
    photo = shoot((6, 10, False), full_well=5000.0, exposure=0.6, vignetting=0.0)
    bright = 0.6 * np.median(photo.levels)
    expected = bright / np.hypot(np.sqrt(bright / 5000.0), 0.004)
    assert analyse(ELImage(pixels=photo.pixels)).quality.snr == pytest.approx(expected, rel=0.25)


def test_overlay_draws_cells_and_keeps_the_picture(photo, result):
    overlay = draw_overlay(ELImage(pixels=photo.pixels), result)
    assert overlay.shape == (*photo.pixels.shape, 3)
    assert overlay.dtype == np.uint8
    colourful = np.ptp(overlay.astype(int), axis=2) > 20
    drawn = np.zeros(photo.pixels.shape, np.uint8)
    for cell in result.cells:
        cv2.polylines(drawn, [np.rint(cell.polygon).astype(np.int32)], True, 1, 3)
    assert colourful[drawn == 1].mean() > 0.4
    far_outside = np.s_[:40, :40]
    assert not colourful[far_outside].any()


@pytest.mark.skipif(not MODULES.is_dir(), reason="needs ../shared/data/el/modules")
@pytest.mark.parametrize("frames", [False, True], ids=["alone", "frames"])
@pytest.mark.parametrize(
    "name", ["syn_00_6x10", "syn_01_6x20", "elpv_00_6x10", "elpv_01_6x10", "elpv_02_6x12"]
)
def test_given_modules(name, frames):
    truth = json.loads((MODULES / f"{name}.json").read_text())["meta"]
    read = {
        kind: cv2.imread(str(MODULES / f"{name}{suffix}.png"), cv2.IMREAD_UNCHANGED)
        for kind, suffix in (("pixels", ""), ("dark", "_dark"), ("flat", "_flat"))
        if frames or not suffix
    }
    found = analyse(ELImage(**read))
    assert (found.layout.rows, found.layout.columns) == (truth["rows"], truth["cols"])
    assert found.layout.busbars == truth["busbars"]
    grid = np.array(truth["grid"])[:, 0]
    polygons = np.array([cell.polygon for cell in found.cells])
    width = np.linalg.norm(grid[:, 1] - grid[:, 0], axis=-1).mean()
    assert np.linalg.norm(polygons - grid, axis=-1).mean() < 0.01 * width
