"""Do the curve and the picture tell of the same panel? See ``grading.joint``."""

from __future__ import annotations

from collections.abc import Iterator

from grading.feature import Analysed, Feature

UNITS: dict[str, str | None] = {
    "joint_power_deviation": "1",
    "joint_voltage_deviation": "1",
    "joint_power_lost": "1",
}


def extract(analysed: Analysed) -> Iterator[Feature]:
    """Yield how far the curve is from what the picture predicts, and what damage costs."""
    if analysed.joint is None:
        return
    yield Feature(name="joint_power_deviation", value=analysed.joint.power_deviation, unit="1")
    yield Feature(
        name="joint_power_lost",
        value=analysed.joint.power_lost,
        unit="1",
        u=analysed.joint.u_power_lost,
    )
    if analysed.joint.voltage_lost is not None:
        yield Feature(
            name="joint_voltage_deviation", value=analysed.joint.voltage_deviation, unit="1"
        )
