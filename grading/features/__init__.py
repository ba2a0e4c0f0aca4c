"""What rules can name. To add a feature: one file here, and one entry in ``EXTRACTORS``."""

from __future__ import annotations

from collections.abc import Mapping

from grading.feature import Analysed, Feature
from grading.features import calibration, el, identity, iv, joint, safety, visual

EXTRACTORS = (identity, visual, safety, calibration, iv, el, joint)

UNITS: Mapping[str, str | None] = {
    name: unit for extractor in EXTRACTORS for name, unit in extractor.UNITS.items()
}


def extract(analysed: Analysed) -> dict[str, Feature]:
    """Return every feature that the evidence supports, by name; the others are left out."""
    return {
        feature.name: feature for extractor in EXTRACTORS for feature in extractor.extract(analysed)
    }
