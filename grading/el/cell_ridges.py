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

from grading.el.cell_stack import Stack, blur, each

SCALES = (0.9, 1.6, 2.8)  # pixels
LINE = 17  # pixels over which a line must hold
DIRECTIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridges:
    """Line responses of a stack.

    ``contrast`` is the cell over its background; ``strength`` ``(scales, n, 160, 160)``;
    ``upright`` is 1 where a line runs across the busbars, as a finger does, 0 where along;
    ``lines`` ``(directions, n, 160, 160)``: the response averaged along a line of 17 pixels.
    """

    contrast: Stack
    strength: NDArray[np.float32]
    upright: Stack
    lines: NDArray[np.float32]


def find_ridges(clean: Stack) -> Ridges:
    """Filter a stack of cells whose busbars have been filled in."""
    background = np.maximum(blur(clean, 10.0), np.float32(0.05))
    contrast = np.asarray(clean / background, np.float32)
    responses = [_ridge(contrast, sigma) for sigma in SCALES]
    strength = np.stack([strength for strength, _ in responses])
    return Ridges(
        contrast=contrast,
        strength=strength,
        upright=responses[1][1],
        lines=_along_lines(np.maximum(strength[0], strength[1])),
    )


def _ridge(contrast: Stack, sigma: float) -> tuple[Stack, Stack]:
    """Strength of dark ridges at one scale, and the share of it across the busbars."""
    smooth = blur(contrast, sigma)
    xx = each(smooth, lambda tall: cv2.Sobel(tall, cv2.CV_32F, 2, 0, ksize=3, scale=0.25))
    yy = each(smooth, lambda tall: cv2.Sobel(tall, cv2.CV_32F, 0, 2, ksize=3, scale=0.25))
    xy = each(smooth, lambda tall: cv2.Sobel(tall, cv2.CV_32F, 1, 1, ksize=3, scale=0.25))
    half = 0.5 * (xx - yy)
    root = np.sqrt(half * half + xy * xy)
    strength = np.maximum(0.5 * (xx + yy) + root, 0) * np.float32(sigma * sigma)
    upright = 0.5 + 0.5 * half / np.maximum(root, 1e-6)
    return strength, upright


def _along_lines(strength: Stack) -> NDArray[np.float32]:
    clipped = np.minimum(strength, np.float32(0.3))
    return np.stack([_along(clipped, kernel) for kernel in _line_kernels()])


def _along(strength: Stack, kernel: NDArray[np.float32]) -> Stack:
    return each(strength, lambda tall: cv2.filter2D(tall, -1, kernel))


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
