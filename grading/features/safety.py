"""Electrical safety, IEC 61215-2 MQT 03 (insulation), MQT 15 (wet leakage), MQT 18.2 (diodes)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from grading.feature import Analysed, Feature
from grading.values import SafetyRecord

# More cells to a diode would break down before it conducts (Al-Rawi et al. 1994, Bishop 1988).
CELLS_PER_DIODE = 24
# Forward voltage of one diode at I_sc and 25 °C: Schottky 0.4 to 0.6 V, p-n 0.7 to 1.0 V [M]. A
# shorted one gives nothing, an open one the breakdown of its cells or the source's limit. One
# shorted of three p-n diodes looks like three Schottky diodes: the I-V curve's V_oc tells these.
DIODE_VOLTAGE = (0.38, 1.2)  # V

UNITS: dict[str, str | None] = {
    "insulation_area_product": "MΩ·m²",
    "wet_leakage_area_product": "MΩ·m²",
    "ground_continuity": "Ω",
    "bypass_voltage": "V",
    "bypass_diodes_ok": None,
}


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield what was measured. Without the module's area a resistance cannot be judged."""
    safety = analysed.evidence.safety
    if safety is None:
        return
    area = analysed.evidence.panel.nameplate.area
    for name, resistance in (
        ("insulation_area_product", safety.insulation_resistance),
        ("wet_leakage_area_product", safety.wet_leakage_resistance),
    ):
        if resistance is not None and area is not None:
            yield Feature(name=name, value=resistance * area, unit="MΩ·m²")
    if safety.ground_continuity is not None:
        yield Feature(name="ground_continuity", value=safety.ground_continuity, unit="Ω")
    if safety.bypass_voltage is not None:
        yield Feature(name="bypass_voltage", value=safety.bypass_voltage, unit="V")
    works = bypass_diodes_work(safety, analysed.evidence.panel.nameplate.cells_in_series)
    if works is not None:
        yield Feature(name="bypass_diodes_ok", value=works)


def bypass_diodes_work(safety: SafetyRecord, cells_in_series: int | None) -> bool | None:
    """Whether every bypass diode conducts and none is shorted; None where that was not tested.

    The voltage [V] of all diodes in series is held against their number, which follows from
    ``cells_in_series``. Nothing is guessed where that is not known.
    """
    if safety.bypass_diodes_ok is not None:
        return safety.bypass_diodes_ok
    if safety.bypass_voltage is None or cells_in_series is None:
        return None
    diodes = math.ceil(cells_in_series / CELLS_PER_DIODE)
    least, most = DIODE_VOLTAGE
    return least * diodes <= safety.bypass_voltage <= most * diodes
