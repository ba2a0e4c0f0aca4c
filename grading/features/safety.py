"""Electrical safety, IEC 61215-2 MQT 03 (insulation), MQT 15 (wet leakage), MQT 18.2 (diodes)."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature
from grading.values import Nameplate, SafetyRecord

# Cells in series that makers put behind so many diodes: 36 to 48 behind two, 54 to 96 behind three.
# More to a diode would break down before it conducts (Bishop 1988).
MOST_CELLS = ((24, 1), (48, 2), (96, 3))
# V_oc of one crystalline cell [V], heterojunction included. Lists often count the halves of a
# half-cut module, of which two in parallel make one in series: half of it.
CELL_VOLTAGE = (0.5, 0.76)
# Forward voltage of one diode at I_sc and 25 °C: Schottky 0.4 to 0.6 V, p-n 0.7 to 1.1 V [M]. A
# shorted one gives nothing, an open one the breakdown of its cells or the source's limit. One
# shorted of three p-n diodes looks like three Schottky diodes: the I-V curve's V_oc tells these.
DIODE_VOLTAGE = (0.38, 1.5)  # V
FULL_CURRENT = 0.9  # of that asked for: with less the source is at its limit, and a diode open

UNITS: dict[str, str | None] = {
    "insulation_area_product": "MΩ·m²",
    "wet_leakage_area_product": "MΩ·m²",
    "ground_continuity": "Ω",
    "bypass_voltage": "V",
    "bypass_diodes_ok": None,
    "bypass_judged": None,
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
    works = bypass_diodes_work(safety, analysed.evidence.panel.nameplate)
    if works is not None:
        yield Feature(name="bypass_diodes_ok", value=works)
    if works is not None or safety.bypass_voltage is not None:
        yield Feature(name="bypass_judged", value=works is not None)


def bypass_diodes_work(safety: SafetyRecord, plate: Nameplate) -> bool | None:
    """Whether every bypass diode conducts and none is shorted; None where nobody can tell.

    The voltage [V] of all diodes in series is held against their number, which follows from the
    nameplate. Nothing is guessed where it does not; less current than asked for always fails.
    """
    if safety.bypass_diodes_ok is not None:
        return safety.bypass_diodes_ok
    if safety.bypass_voltage is None:
        return None
    if _short_of_current(safety):
        return False
    diodes = bypass_diodes(plate)
    if diodes is None:
        return None
    least, most = DIODE_VOLTAGE
    return least * diodes <= safety.bypass_voltage <= most * diodes


def _short_of_current(safety: SafetyRecord) -> bool:
    driven, wanted = safety.bypass_current, safety.bypass_test_current
    return driven is not None and wanted is not None and driven < FULL_CURRENT * wanted


def bypass_diodes(plate: Nameplate) -> int | None:
    """Return how many bypass diodes a crystalline module has in series, or None."""
    cells = plate.cells_in_series
    if cells is None:
        return None
    if plate.v_oc is not None:
        least, most = CELL_VOLTAGE
        if least <= 2 * plate.v_oc / cells <= most:
            cells = -(-cells // 2)
        elif not least <= plate.v_oc / cells <= most:
            return None
    return next((diodes for most_cells, diodes in MOST_CELLS if cells <= most_cells), None)
