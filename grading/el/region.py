"""The lit part of the picture: where it is, and its four straight sides."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from grading.el.lens import Array, View, from_unit_square, normalise, straighten
from grading.errors import ImageError

FloatImage = NDArray[np.float32]
Mask = NDArray[np.uint8]

_AIM = "Point the camera at the whole module, switch the current on and take the picture again."
_STEP_IN = "Move the camera or the module so that the whole frame is in the picture, and repeat."


def lit_mask(signal: FloatImage) -> Mask:
    """Return 1 where cells shine: ``signal`` (h, w) is non-negative, above the dark level.

    The threshold is Otsu's (1979) on the square root, which evens out shot noise and keeps dim
    cells; gaps are closed and specks below 2% of the largest piece are dropped.
    """
    root = np.sqrt(np.maximum(signal, 0.0))
    top = float(np.percentile(root[::4, ::4], 99.5))
    grey = np.clip(root * (255.0 / max(top, 1e-6)), 0, 255).astype(np.uint8)
    _, mask = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    size = max(3, round(max(signal.shape) * 0.012)) | 1
    closed = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(closed, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    keep = areas >= 0.02 * areas.max(initial=1)
    keep[0] = False
    return np.asarray(keep[labels], dtype=np.uint8)


def lit_view(mask: Mask, beyond: float = 1.0) -> View:
    """Return the view that takes the unit square to the lit region, lens bend included.

    ``beyond`` weighs light that lies outside a side against light that lies along it: parts cut
    off along one busbar in many cells of a row make a false side.

    Raises:
        ImageError: nothing shines, or the lit region runs out of the picture.
    """
    if mask.mean() < 0.01:
        raise ImageError("not_a_module", "No lit area of a module's size is seen.", _AIM)
    _refuse_cut_off(mask)
    points = np.argwhere(mask[::4, ::4])[:, ::-1].astype(np.float32)
    rectangle = cv2.minAreaRect(points)
    sides = _side_points(mask, _axes(rectangle[2]), beyond)
    height, width = mask.shape
    centre, scale = ((width - 1) / 2.0, (height - 1) / 2.0), float(max(width, height))
    normal = [normalise(side, centre, scale) for side in sides]
    k1, lines = _fit_sides(normal)
    corners = np.array([_meet(lines[i], lines[(i + 1) % 4]) for i in (3, 0, 1, 2)])
    if not _is_convex(corners):
        raise ImageError("not_a_module", "The lit area has no four straight sides.", _AIM)
    return View(homography=from_unit_square(corners), k1=k1, centre=centre, scale=scale)


def _refuse_cut_off(mask: Mask) -> None:
    rim = (mask[:2].any(0), mask[-2:].any(0), mask[:, :2].any(1), mask[:, -2:].any(1))
    longest = max(float(side.mean()) for side in rim)
    if longest > 0.04:
        raise ImageError(
            "out_of_frame", "The lit area runs out of the picture: part is missing.", _STEP_IN
        )


def _axes(angle: float) -> Array:
    """Unit vectors (right, down) of the rectangle, turned by at most 45° from the image's."""
    turned = np.deg2rad((angle + 45.0) % 90.0 - 45.0)
    right = np.array([np.cos(turned), np.sin(turned)])
    return np.stack((right, [-right[1], right[0]]))


def _side_points(mask: Mask, axes: Array, beyond: float) -> list[Array]:
    """Points (m, 2) of the top, right, bottom and left side of the lit area, x and y."""
    height, width = mask.shape
    centre = np.array([(width - 1) / 2.0, (height - 1) / 2.0])
    size = int(np.hypot(height, width)) + 1
    half = np.array([size, size]) / 2.0
    turn = np.column_stack((axes.T, centre - axes.T @ half))
    upright = cv2.warpAffine(
        mask, turn, (size, size), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    flipped = upright[::-1, ::-1]
    far = np.array([size - 1.0, size - 1.0])
    sides = (
        _outermost(upright, beyond),
        far - _outermost(flipped.T, beyond)[:, ::-1],
        far - _outermost(flipped, beyond),
        _outermost(upright.T, beyond)[:, ::-1],
    )
    return [(side - half) @ axes + centre for side in sides]


def _outermost(mask: NDArray[Any], beyond: float) -> Array:
    """First lit pixel of each column, those kept that lie on the side's main curve, (m, 2)."""
    columns = np.flatnonzero(mask.any(axis=0))
    first = mask[:, columns].argmax(axis=0).astype(np.float64) - 0.5
    trim = len(columns) // 50
    x, y = columns[trim : len(columns) - trim].astype(np.float64), first[trim : len(first) - trim]
    if len(x) < 16:
        raise ImageError("not_a_module", "The lit area is too small for a module.", _AIM)
    kept = np.abs(y - _main_curve(x, y, beyond)) <= max(1.5, 0.004 * len(mask))
    return np.stack((x[kept], y[kept]), axis=-1)


def _main_curve(x: Array, y: Array, beyond: float) -> Array:
    """Straight or slightly bent curve that most points follow: best of many two-point lines."""
    left, right = np.meshgrid(np.linspace(0.0, 0.45, 10), np.linspace(0.55, 1.0, 10))
    first = (left.ravel() * (len(x) - 1)).astype(int)
    last = (right.ravel() * (len(x) - 1)).astype(int)
    slope = (y[last] - y[first]) / (x[last] - x[first])
    lines = y[first][:, None] + slope[:, None] * (x[None, :] - x[first][:, None])
    tolerance = max(2.0, 0.008 * len(x))
    near = np.abs(y - lines) <= tolerance
    outside = y < lines - tolerance
    best = near[int(np.argmax(near.sum(axis=1) - beyond * outside.sum(axis=1)))]
    scaled = (x - x.mean()) / len(x)
    for _ in range(3):
        curve = np.polyval(np.polyfit(scaled[best], y[best], 2), scaled)
        best = np.abs(y - curve) <= tolerance
        if best.sum() < 8:
            break
    return np.asarray(curve, dtype=np.float64)


def _fit_sides(sides: list[Array]) -> tuple[float, list[Array]]:
    """Find the radial term that makes all four sides straight (plumb-line, Brown 1971)."""
    thin = [side[:: max(1, len(side) // 100)] for side in sides]

    def bend(parameters: Array) -> Array:
        straight = [straighten(side, parameters[0]) for side in thin]
        off = [_distance(s, parameters[1 + 2 * i : 3 + 2 * i]) for i, s in enumerate(straight)]
        return np.concatenate([*off, [0.004 * parameters[0]]])

    start = np.concatenate([[0.0], *(_line(side) for side in thin)])
    fit = least_squares(bend, start, loss="soft_l1", f_scale=5e-4, max_nfev=30)
    lines = [fit.x[1 + 2 * i : 3 + 2 * i] for i in range(4)]
    return float(np.clip(fit.x[0], -0.4, 0.4)), lines


def _line(points: Array) -> Array:
    """Total-least-squares line as (angle of its normal, distance from the origin)."""
    middle = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - middle)
    normal = axes[1]
    return np.array([np.arctan2(normal[1], normal[0]), middle @ normal])


def _distance(points: Array, line: Array) -> Array:
    return np.asarray(points @ np.array([np.cos(line[0]), np.sin(line[0])]) - line[1])


def _meet(first: Array, second: Array) -> Array:
    normals = np.array([[np.cos(a), np.sin(a)] for a, _ in (first, second)])
    return np.asarray(np.linalg.solve(normals, np.array([first[1], second[1]])))


def _is_convex(corners: Array) -> bool:
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    cross = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return bool((cross > 1e-4).all())
