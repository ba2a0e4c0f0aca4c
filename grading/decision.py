"""Decisions about a limit in the light of the measurement's uncertainty.

References:
    JCGM 106:2012, 7.3 (conformance probability) and 8.3 (guard bands).
    ILAC-G8:09/2019, 4.2: decision rules with a guard band.
"""

from __future__ import annotations

from enum import StrEnum

from scipy.special import ndtr


class Conformity(StrEnum):
    """What can be said of a value and a limit."""

    CONFORMS = "conforms"
    FAILS = "fails"
    MARGINAL = "marginal"


def conformance_probability(margin: float, u: float | None) -> float:
    """Return the probability that the true value lies on the right side of the limit.

    Args:
        margin: value minus a lower limit, or an upper limit minus the value.
        u: standard uncertainty of the value, in the same unit; None or 0 where it is exact.

    JCGM 106:2012, equation (19), for a normal distribution.
    """
    if not u:
        return 1.0 if margin >= 0 else 0.0
    return float(ndtr(margin / u))


def decide(margin: float, u: float | None, *, false_accept: float) -> Conformity:
    """Accept only where the risk of a false acceptance is at most ``false_accept``.

    Reject only where the risk of a false rejection is as small; in between the measurement
    cannot tell (``MARGINAL``).
    """
    probability = conformance_probability(margin, u)
    if probability >= 1 - false_accept:
        return Conformity.CONFORMS
    return Conformity.FAILS if probability <= false_accept else Conformity.MARGINAL
