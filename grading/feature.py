"""A feature: one named value that a rule can speak of, with its unit and uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from grading.joint import JointResult
from grading.values import ELResult, Evidence, IVResult

FeatureValue: TypeAlias = float | bool | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """``u`` is the standard uncertainty (k = 1) in ``unit``; None for what is counted or read."""

    name: str
    value: FeatureValue
    unit: str | None = None
    u: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysed:
    """All that features are taken from.

    ``iv`` and ``el`` are None where not measured, or not judged; ``iv_fault`` and ``el_fault``
    are then the code of the error, or ``not_measured``; they are ``none`` otherwise.
    """

    evidence: Evidence
    iv: IVResult | None
    el: ELResult | None
    iv_fault: str
    el_fault: str
    year_measured: int | None = None
    joint: JointResult | None = None
    calibration_fault: str | None = None  # None where no instrument is named
