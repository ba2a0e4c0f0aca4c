"""Power at risk: the worst cell of a substring counts, and more damage never costs less."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grading.el.risk import module_findings, power_loss, substrings
from grading.values import CellClass, ELCell

SUBSTRING = substrings(6).repeat(10)
areas = st.lists(st.floats(0.0, 1.0), min_size=60, max_size=60).map(np.array)


def cell(row, column, *, inactive=0.0, crack=0.0, level=1.0, kind=CellClass.SOUND) -> ELCell:
    return ELCell(
        row=row,
        column=column,
        polygon=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
        defect_probability=0.0,
        cell_class=kind,
        inactive_fraction=inactive,
        crack_length_fraction=crack,
        relative_intensity=level,
    )


def module(**changed) -> list[ELCell]:
    return [cell(r, c, **(changed if (r, c) == (2, 3) else {})) for r, c in np.ndindex(6, 10)]


def values(cells) -> dict[str, float]:
    return {f.code: f.value for f in module_findings(cells, strings_are_rows=True)}


@given(areas, st.integers(0, 59), st.floats(0.0, 1.0))
def test_more_damage_never_costs_less(inactive, where, more):
    worse = inactive.copy()
    worse[where] = max(worse[where], more)
    assert 0.0 <= power_loss(inactive, SUBSTRING) <= power_loss(worse, SUBSTRING) <= 1.0


def test_concentrated_damage_costs_more_than_spread():
    one, spread = np.zeros(60), np.full(60, 0.4 / 60)
    one[0] = 0.4
    assert power_loss(one, SUBSTRING) > 10 * power_loss(spread, SUBSTRING)


def test_half_a_cell_costs_its_substring():
    one = np.zeros(60)
    one[25] = 0.5
    assert power_loss(one, SUBSTRING) == 1 / 3
    one[25] = 0.08
    assert power_loss(one, SUBSTRING) < 0.01


def test_sound_module_has_no_risk():
    found = values(module())
    assert found["power_at_risk_now"] == found["power_at_risk_later"] == 0.0
    assert "cells_cracked" not in found
    assert "substring_dark" not in found


def test_a_crack_is_a_risk_for_later():
    found = values(module(crack=1.0, kind=CellClass.CRACK_A))
    assert found["power_at_risk_now"] == 0.0
    assert 0.0 < found["power_at_risk_later"] < 1 / 3
    assert found["cells_cracked"] == 1


def test_dark_columns_of_a_standing_module():
    cells = [cell(r, c, level=0.02 if c < 2 else 1.0) for r, c in np.ndindex(10, 6)]
    findings = module_findings(cells, strings_are_rows=False)
    dark = next(f for f in findings if f.code == "substring_dark")
    assert "columns 1, 2" in dark.detail
