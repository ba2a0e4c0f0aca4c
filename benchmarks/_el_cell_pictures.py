"""Pictures for docs/el-cells.md: rendered cells that the network judges right, and wrong.

    python -m benchmarks._el_cell_pictures docs/img

Rendered cells only: no picture of a real panel is in this repository.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evidence.weights import load_cell_model
from grading.el.cells import CellJudgements, judge_single
from simulators.el_render.dataset import CellSet, rendered_set

COLOURS = {1: (60, 60, 255), 2: (255, 160, 40), 3: (80, 220, 220)}  # BGR: crack, inactive, finger
ZOOM, COLUMNS, CAPTION = 1.25, 6, 18


def main(folder: Path) -> None:
    """Write cells_right.jpg and cells_wrong.jpg."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = rendered_set(400, seed=9_004)
    found = judge_single(list(cells.cells), model=load_cell_model())
    right = (found.defect_probability > 0.5) == cells.defective
    sure = np.abs(found.defect_probability - 0.5)
    best = [index for index in np.argsort(-sure) if right[index] and cells.defective[index]]
    worst = [index for index in np.argsort(-sure) if not right[index]]
    write(folder / "cells_right.jpg", cells, found, best[:60:5])
    write(folder / "cells_wrong.jpg", cells, found, worst[:12])


def write(path: Path, cells: CellSet, found: CellJudgements, chosen: list[int]) -> None:
    """Each cell as it is, with what was drawn, and with what was seen."""
    tiles = [tile(cells, found, index) for index in chosen]
    rows = [np.hstack(tiles[at : at + COLUMNS]) for at in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 82])


def tile(cells: CellSet, found: CellJudgements, index: int) -> NDArray[Any]:
    """Picture, truth and answer below one another, with a caption."""
    truth = np.where(cells.labels[index] < 4, cells.labels[index], 0)
    views = [tinted(cells.images[index], labels) for labels in (truth * 0, truth)]
    views.append(tinted(cells.images[index], found.labels[index]))
    picture = cv2.resize(np.vstack(views), None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_AREA)
    caption = np.zeros((CAPTION, picture.shape[1], 3), np.uint8)
    text = f"{found.defect_probability[index]:.2f} {found.cell_class[index].value}"
    cv2.putText(caption, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 255), 1)
    return cv2.copyMakeBorder(np.vstack([caption, picture]), 0, 0, 0, 4, cv2.BORDER_CONSTANT)


def tinted(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[Any]:
    """The picture in grey with labels in colour."""
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    for code, tint in COLOURS.items():
        here = labels == code
        colour[here] = 0.35 * colour[here] + 0.65 * np.array(tint)
    return colour


if __name__ == "__main__":
    main(Path(sys.argv[1]))
