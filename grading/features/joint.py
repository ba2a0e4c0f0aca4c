"""Do the curve and the picture tell of the same panel? See ``grading.joint``."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature

UNITS: dict[str, str | None] = {"joint_power_deviation": "1", "joint_voltage_deviation": "1"}


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield how far the curve is from what the picture predicts, in standard uncertainties."""
    if analysed.joint is None:
        return
    yield Feature(name="joint_power_deviation", value=analysed.joint.power_deviation, unit="1")
    if analysed.joint.voltage_lost is not None:
        yield Feature(
            name="joint_voltage_deviation", value=analysed.joint.voltage_deviation, unit="1"
        )
