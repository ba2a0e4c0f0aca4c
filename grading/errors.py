"""What the grading core raises when a measurement cannot be judged.

    GradingError
    ├── CurveError    the I-V data is not a curve that can be judged
    ├── ImageError    the EL picture cannot be judged
    └── RuleError     a rule file is not valid

Each error names the thing, says what is wrong and what to do. Every caller turns it into
*retest* or *hold*; none turns it into *pass*.
"""

from __future__ import annotations


class GradingError(Exception):
    """A measurement or rule file that cannot be judged.

    ``code`` is stable and machine-readable, ``title`` names the kind, ``detail`` this case,
    ``remedy`` what to do about it.
    """

    title = "The measurement cannot be judged"

    def __init__(self, code: str, detail: str, remedy: str) -> None:
        super().__init__(f"{detail} {remedy}")
        self.code = code
        self.detail = detail
        self.remedy = remedy


class CurveError(GradingError):
    """The I-V data is not a curve that can be judged."""

    title = "The I-V curve cannot be judged"


class ImageError(GradingError):
    """The EL picture cannot be judged."""

    title = "The EL image cannot be judged"


class RuleError(GradingError):
    """A rule file is not valid."""

    title = "The rule file is not valid"
