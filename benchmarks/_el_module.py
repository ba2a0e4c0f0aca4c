"""Module and cells found without hints: layouts, corner errors, voltages, speed.

All pictures are rendered; each row states how many. Times are ratios to one pass over the same
picture's memory, taken in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el import analyse, draw_overlay
from grading.el.correction import correct
from grading.el.find import find_grid, finding_size
from grading.el.grid import Grid
from grading.errors import ImageError
from grading.values import ELImage
from simulators.el_module import LAYOUTS, Photo, draw_camera, draw_module, take_photo

DARK = {"all lit": (), "dark edge string": (0, 1), "dark middle string": (2, 3)}


def accuracy(count: int) -> None:
    """Print layouts right and corner errors, by what is dark, without dark and flat frames."""
    print(
        f"{'rendered modules':22}{'n':>5}{'layout':>9}{'mean':>9}{'p95':>9}{'worst':>9}  of a cell"
    )
    for name, dark in DARK.items():
        errors = [grid_error(photo) for photo in photos(count // len(DARK), dark)]
        found = np.array([error for error in errors if error is not None])
        figures = (found.mean(), np.percentile(found, 95), found.max())
        print(
            f"{name:22}{len(errors):5}{len(found) / len(errors):9.1%}"
            + "".join(f"{figure:9.2%}" for figure in figures)
        )


def photos(count: int, dark: tuple[int, ...]) -> Iterator[Photo]:
    """Photographs over all layouts (those of four rows have no third string to go dark)."""
    for seed in range(count):
        rng = np.random.default_rng(90_000 + seed)
        layout = LAYOUTS[seed % len(LAYOUTS)]
        rows = frozenset(row for row in dark if layout[0] > 4)
        module = draw_module(rng, layout=layout, kinds=24, dark_rows=rows)
        yield take_photo(module, draw_camera(rng))


def grid_of(pixels: NDArray[np.uint16]) -> Grid:
    corrected = correct(ELImage(pixels=pixels))
    small, factor = finding_size(corrected.signal)
    grid = find_grid(small, corrected.noise * factor, corrected.step)
    return grid.scaled(1 / factor)


def grid_error(photo: Photo) -> float | None:
    """Mean corner error over the shorter side of a cell; None where the layout is wrong."""
    try:
        polygons = grid_of(photo.pixels).polygons()
    except ImageError:
        return None
    if polygons.shape != photo.polygons.shape:
        return None
    sides = np.linalg.norm(photo.polygons - np.roll(photo.polygons, -1, axis=2), axis=-1)
    off = np.linalg.norm(polygons - photo.polygons, axis=-1).mean()
    return float(off / sides.mean(axis=(0, 1)).min())


def speed() -> None:
    """Print what 60 cells in 20 megapixels cost, beside one pass over that memory."""
    rng = np.random.default_rng(3)
    module = draw_module(rng, layout=(6, 10, False), kinds=12)
    camera = draw_camera(rng, width=5472, height=3648)
    photo = take_photo(module, camera)
    image = ELImage(pixels=photo.pixels)
    buffer = np.empty(photo.pixels.shape, np.float32)
    memory = best(lambda: np.multiply(photo.pixels, np.float32(2), out=buffer))
    for name, work in (
        ("correct", lambda: correct(image)),
        ("correct, find grid", lambda: grid_of(photo.pixels)),
        ("analyse, no network", lambda: analyse(image)),
    ):
        taken = best(work)
        print(f"{name:22}{taken:8.2f} s   {taken / memory:6.0f} memory passes")


def best(work: Callable[[], object], times: int = 3) -> float:
    """Least processor time [s] of a few runs."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def pictures(folder: Path) -> None:
    """Write overlays of one right answer and of one that is wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(12)
    module = draw_module(rng, layout=(6, 10, False), dark_rows=frozenset({0, 1}))
    photo = take_photo(module, draw_camera(rng, width=1200, height=800))
    write(folder / "el_module_right.jpg", photo.pixels)
    rng = np.random.default_rng(5)
    module = draw_module(rng, layout=(6, 10, False), dark_rows=frozenset({0, 1}))
    black = type(module)(**{**vars(module), "dark_level": 0.0, "gap_scatter": 0.0})
    photo = take_photo(black, draw_camera(rng, width=1200, height=800))
    write(folder / "el_module_wrong.jpg", photo.pixels)


def write(path: Path, pixels: NDArray[np.uint16]) -> None:
    image = ELImage(pixels=pixels)
    result = analyse(image)
    cv2.imwrite(str(path), draw_overlay(image, result), [cv2.IMWRITE_JPEG_QUALITY, 80])
    print(path.name, result.layout, [finding.code for finding in result.findings])
