"""The operating characteristic of a rule: what becomes of a panel, by what it truly is.

References:
    JCGM 106:2012, 9.3 and 9.4: specific and global consumer's and producer's risk.
    ILAC-G8:09/2019, 4.2: guard bands; 4.3: what a decision rule tells the customer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from grading.rules import Rule
from grading.uncertainty import Budget, relative_covariance
from grading.values import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristic:
    """Probability of each decision against the true value; all arrays ``(n,)``.

    ``accept``: the rule is met. ``undecided``: the value lies in the guard band. ``fail``: the rule
    is surely not met. They add up to 1. ``guard`` is the width of the guard band beyond the
    limit, in the feature's unit: z·u with z of the permitted probability.
    """

    true_value: FloatArray
    accept: FloatArray
    undecided: FloatArray
    fail: FloatArray
    limit: float
    guard: float


def characteristic(
    rule: Rule, *, u: float, false_accept: float, values: FloatArray
) -> Characteristic:
    """Return the operating characteristic of a rule with a numeric limit.

    Args:
        rule: ``at_least`` or ``at_most``.
        u: standard uncertainty of the measurement, in the feature's unit.
        false_accept: permitted probability, as in the rule file.
        values: true values, ``(n,)``.

    Raises:
        ValueError: the rule has no numeric limit, or ``u`` is not positive.
    """
    condition = rule.condition
    limit = condition.at_least if condition.at_least is not None else condition.at_most
    if limit is None or u <= 0:
        raise ValueError(f"{rule.id} has no characteristic: no numeric limit, or no uncertainty.")
    z = float(-ndtri(false_accept))
    margin = np.asarray(values, dtype=np.float64) - limit
    margin = margin if condition.at_least is not None else -margin
    accept, fail = ndtr(margin / u - z), ndtr(-margin / u - z)
    return Characteristic(
        true_value=np.asarray(values, dtype=np.float64),
        accept=accept,
        undecided=np.clip(1.0 - accept - fail, 0.0, 1.0),
        fail=fail,
        limit=limit,
        guard=z * u,
    )


def u_of_power(budget: Budget) -> float:
    """Return the relative standard uncertainty of ``p_mp`` that a station's budget gives alone."""
    return float(np.sqrt(relative_covariance(budget).sum()))
