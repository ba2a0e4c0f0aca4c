"""What the cells say of the whole module: substrings, voltages, cracks, power at risk.

Damage is judged by the worst cell of each substring, for its current limits all others: below
about 8% of a cell inactive area costs hardly anything, from 12% to 50% the loss grows linearly to
that of the whole substring (Köntges et al., Sol. Energy Mater. Sol. Cells 95 (2011) 1131).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from grading.values import CellClass, ELCell, Finding, Severity

Array = NDArray[np.float64]

_AREA = (0.0, 0.08, 0.12, 0.5)  # inactive share of the worst cell
_LOSS = (0.0, 0.01, 0.05, 1.0)  # of the substring's power
_AREA_U = 0.02  # standard uncertainty of an inactive share
_CRACK_REACH = 0.16  # share of a cell that one crack along its side may cut off
_DARK = 0.35  # a string dimmer than this share of the module's bright cells is bypassed
_THERMAL = 25.7  # mV at 25 °C
_CRACKED = (CellClass.CRACK_A, CellClass.CRACK_B, CellClass.CRACK_C)


def module_findings(cells: Sequence[ELCell], *, strings_are_rows: bool) -> tuple[Finding, ...]:
    """Return findings on the module; its ``cells`` lie in strings along its long side."""
    string = np.array([cell.row if strings_are_rows else cell.column for cell in cells])
    substring = substrings(int(string.max()) + 1)[string]
    level = np.array([cell.relative_intensity for cell in cells])
    dark = _dark_substrings(level, substring)
    now = np.array([cell.inactive_fraction for cell in cells])
    later = np.array([_later(cell) for cell in cells])
    lit = ~dark[substring]
    return (
        *_dark_findings(dark, string, substring, strings_are_rows=strings_are_rows),
        *_voltage_findings(level[lit]),
        *_crack_findings(cells),
        _risk("power_at_risk_now", now, substring, dark, "cut off by cracks now"),
        _risk("power_at_risk_later", later, substring, dark, "once cracked parts have come off"),
    )


def substrings(strings: int) -> NDArray[np.int64]:
    """Number of the substring (one bypass diode) that each string belongs to: pairs, in order."""
    return np.arange(strings) // 2


def power_loss(inactive: Array, substring: NDArray[np.int64]) -> float:
    """Return the share of the module's power lost to inactive area, by each substring's worst."""
    worst = np.zeros(int(substring.max()) + 1)
    np.maximum.at(worst, substring, inactive)
    return float(np.mean(np.interp(worst, _AREA, _LOSS)))


def _later(cell: ELCell) -> float:
    """Inactive share once all that cracks may cut off has come off (class B becoming C)."""
    threat = min(_CRACK_REACH * cell.crack_length_fraction, 2 * _CRACK_REACH)
    return min(1.0, cell.inactive_fraction + threat)


def _dark_substrings(level: Array, substring: NDArray[np.int64]) -> NDArray[np.bool_]:
    bright = float(np.percentile(level, 90))
    middle = np.array([np.median(level[substring == i]) for i in range(substring.max() + 1)])
    return np.asarray(middle < _DARK * bright)


def _dark_findings(
    dark: NDArray[np.bool_],
    string: NDArray[np.int64],
    substring: NDArray[np.int64],
    *,
    strings_are_rows: bool,
) -> list[Finding]:
    if not dark.any():
        return []
    numbers = np.unique(string[dark[substring]]) + 1
    name = "rows" if strings_are_rows else "columns"
    return [
        Finding(
            code="substring_dark",
            severity=Severity.WARNING,
            detail=f"No light from {name} {', '.join(map(str, numbers))}: bypassed or open.",
            value=float(dark.sum()),
            unit="1",
            u=0.0,
        )
    ]


def dark_substrings(groups: Sequence[Sequence[ELCell]]) -> NDArray[np.bool_]:
    """Which substrings give no light, ``(n,)``; each is a sequence of its cells."""
    substring = np.repeat(np.arange(len(groups)), [len(cells) for cells in groups])
    level = np.array([cell.relative_intensity for cells in groups for cell in cells])
    return _dark_substrings(level, substring)


def _voltage_findings(level: Array) -> list[Finding]:
    """Spread of cell voltages from one picture, equal optics assumed: V_T ln Φ (Potthoff 2010)."""
    if len(level) < 4:
        return []
    voltage = _THERMAL * np.log(np.maximum(level, 1e-3) / np.median(level))
    low, high = np.percentile(voltage, [5.0, 95.0])
    return [
        Finding(
            code="cell_voltage_spread",
            severity=Severity.INFO,
            detail="Range of nine cells in ten, one picture, equal optics assumed.",
            value=float(high - low),
            unit="mV",
            u=1.0,
        )
    ]


def _crack_findings(cells: Sequence[ELCell]) -> list[Finding]:
    cracked = [cell for cell in cells if cell.cell_class in _CRACKED]
    if not cracked:
        return []
    length = sum(cell.crack_length_fraction for cell in cracked)
    return [
        Finding(
            code="cells_cracked",
            severity=Severity.WARNING,
            detail=f"{len(cracked)} of {len(cells)} cells, {length:.1f} cell sides of cracks.",
            value=float(len(cracked)),
            unit="1",
        )
    ]


def _risk(
    code: str,
    inactive: Array,
    substring: NDArray[np.int64],
    dark: NDArray[np.bool_],
    when: str,
) -> Finding:
    inactive = np.where(dark[substring], 1.0, inactive)
    value = power_loss(inactive, substring)
    low = power_loss(np.maximum(inactive - _AREA_U, 0.0), substring)
    high = power_loss(np.minimum(inactive + _AREA_U, 1.0), substring)
    return Finding(
        code=code,
        severity=Severity.WARNING if value > 0.03 else Severity.INFO,
        detail=f"Share of the module's power, {when}; by the worst cell of each substring.",
        value=round(value, 4),
        unit="1",
        u=round((high - low) / 2.0, 4),
    )
