"""Electrical safety, IEC 61215-2 MQT 03 (insulation) and MQT 15 (wet leakage)."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature

UNITS: dict[str, str | None] = {
    "insulation_area_product": "MΩ·m²",
    "wet_leakage_area_product": "MΩ·m²",
    "ground_continuity": "Ω",
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
    if safety.bypass_diodes_ok is not None:
        yield Feature(name="bypass_diodes_ok", value=safety.bypass_diodes_ok)
