"""Quality of the picture, in the spirit of IEC TS 60904-13: sharpness and signal to noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from grading.el.grid import Grid
from grading.el.lens import Array

_LINE = 0.01  # of a cell's side: the line that sharpness is about
_REACH = 10  # px across an edge


def sharpness(signal: NDArray[np.float32], grid: Grid) -> float:
    """Return the share of its depth that a dark line of 1% of a cell's side keeps, 0 to 1.

    The blur is taken from the steepest place of the borders of the cells, which are sharp in
    reality: a step of height h blurred by σ rises by h/(σ √2π) per pixel. A line of width w keeps
    erf(w / (2√2 σ)) of its depth.
    """
    sigma = blur(signal, grid)
    return float(erf(_LINE * max(grid.cell_size()) / (2.0 * np.sqrt(2.0) * sigma)))


def blur(signal: NDArray[np.float32], grid: Grid) -> float:
    """Return the standard deviation [px] of the picture's blur, at the sharpest borders."""
    polygons = grid.polygons().reshape(-1, 4, 2)
    start, end = polygons[:, [0, 1, 2, 3]], polygons[:, [1, 2, 3, 0]]
    along = np.linspace(0.4, 0.6, 9)[:, None]
    middle = start[:, :, None] + (end - start)[:, :, None] * along
    inward = polygons.mean(axis=1)[:, None] - 0.5 * (start + end)
    inward /= np.linalg.norm(inward, axis=-1, keepdims=True)
    offset = np.linspace(-_REACH, _REACH, 4 * _REACH + 1)
    points = middle[..., None, :] + inward[:, :, None, None] * offset[:, None]
    flat = points.reshape(-1, len(offset), 2).astype(np.float32)
    values = _sample(signal, flat)
    profiles = values.reshape(len(polygons) * 4, len(along), len(offset)).mean(axis=1)
    height = profiles[:, -6:].mean(axis=1) - profiles.min(axis=1)
    rise = (profiles[:, 4:] - profiles[:, :-4]).max(axis=1) / 2.0
    clear = height >= 0.5 * np.percentile(height, 90)
    width = height[clear] / np.maximum(rise[clear], 1e-6) / np.sqrt(2.0 * np.pi)
    return max(float(np.percentile(width, 20)), 0.2)


def signal_to_noise(signal: NDArray[np.float32], grid: Grid) -> float:
    """Return mean over noise of one pixel in the bright cells.

    The noise is that of second differences in both directions (Immerkær 1996), which plane and
    ramp leave at zero; the calmest quarter of the cells counts, for grains are no noise.
    """
    centres = grid.polygons().reshape(-1, 4, 2).mean(axis=1)
    half = int(np.clip(0.15 * min(grid.cell_size()), 4, 24))
    mean, noise = np.array([_patch_noise(signal, centre, half) for centre in centres]).T
    bright = mean >= np.median(mean)
    ratio = mean[bright] / np.maximum(noise[bright], 1e-6)
    return float(np.percentile(ratio, 75))


def _patch_noise(signal: NDArray[np.float32], centre: Array, half: int) -> tuple[float, float]:
    x, y = int(centre[0]), int(centre[1])
    patch = signal[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
    bend = patch[:-2] - 2.0 * patch[1:-1] + patch[2:]
    bend = bend[:, :-2] - 2.0 * bend[:, 1:-1] + bend[:, 2:]
    return float(patch.mean()), float(1.4826 * np.median(np.abs(bend)) / 6.0)


def _sample(signal: NDArray[np.float32], places: NDArray[np.float32]) -> Array:
    parts = [
        cv2.remap(signal, part[..., 0], part[..., 1], cv2.INTER_LINEAR)
        for part in np.array_split(places, range(32000, len(places), 32000))
    ]
    return np.concatenate(parts).astype(np.float64)
