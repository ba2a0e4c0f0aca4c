"""What `zonkeur train-el` reads and keeps; training itself is tested with the renderer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from api.commands.train_el import chosen, keep_old, read_site_cells
from simulators.el_render.dataset import rendered_set


@pytest.fixture
def site(tmp_path: Path) -> Path:
    cells = rendered_set(5, seed=12)
    for index, image in enumerate(cells.images):
        assert cv2.imwrite(str(tmp_path / f"c{index}.png"), image)
    lines = [f"c{index}.png,{int(bad)},P{index // 2}" for index, bad in enumerate(cells.defective)]
    labels = tmp_path / "labels.csv"
    labels.write_text("file,defective,panel\n" + "\n".join(lines), encoding="utf-8")
    return labels


def test_a_sites_cells_are_read_with_their_panels(site: Path) -> None:
    files, cells, panels = read_site_cells(site)
    made = rendered_set(5, seed=12)
    assert files == [f"c{index}.png" for index in range(5)]
    assert panels == ["P0", "P0", "P1", "P1", "P2"]
    np.testing.assert_array_equal(cells.defective, made.defective)
    assert np.abs(cells.images.astype(int) - made.images.astype(int)).mean() < 2
    assert chosen(cells, [1, 3]).images.shape == (2, 160, 160)


def test_labels_without_their_columns_are_a_bad_call(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("name,broken\na.png,1\n", encoding="utf-8")
    with pytest.raises(typer.Exit) as left:
        read_site_cells(labels)
    assert left.value.exit_code == 2


def test_a_cell_that_cannot_be_judged_stops_the_training(site: Path) -> None:
    (site.parent / "c1.png").write_text("no picture", encoding="utf-8")
    with pytest.raises(typer.Exit) as left:
        read_site_cells(site)
    assert left.value.exit_code == 3


def test_the_old_model_is_kept_by_its_content(tmp_path: Path) -> None:
    model = tmp_path / "cells.onnx"
    assert keep_old(model) is None
    model.write_bytes(b"first")
    kept = keep_old(model)
    assert kept is not None
    assert kept.read_bytes() == b"first"
    assert not model.exists()
