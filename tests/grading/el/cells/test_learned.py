"""The shipped network on rendered cells of known truth, none of which it was trained on."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.weights import load_cell_model
from grading.el.cell_marks import CRACK
from grading.el.cells import judge_single
from simulators.el_render import CellSpec, ModuleStyle, render_cell
from simulators.el_render.dataset import CellSet
from simulators.el_render.draw import draw_texture
from simulators.el_render.scores import auc, overlap
from simulators.el_render.spec import CrackSpec, Wafer

SYNTH = Path(__file__).parents[5] / "shared" / "data" / "el" / "synth_cells"
ARTEFACTS = Path(__file__).parents[4] / "grading" / "el" / "weights"


@pytest.fixture(scope="module")
def judged(rendered: CellSet, model):
    return judge_single(list(rendered.cells), model=model)


def test_rendered_damage_is_found(rendered: CellSet, judged) -> None:
    score = auc(rendered.defective, judged.defect_probability)
    assert score is not None
    assert score > 0.94
    assert ((judged.defect_probability > 0.5) == rendered.defective).mean() > 0.87


def test_dead_area_on_rendered_cells(rendered: CellSet, judged) -> None:
    error = np.abs(judged.inactive_fraction - rendered.inactive_fraction)
    assert error.mean() < 0.012
    assert np.median(error) < 0.002


def test_cracks_lie_where_they_were_drawn(rendered: CellSet, judged) -> None:
    assert overlap(judged.labels == CRACK, rendered.labels == CRACK) > 0.4


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    wafer=st.sampled_from(list(Wafer)),
    angle=st.floats(0.5, 1.1),
    contrast=st.floats(0.3, 0.8),
)
def test_a_longer_crack_is_never_less_likely(
    seed: int, wafer: Wafer, angle: float, contrast: float
) -> None:
    model = load_cell_model()
    if model is None:
        pytest.skip("no weights in grading/el/weights")
    style = ModuleStyle(wafer=wafer, noise=0.006)
    texture = draw_texture(np.random.default_rng(seed), wafer)
    cells = []
    for length in (0.0, 0.2, 0.4, 0.6, 0.8):
        ends = ((0.1, 0.1), (0.1 + length * np.cos(angle), 0.1 + length * np.sin(angle)))
        cracks = (CrackSpec(points=ends, width=0.011, contrast=contrast),) if length else ()
        spec = CellSpec(texture=texture, cracks=cracks, seed=seed)
        cells.append(render_cell(spec, style).image)
    probability = judge_single(cells, model=model).defect_probability
    assert (np.diff(probability) > -0.15).all()
    assert probability[-1] > probability[0]


def test_mirrored_and_turned_cells_agree(rendered: CellSet, model) -> None:
    cells = rendered.cells[:90]
    base = judge_single(list(cells), model=model).defect_probability
    for view in (cells[:, ::-1], cells[:, :, ::-1], cells[:, ::-1, ::-1], cells.swapaxes(1, 2)):
        found = judge_single(list(view), model=model).defect_probability
        assert ((found > 0.5) == (base > 0.5)).mean() > 0.97
        assert np.abs(found - base).mean() < 0.05


def test_the_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in ARTEFACTS.glob("*.onnx")) < 5_000_000


@pytest.mark.skipif(not SYNTH.is_dir(), reason="needs ../shared/data/el/synth_cells")
def test_the_shared_rendered_cells(model) -> None:
    """Sixty cells of another renderer, with masks: neither trained nor tuned on."""
    with (SYNTH / "labels.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    images = [cv2.imread(str(SYNTH / row["file"]), cv2.IMREAD_GRAYSCALE) for row in rows]
    found = judge_single(images, model=model)
    defective = np.array([row["defective"] == "1" for row in rows])
    inactive = np.array([float(row["inactive_frac"]) for row in rows])
    assert ((found.defect_probability > 0.5) == defective).mean() > 0.93
    assert np.abs(found.inactive_fraction - inactive).mean() < 0.006
