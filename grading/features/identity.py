"""Is this evidence of one panel, and is it known what the panel was when new?"""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature

UNITS: dict[str, str | None] = {
    "nameplate_known": None,
    "identity_confirmed": None,
    "image_of_this_panel": None,
    "age": "a",
}


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield what is known of the panel's identity."""
    plate = analysed.evidence.panel.nameplate
    yield Feature(name="nameplate_known", value=plate.p_mp is not None)
    if plate.year is not None and analysed.year_measured is not None:
        yield Feature(name="age", value=float(analysed.year_measured - plate.year), unit="a")
    if analysed.evidence.identity_confirmed is not None:
        yield Feature(name="identity_confirmed", value=analysed.evidence.identity_confirmed)
    if analysed.el is not None:
        mismatch = any(finding.code == "layout_mismatch" for finding in analysed.el.findings)
        yield Feature(name="image_of_this_panel", value=not mismatch)
