"""What the EL picture says: judged by the worst cell, for damage in one cell costs most."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature
from grading.values import CellClass, ELCell, Severity

UNITS: dict[str, str | None] = {
    "el_fault": None,
    "cells_cracked": "1",
    "cells_cut_off": "1",
    "cells_dark": "1",
    "inactive_fraction_worst_cell": "1",
    "inactive_fraction_mean": "1",
}

# Of the module's bright level: a cell that is cut off, shorted or bypassed glows less than this.
DARK_BELOW = 0.35
CRACKED = (CellClass.CRACK_A, CellClass.CRACK_B, CellClass.CRACK_C)


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield counts of damaged cells and fractions of dead area."""
    if analysed.el is None:
        yield Feature(name="el_fault", value=analysed.el_fault)
        return
    errors = (
        finding.code
        for finding in analysed.el.findings
        if finding.severity is Severity.ERROR and finding.code != "layout_mismatch"
    )
    yield Feature(name="el_fault", value=next(errors, "none"))
    cells = analysed.el.cells
    yield _count("cells_cracked", cells, CRACKED)
    yield _count("cells_cut_off", cells, (CellClass.CRACK_C,))
    dark = sum(cell.relative_intensity < DARK_BELOW for cell in cells)
    yield Feature(name="cells_dark", value=float(dark), unit="1")
    fractions = [cell.inactive_fraction for cell in cells]
    if fractions:
        yield Feature(name="inactive_fraction_worst_cell", value=max(fractions), unit="1")
        mean = sum(fractions) / len(fractions)
        yield Feature(name="inactive_fraction_mean", value=mean, unit="1")


def _count(name: str, cells: tuple[ELCell, ...], classes: tuple[CellClass, ...]) -> Feature:
    return Feature(
        name=name, value=float(sum(cell.cell_class in classes for cell in cells)), unit="1"
    )
