"""Dark lines in cells: ridge filters at several scales, and how far a line goes on.

The response is the larger eigenvalue of the Hessian at scale σ, times σ² (Lindeberg 1998,
"Edge detection and ridge detection with automatic scale selection"), of the cell divided by its
own smooth background: a contrast, free of unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_stack import PAD, Stack, tall_image, untall

SCALES = (0.9, 1.6, 2.8)  # pixels
LINE = 9  # pixels of half resolution over which a line must hold
DIRECTIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridges:
    """Line responses of a stack.

    ``contrast`` is the cell over its background; ``strength`` ``(scales, n, 160, 160)``;
    ``upright`` is 1 where a line runs across the busbars, as a finger does, 0 where along;
    ``lines`` ``(directions, n, 80, 80)``: the response averaged along a line of 18 pixels, the
    first along the busbars, then every 15°.
    """

    contrast: Stack
    strength: NDArray[np.float32]
    upright: Stack
    lines: NDArray[np.float32]


def find_ridges(clean: Stack) -> Ridges:
    """Filter a stack of cells whose busbars have been filled in."""
    tall = tall_image(clean)
    contrast = np.asarray(tall / np.maximum(_background(tall), 0.05), np.float32)
    responses = [_ridge(contrast, sigma) for sigma in SCALES]
    fine = np.maximum(responses[0][0], responses[1][0])
    half = cv2.resize(fine, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half = np.minimum(half, 0.3)
    lines = [cv2.filter2D(half, -1, kernel) for kernel in _line_kernels()]
    return Ridges(
        contrast=untall(contrast),
        strength=np.stack([untall(strength) for strength, _ in responses]),
        upright=untall(responses[1][1]),
        lines=np.stack([untall(line, PAD // 2) for line in lines]),
    )


def _background(tall: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth light, over about a sixth of a cell."""
    small = cv2.resize(tall, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), 2.5)
    wide = cv2.resize(smooth, tall.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, np.float32)


def _ridge(
    contrast: NDArray[np.float32], sigma: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Strength of dark ridges at one scale, and the share of it across the busbars."""
    smooth = cv2.GaussianBlur(contrast, (0, 0), sigma)
    xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3, scale=0.25)
    yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3, scale=0.25)
    xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3, scale=0.25)
    half = (xx - yy) * np.float32(0.5)
    root = np.asarray(cv2.magnitude(half, xy), np.float32)
    mean = (xx + yy) * np.float32(0.5)
    strength = np.maximum(mean + root, np.float32(0)) * np.float32(sigma * sigma)
    upright = np.float32(0.5) + np.float32(0.5) * half / np.maximum(root, np.float32(1e-6))
    return np.asarray(strength, np.float32), np.asarray(upright, np.float32)


def _line_kernels() -> list[NDArray[np.float32]]:
    """Unit-sum line segments, every 15°, the first along the busbars."""
    kernels = []
    centre = LINE // 2
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        kernel = np.zeros((LINE, LINE), np.float32)
        reach = centre * np.array([np.cos(angle), np.sin(angle)])
        start, stop = (np.rint(centre + sign * reach).astype(int).tolist() for sign in (-1, 1))
        cv2.line(kernel, start, stop, 1.0, 1)
        kernels.append(kernel / kernel.sum())
    return kernels
