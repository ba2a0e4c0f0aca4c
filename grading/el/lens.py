"""A pinhole view of a plane through a lens with one radial term, and its inverse.

The plane's point ``(u, v)`` goes to ``q = H (u, v, 1)`` in units of the image's long side about
the image's centre; the lens moves it to ``q (1 + k1 |q|²)`` (Brown 1966, first radial term).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How the module's plane is seen.

    ``homography`` (3, 3) from plane to normalised image; ``k1`` radial term; ``centre`` [px];
    ``scale`` [px] is one normalised unit.
    """

    homography: Array
    k1: float
    centre: tuple[float, float]
    scale: float

    def project(self, points: Array) -> Array:
        """Return image pixels ``(..., 2)`` of plane points ``(..., 2)``."""
        h = self.homography
        u, v = points[..., 0], points[..., 1]
        depth = h[2, 0] * u + h[2, 1] * v + h[2, 2]
        x = (h[0, 0] * u + h[0, 1] * v + h[0, 2]) / depth
        y = (h[1, 0] * u + h[1, 1] * v + h[1, 2]) / depth
        stretch = (1.0 + self.k1 * (x * x + y * y)) * self.scale
        return np.stack((x * stretch + self.centre[0], y * stretch + self.centre[1]), axis=-1)

    def derivatives(self, points: Array) -> tuple[Array, Array]:
        """How the pixels of plane points ``(..., 2)`` move.

        Returns:
            By the plane's coordinates ``(..., 2, 2)``; by the first eight entries of the
            homography, its last one being 1, and ``k1``, ``(..., 2, 9)``.
        """
        h = self.homography
        u, v = points[..., 0], points[..., 1]
        depth = h[2, 0] * u + h[2, 1] * v + h[2, 2]
        plane = np.stack((u, v, np.ones_like(u)), axis=-1) / depth[..., None]
        x, y = plane @ h[0], plane @ h[1]
        nothing = np.zeros_like(plane)
        along_x = np.concatenate((plane, nothing, -x[..., None] * plane[..., :2]), axis=-1)
        along_y = np.concatenate((nothing, plane, -y[..., None] * plane[..., :2]), axis=-1)
        flat = np.stack((along_x, along_y), axis=-2)
        by_plane = (h[:2, :2] - np.stack((x, y), axis=-1)[..., None] * h[2, :2]) / depth[
            ..., None, None
        ]
        radius2, both = x * x + y * y, 2.0 * self.k1 * x * y
        stretch = 1.0 + self.k1 * radius2
        lens = np.stack(
            (
                np.stack((stretch + 2.0 * self.k1 * x * x, both), axis=-1),
                np.stack((both, stretch + 2.0 * self.k1 * y * y), axis=-1),
            ),
            axis=-2,
        )
        by_k1 = np.stack((x * radius2, y * radius2), axis=-1)[..., None]
        by_view = np.concatenate((lens @ flat, by_k1), axis=-1)
        return lens @ by_plane * self.scale, by_view * self.scale

    def scaled(self, factor: float) -> View:
        """Return the same view on an image resized by ``factor`` (pixel centres at integers)."""
        cx, cy = self.centre
        return View(
            homography=self.homography,
            k1=self.k1,
            centre=((cx + 0.5) * factor - 0.5, (cy + 0.5) * factor - 0.5),
            scale=self.scale * factor,
        )


def normalise(pixels: Array, centre: tuple[float, float], scale: float) -> Array:
    """Return pixels ``(..., 2)`` in normalised units about the centre, still distorted."""
    return np.asarray((pixels - np.asarray(centre)) / scale, dtype=np.float64)


def straighten(distorted: Array, k1: float) -> Array:
    """Undo the radial term on normalised points ``(..., 2)`` by fixed-point iteration."""
    straight = distorted
    for _ in range(8):
        radius2 = np.sum(straight**2, axis=-1, keepdims=True)
        straight = distorted / np.maximum(1.0 + k1 * radius2, 0.3)
    return straight


def from_unit_square(corners: Array) -> Array:
    """Return the homography that takes (0,0), (1,0), (1,1), (0,1) to ``corners`` (4, 2)."""
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    rows = []
    for (u, v), (x, y) in zip(square, corners, strict=True):
        rows.append([u, v, 1, 0, 0, 0, -u * x, -v * x])
        rows.append([0, 0, 0, u, v, 1, -u * y, -v * y])
    solution = np.linalg.solve(np.array(rows), corners.reshape(-1))
    return np.append(solution, 1.0).reshape(3, 3)


def dense_map(nodes: Array, height: int, width: int) -> NDArray[np.float32]:
    """Interpolate coarse nodes ``(..., m, n, 2)`` to ``(..., height, width, 2)``, bilinear.

    The first and last nodes belong to the first and last pixel centres.
    """
    rows = _hat_weights(height, nodes.shape[-3])
    columns = _hat_weights(width, nodes.shape[-2])
    x = rows @ nodes[..., 0].astype(np.float32) @ columns.T
    y = rows @ nodes[..., 1].astype(np.float32) @ columns.T
    return np.stack((x, y), axis=-1)


def _hat_weights(size: int, nodes: int) -> NDArray[np.float32]:
    position = np.linspace(0.0, nodes - 1.0, size)[:, None]
    weights = np.maximum(0.0, 1.0 - np.abs(position - np.arange(nodes)))
    return weights.astype(np.float32)
