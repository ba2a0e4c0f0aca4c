"""Measurement uncertainty of the key figures at STC, by the GUM.

Every component of a station's budget acts on ``i_sc``, ``v_oc`` and the fill factor by known
sensitivities; ``p_mp`` is their product, so that correlations come by themselves: of the four
figures only three are independent.

References:
    JCGM 100:2008 (GUM), 5.1.2 and 5.2.2: propagation with correlation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grading.values import FloatArray, STCFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One line of a budget: a relative standard uncertainty (k = 1), and what it acts on.

    A sensitivity is the relative change of the figure per relative change of the quantity.
    """

    name: str
    u: float  # 1, relative
    i_sc: float = 0.0
    v_oc: float = 0.0
    fill_factor: float = 0.0
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The uncertainty budget of one station."""

    name: str
    version: str
    components: tuple[Component, ...]


def relative_covariance(budget: Budget) -> FloatArray:
    """Return the relative covariance of (i_sc, v_oc, fill factor), shape ``(3, 3)``."""
    sensitivities = np.array(
        [[c.u * c.i_sc, c.u * c.v_oc, c.u * c.fill_factor] for c in budget.components]
    ).reshape(-1, 3)
    return np.asarray(sensitivities.T @ sensitivities, dtype=np.float64)


def with_uncertainty(stc: STCFigures, budget: Budget) -> STCFigures:
    """Return ``stc`` with the standard uncertainties of station and fit combined.

    The uncertainties that ``stc`` comes with (of the fit) are taken as independent of the
    station's.
    """
    covariance = relative_covariance(budget)
    u_i_sc, u_v_oc, u_fill_factor = np.sqrt(np.diag(covariance)).tolist()
    u_p_mp = float(np.sqrt(np.ones(3) @ covariance @ np.ones(3)))
    return replace(
        stc,
        u_i_sc=_combine(stc.u_i_sc, u_i_sc * stc.i_sc),
        u_v_oc=_combine(stc.u_v_oc, u_v_oc * stc.v_oc),
        u_fill_factor=_combine(stc.u_fill_factor, u_fill_factor * stc.fill_factor),
        u_p_mp=_combine(stc.u_p_mp, u_p_mp * stc.p_mp),
    )


def _combine(fit: float | None, station: float) -> float:
    return float(np.hypot(fit or 0.0, station))
