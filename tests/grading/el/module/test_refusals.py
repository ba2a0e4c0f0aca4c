"""What cannot be judged is refused with its own code and a remedy, never guessed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from grading.el import analyse
from grading.errors import ImageError
from grading.values import ELImage

SHAPE = (600, 900)


def refused(pixels) -> str:
    with pytest.raises(ImageError) as error:
        analyse(ELImage(pixels=np.ascontiguousarray(pixels, dtype=np.uint16)))
    assert error.value.detail
    assert error.value.remedy
    return error.value.code


def noisy(level: float, spread: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(level, spread, SHAPE), 0, 65535)


def drawn(draw) -> np.ndarray:
    canvas = np.zeros(SHAPE, np.uint8)
    draw(canvas)
    return canvas.astype(np.uint16) * 257


def text(canvas) -> None:
    cv2.rectangle(canvas, (100, 60), (800, 540), 230, -1)
    for y in range(90, 530, 24):
        cv2.putText(canvas, "The quick brown fox jumps over the lazy dog", (115, y), 0, 0.8, 20, 2)


def bricks(canvas) -> None:
    rng = np.random.default_rng(1)
    for row in range(16):
        for column in range(9):
            x, y = 80 + column * 80 + 40 * (row % 2), 60 + row * 30
            cv2.rectangle(canvas, (x, y), (x + 75, y + 26), int(rng.integers(120, 220)), -1)


def stripes(canvas) -> None:
    cv2.rectangle(canvas, (150, 100), (750, 500), 200, -1)
    for x in range(150, 750, 50):
        cv2.line(canvas, (x, 100), (x, 500), 40, 3)


def blobs(canvas) -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        at = (int(rng.integers(90, 810)), int(rng.integers(90, 510)))
        cv2.circle(canvas, at, int(rng.integers(8, 60)), int(rng.integers(60, 220)), -1)


def checkers(canvas) -> None:
    for i, j in np.ndindex(6, 9):
        if (i + j) % 2:
            canvas[60 + i * 80 : 140 + i * 80, 90 + j * 80 : 170 + j * 80] = 200


@pytest.mark.parametrize(
    ("pixels", "code"),
    [
        (np.zeros(SHAPE), "black"),
        (noisy(900, 200), "black"),
        (noisy(30000, 300), "black"),
        (np.full(SHAPE, 65535), "saturated"),
        (np.tile(np.linspace(0, 60000, SHAPE[1]), (SHAPE[0], 1)), "out_of_frame"),
        (drawn(text), "not_a_module"),
        (drawn(bricks), "not_a_module"),
        (drawn(stripes), "not_a_module"),
        (drawn(blobs), "not_a_module"),
        (drawn(checkers), "not_a_module"),
        (drawn(lambda c: cv2.circle(c, (450, 300), 200, 200, -1)), "not_a_module"),
        (drawn(lambda c: cv2.rectangle(c, (150, 100), (750, 500), 200, -1)), "not_a_module"),
    ],
    ids=[
        "zeros",
        "dark",
        "grey",
        "white",
        "ramp",
        "text",
        "bricks",
        "stripes",
        "blobs",
        "checkers",
        "disc",
        "sheet",
    ],
)
def test_no_picture_of_a_module(pixels, code):
    assert refused(pixels) == code


@pytest.mark.parametrize(
    ("camera", "code"),
    [
        ({"shift": (0.25, 0.0)}, "out_of_frame"),
        ({"shift": (0.0, -0.25)}, "out_of_frame"),
        ({"fill": 1.2}, "out_of_frame"),
        ({"blur": 5.0}, "blurred"),
        ({"exposure": 1.8}, "saturated"),
        ({"fill": 0.25}, "too_small"),
        ({"exposure": 0.003}, "black"),
    ],
    ids=["right", "up", "close", "blurred", "bright", "far", "dim"],
)
def test_module_badly_taken(shoot, camera, code):
    assert refused(shoot((6, 10, False), **camera).pixels) == code


def test_dark_string_out_of_frame(shoot):
    photo = shoot((6, 10, False), dark=(0, 1), fill=0.8, shift=(0.0, -0.16))
    assert photo.corners[:, 1].min() < 0 < photo.polygons[2, 0, 0, 1]
    assert refused(photo.pixels) == "out_of_frame"
