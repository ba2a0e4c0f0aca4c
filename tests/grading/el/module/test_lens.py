"""The view's algebra holds for any lens and plane."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grading.el.lens import View, dense_map, from_unit_square, normalise, straighten

near = st.floats(-0.15, 0.15)
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@given(shifts=st.lists(near, min_size=8, max_size=8), k1=st.floats(-0.2, 0.2))
def test_corners_go_where_they_should(shifts, k1):
    corners = (SQUARE - 0.5) * 0.6 + np.reshape(shifts, (4, 2)) * 0.5
    view = View(homography=from_unit_square(corners), k1=k1, centre=(700.0, 500.0), scale=1400.0)
    seen = normalise(view.project(SQUARE), view.centre, view.scale)
    np.testing.assert_allclose(straighten(seen, k1), corners, atol=1e-5)


@given(factor=st.floats(0.1, 3.0), k1=st.floats(-0.2, 0.2))
def test_resizing_moves_pixel_centres(factor, k1):
    view = View(homography=np.eye(3), k1=k1, centre=(10.0, 20.0), scale=100.0)
    points = np.array([[0.1, 0.2], [-0.3, 0.4]])
    expected = (view.project(points) + 0.5) * factor - 0.5
    np.testing.assert_allclose(view.scaled(factor).project(points), expected, atol=1e-9)


def test_dense_map_is_exact_on_planes():
    y, x = np.mgrid[0:5, 0:4].astype(float)
    nodes = np.stack((3 * x + y, 2 * y - x), axis=-1)
    dense = dense_map(nodes, 41, 31)
    assert dense.shape == (41, 31, 2)
    np.testing.assert_allclose(dense[::10, ::10], nodes, atol=1e-4)
    np.testing.assert_allclose(np.diff(dense[..., 0], axis=1), 0.3, atol=1e-4)


@given(shifts=st.lists(near, min_size=8, max_size=8), k1=st.floats(-0.2, 0.2))
def test_derivatives_are_those_of_the_projection(shifts, k1):
    corners = (SQUARE - 0.5) * 0.6 + np.reshape(shifts, (4, 2)) * 0.5
    homography = from_unit_square(corners)
    points, step = np.array([[0.1, 0.2], [0.7, 0.4]]), 1e-6

    def seen(change):
        flat = homography.reshape(-1) + np.append(change[2:10], 0.0)
        view = View(
            homography=flat.reshape(3, 3), k1=k1 + change[10], centre=(9.0, 5.0), scale=100.0
        )
        return view, view.project(points + change[:2])

    view, middle = seen(np.zeros(11))
    by_plane, by_view = view.derivatives(points)
    moved = [(seen(step * row)[1] - seen(-step * row)[1]) / (2 * step) for row in np.eye(11)]
    expected = np.stack(moved, axis=-1)
    assert middle.shape == points.shape
    np.testing.assert_allclose(by_plane, expected[..., :2], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_view, expected[..., 2:], rtol=1e-4, atol=1e-4)
