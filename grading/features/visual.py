"""What the operator saw at intake."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature

UNITS: dict[str, str | None] = {"visual_defects": "1"}


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield the number of reject-list defects, where somebody looked."""
    visual = analysed.evidence.visual
    if visual is not None:
        yield Feature(name="visual_defects", value=float(len(visual.defects)), unit="1")
