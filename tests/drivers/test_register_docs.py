from __future__ import annotations

from pathlib import Path

import pytest

from drivers.register_docs import main, markdown, update
from drivers.registers import load_map

DEVICES = Path(__file__).parents[2] / "docs" / "devices.md"


def test_the_documented_map_is_the_one_that_ships():
    text = DEVICES.read_text("utf-8")
    assert update(text, load_map("washer")) == text, (
        "run: python -m drivers.register_docs docs/devices.md"
    )


def test_every_register_has_a_row_with_both_its_addresses():
    registers = load_map("washer")
    rows = [line.split(" | ") for line in markdown(registers).splitlines() if line[:3] == "| 1"]
    assert "| 100 | 40101 | `snapshot_tag` |" in markdown(registers)
    assert all(int(row[1]) == int(row[0][2:]) + 40001 for row in rows)
    assert markdown(registers).count("\n| ") == len(registers.registers) + 2


def test_document_is_written_in_place(tmp_path):
    path = tmp_path / "d.md"
    path.write_text("a\n<!-- register map: begin -->\nOBSOLETE\n<!-- register map: end -->\nb\n")
    main(path)
    text = path.read_text("utf-8")
    assert text.startswith("a\n")
    assert text.endswith("\nb\n")
    assert "OBSOLETE" not in text
    with pytest.raises(ValueError, match="no <!-- register map"):
        update("nothing", load_map("washer"))
