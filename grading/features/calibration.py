"""Were the instruments calibrated when they measured? See ``grading.calibration``."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature

UNITS: dict[str, str | None] = {"calibration_fault": None}


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield ``none`` or what is wrong, such as ``monitor_cell_expired``.

    Nothing is yielded for evidence that names no instrument: it came from elsewhere.
    """
    if analysed.calibration_fault is not None:
        yield Feature(name="calibration_fault", value=analysed.calibration_fault)
