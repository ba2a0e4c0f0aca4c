"""What a judgement must keep to, with the network and without it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from grading.el.cells import CellJudgements, judge_cells, judge_single
from grading.el.net import CellModel
from grading.errors import ImageError
from grading.values import CellClass

BUSBARS_CAN_BE_ANYWHERE = [(), (0,), (1,), (0, 1)]


@pytest.fixture(params=["classical", "network"])
def either(request: pytest.FixtureRequest) -> CellModel | None:
    """Judge by classical measures, and by the network."""
    return None if request.param == "classical" else request.getfixturevalue("model")


def test_a_sound_cell_is_sound(picture, either) -> None:
    found = judge_cells(picture().image[None], model=either)
    assert found.defect_probability[0] < 0.3
    assert found.inactive_fraction[0] == 0
    assert found.crack_length_fraction[0] == 0


def test_a_cracked_cell_is_cracked(picture, make_crack, either) -> None:
    found = judge_cells(picture(cracks=(make_crack(0.8),)).image[None], model=either)
    assert found.defect_probability[0] > 0.7
    assert found.cell_class[0] is CellClass.CRACK_A
    assert found.crack_length_fraction[0] == pytest.approx(0.8, abs=0.2)


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_dead_area_is_measured(picture, make_rectangle, either, level: float) -> None:
    cell = picture(areas=(make_rectangle(0.0, 0.0, 0.4, 0.3333, level),))
    found = judge_cells(cell.image[None], model=either)
    assert found.inactive_fraction[0] == pytest.approx(cell.inactive_fraction, abs=0.02)
    assert found.cell_class[0] in (CellClass.CRACK_C, CellClass.CONTACT)
    assert found.defect_probability[0] > 0.7


def test_a_dark_cell_is_dark(picture, either) -> None:
    stack = np.stack([picture().image, picture(level=0.03).image])
    found = judge_cells(stack, model=either)
    assert found.defect_probability[1] > 0.99
    assert found.cell_class[1] is CellClass.DARK
    assert found.inactive_fraction[1] == 1
    assert found.relative_intensity[1] < 0.1
    assert found.defect_probability[0] < 0.3


def test_a_dim_cell_is_found_against_its_module_alone(picture, either) -> None:
    dim = picture(level=0.42).image
    assert judge_cells(dim[None], model=either).defect_probability[0] > 0.8
    assert judge_single([dim], model=either).defect_probability[0] < 0.3


@pytest.mark.parametrize("axes", BUSBARS_CAN_BE_ANYWHERE)
def test_busbars_may_run_either_way(picture, make_crack, either, axes: tuple[int, ...]) -> None:
    image = np.flip(picture(cracks=(make_crack(0.7),)).image, axes)
    upright, lying = (judge_single([view], model=either) for view in (image.T, image))
    assert upright.defect_probability[0] == pytest.approx(lying.defect_probability[0], abs=0.02)
    np.testing.assert_array_equal(upright.labels[0], lying.labels[0].T)
    for found, other in zip(upright.cracks[0], lying.cracks[0], strict=True):
        assert found.points == tuple((y, x) for x, y in other.points)


def test_exposure_and_bit_depth_do_not_matter(picture, make_crack, either) -> None:
    image = picture(cracks=(make_crack(0.6),)).image / 1.6
    eight = np.clip(image * 255, 0, 255).astype(np.uint8)
    sixteen = np.clip(image * 30_000, 0, 65535).astype(np.uint16)
    found = judge_single([eight, sixteen, image * 7], model=either)
    np.testing.assert_allclose(found.defect_probability, found.defect_probability[0], atol=0.05)


def test_size_does_not_matter_much(picture, make_crack, either) -> None:
    sizes = [picture(cracks=(make_crack(0.8),), side=side).image for side in (160, 300, 512)]
    found = judge_single(sizes, model=either)
    assert (found.defect_probability > 0.7).all()
    assert np.ptp(found.crack_length_fraction) < 0.2


def test_cells_are_judged_apart(picture, make_crack, either) -> None:
    """A neighbour in the stack must not change a cell's answer: no panel gets another's verdict."""
    cells = [picture(seed=seed).image for seed in range(3)]
    cells[1] = picture(cracks=(make_crack(0.8),)).image
    together = judge_cells(np.stack(cells), model=either)
    for index, cell in enumerate(cells):
        alone = judge_cells(cell[None], model=either)
        assert alone.defect_probability[0] == pytest.approx(
            together.defect_probability[index], abs=1e-4
        )
        np.testing.assert_array_equal(alone.labels[0], together.labels[index])


def test_an_empty_stack_has_no_judgements(either) -> None:
    found = judge_cells(np.zeros((0, 160, 160), np.float32), model=either)
    assert len(found.defect_probability) == len(found.cell_class) == len(found.labels) == 0


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (np.zeros((300, 300), np.uint8), "no_cell"),
        (np.full((300, 300), 255, np.uint8), "no_cell"),
        (np.full((300, 300), np.nan, np.float32), "no_cell"),
        (np.zeros((300, 300, 3), np.uint8), "cell_shape"),
        (np.zeros((8, 8), np.uint8), "cell_shape"),
    ],
)
def test_what_holds_no_cell_is_refused(image: np.ndarray, code: str) -> None:
    with pytest.raises(ImageError) as refused:
        judge_single([image])
    assert refused.value.code == code
    assert refused.value.remedy


@pytest.mark.parametrize(
    "stack", [np.ones((2, 100, 160), np.float32), np.full((1, 160, 160), np.nan, np.float32)]
)
def test_a_stack_that_is_none_is_refused(stack: np.ndarray) -> None:
    with pytest.raises(ImageError, match="stack of cells"):
        judge_cells(stack)


def test_judgements_cannot_be_written_to(picture) -> None:
    found = judge_cells(picture().image[None])
    with pytest.raises(ValueError, match="read-only"):
        found.defect_probability[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0, 0, 0] = 1


@pytest.mark.parametrize("graph", [b"", b"not a graph", b"\x08\x07" * 50])
def test_a_broken_model_is_refused(graph: bytes) -> None:
    with pytest.raises(ImageError) as refused:
        CellModel.from_bytes(graph)
    assert refused.value.code == "model_invalid"


def test_one_model_serves_many_threads(model, rendered) -> None:
    stacks = [rendered.cells[start : start + 6] for start in range(0, 24, 6)]
    alone = [judge_cells(stack, model=model) for stack in stacks]
    with ThreadPoolExecutor(4) as pool:
        together: list[CellJudgements] = list(
            pool.map(lambda stack: judge_cells(stack, model=model), stacks)
        )
    for expected, found in zip(alone, together, strict=True):
        np.testing.assert_array_equal(expected.defect_probability, found.defect_probability)
