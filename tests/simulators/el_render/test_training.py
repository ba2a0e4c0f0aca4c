"""Sets, scores and splits; and, where PyTorch is installed, training that resumes and exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.el_render.dataset import as_bytes, rendered_set
from simulators.el_render.finetune import joined, split_by_panel, without_masks
from simulators.el_render.scores import auc, overlap, score_of
from simulators.el_render.spec import Label
from simulators.el_render.training import UNKNOWN, TrainingPlan, vary


def test_a_set_is_cached_and_read_back(tmp_path: Path) -> None:
    made = rendered_set(6, seed=4, cache=tmp_path)
    again = rendered_set(6, seed=4, cache=tmp_path)
    fresh = rendered_set(6, seed=4)
    for other in (again, fresh):
        np.testing.assert_array_equal(made.images, other.images)
        np.testing.assert_array_equal(made.labels, other.labels)
    assert (rendered_set(6, seed=5).images != made.images).any()


def test_defective_means_that_damage_is_marked() -> None:
    cells = rendered_set(40, seed=8)
    marked = np.isin(cells.labels, (Label.CRACK, Label.INACTIVE)).any(axis=(1, 2))
    np.testing.assert_array_equal(cells.defective, marked)
    assert 0.2 < cells.defective.mean() < 0.8


def test_cached_pictures_keep_one_bright_level() -> None:
    stack = np.random.default_rng(2).uniform(0.5, 1, (4, 160, 160)).astype(np.float32)
    once, again = as_bytes(stack).astype(int), as_bytes(stack * 37).astype(int)
    assert np.abs(once - again).max() <= 1


@given(
    st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30).filter(
        lambda pairs: len({flag for flag, _ in pairs}) == 2
    )
)
def test_auc_counts_pairs(pairs: list[tuple[bool, int]]) -> None:
    defective = np.array([flag for flag, _ in pairs])
    score = np.array([value for _, value in pairs], float)
    above = score[defective][:, None] - score[~defective][None]
    expected = ((above > 0) + 0.5 * (above == 0)).mean()
    assert auc(defective, score) == pytest.approx(expected)


def test_auc_of_one_kind_is_unknown() -> None:
    assert auc(np.ones(3, bool), np.arange(3)) is None
    assert score_of(np.ones(3, bool), np.array([1.0, 1.0, -1.0])).accuracy == pytest.approx(2 / 3)


def test_overlap() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert overlap(a, b) == 1
    a[:2], b[1:3] = True, True
    assert overlap(a, b) == pytest.approx(1 / 3)


@given(st.lists(st.sampled_from("ABCDEFG"), min_size=1, max_size=60), st.floats(0.05, 0.6))
def test_no_panel_is_on_both_sides(panels: list[str], share: float) -> None:
    kept, held = split_by_panel(panels, share)
    assert sorted(kept + held) == list(range(len(panels)))
    assert not {panels[index] for index in kept} & {panels[index] for index in held}
    assert len(held) >= share * len(panels)


def test_a_sites_cells_have_unknown_masks() -> None:
    cells = rendered_set(4, seed=6)
    both = joined(without_masks(cells), cells)
    assert (both.labels[:4] == UNKNOWN).all()
    np.testing.assert_array_equal(both.labels[4:], cells.labels)
    assert len(both.defective) == 8


def test_variation_moves_picture_and_truth_together() -> None:
    rng = np.random.default_rng(3)
    labels = np.zeros((30, 160, 160), np.uint8)
    labels[:, 20:40, 100:150] = 1
    images = np.where(labels == 1, 200, 50).astype(np.uint8)
    seen, truth = vary(rng, images, labels, 0.5)
    for cell, mask in zip(seen, truth, strict=True):
        assert cell[mask == 1].min() > cell[mask == 0].max()
    assert len({mask.tobytes() for mask in truth}) > 3


def test_training_resumes_and_exports_what_opencv_runs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="training needs the extra `train`")
    pytest.importorskip("onnx", reason="training needs the extra `train`")
    from grading.el.net import CellModel
    from simulators.el_render.training import export_onnx, import_onnx, train

    cells = rendered_set(8, seed=3)
    plan = TrainingPlan(epochs=2, batch=4)
    straight = train(cells, plan, folder=tmp_path / "straight", report=lambda line: None)
    resumed = tmp_path / "resumed"

    class BrokenOffError(Exception):
        pass

    def stop(line: str) -> None:
        raise BrokenOffError

    with pytest.raises(BrokenOffError):
        train(cells, plan, folder=resumed, report=stop)
    again = train(cells, plan, folder=resumed, report=lambda line: None)
    first = torch.from_numpy(cells.cells[:, None])
    with torch.no_grad():
        logit = straight(first)[1][:, 0].numpy()
        np.testing.assert_allclose(again(first)[1][:, 0].numpy(), logit, rtol=0.2, atol=0.05)
    export_onnx(straight, tmp_path / "cells.onnx")
    graph = (tmp_path / "cells.onnx").read_bytes()
    found = CellModel.from_bytes(graph).predict(cells.cells)
    np.testing.assert_allclose(found.logit, logit, atol=1e-3)
    with torch.no_grad():
        back = import_onnx(graph).eval()(first)[1][:, 0].numpy()
    np.testing.assert_allclose(back, logit, atol=1e-3)
