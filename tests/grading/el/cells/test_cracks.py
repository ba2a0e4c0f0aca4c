"""Thinning and following of crack lines, against lines of known length."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.el.cell_cracks import thin, trace_cracks
from grading.el.cell_stack import SIDE


def drawn(points: list[tuple[float, float]], thickness: int = 3) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    pixels = np.rint(np.asarray(points) * SIDE - 0.5).astype(np.int32)
    cv2.polylines(mask, [pixels.reshape(-1, 1, 2)], False, 1, thickness)
    return mask


@settings(max_examples=40, deadline=None)
@given(
    angle=st.floats(0, np.pi),
    length=st.floats(0.2, 0.8),
    thickness=st.integers(1, 5),
)
def test_a_straight_crack_keeps_its_length(angle: float, length: float, thickness: int) -> None:
    reach = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(0.5 - reach), tuple(0.5 + reach)]
    (cracks,) = trace_cracks(drawn(ends, thickness)[None])
    assert len(cracks) == 1
    assert cracks[0].length == pytest.approx(length, abs=0.03 + 0.01 * thickness)
    found = sorted([cracks[0].points[0], cracks[0].points[-1]])
    assert np.abs(np.array(found) - np.array(sorted(ends))).max() < 0.04 + 0.01 * thickness


@settings(max_examples=25, deadline=None)
@given(
    points=st.lists(
        st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)), min_size=2, max_size=6
    ),
    thickness=st.integers(1, 6),
)
def test_thinning_keeps_every_part_and_adds_none(
    points: list[tuple[float, float]], thickness: int
) -> None:
    mask = drawn(points, thickness)
    thinned = thin(mask[None])[0]
    assert not (thinned & ~mask & 1).any()
    parts = cv2.connectedComponents(mask, connectivity=8)[0]
    assert cv2.connectedComponents(thinned, connectivity=8)[0] == parts
    assert thinned.sum() <= mask.sum()


def test_thinning_runs_on_cells_apart() -> None:
    """A crack at the lower edge of one cell must not join one at the top of the next."""
    first, second = drawn([(0.5, 0.8), (0.5, 0.999)]), drawn([(0.5, 0.0), (0.5, 0.2)])
    together = thin(np.stack([first, second]))
    alone = [thin(mask[None])[0] for mask in (first, second)]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_branches_are_separate_cracks() -> None:
    mask = drawn([(0.1, 0.5), (0.9, 0.5)]) | drawn([(0.5, 0.5), (0.5, 0.9)])
    (cracks,) = trace_cracks(mask[None])
    assert len(cracks) == 2
    assert sum(crack.length for crack in cracks) == pytest.approx(1.2, abs=0.08)


@pytest.mark.parametrize(("stop", "crosses"), [(0.9, True), (0.3, False)])
def test_crossing_a_busbar_is_seen(stop: float, crosses: bool) -> None:
    busbars = np.zeros((1, SIDE), bool)
    busbars[0, 78:82] = True
    (cracks,) = trace_cracks(drawn([(0.4, 0.1), (0.5, stop)])[None], busbars)
    assert [crack.crosses_busbar for crack in cracks] == [crosses]


def test_no_crack_is_an_empty_tuple() -> None:
    assert trace_cracks(np.zeros((2, SIDE, SIDE), np.uint8)) == ((), ())
