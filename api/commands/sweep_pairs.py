"""Up and down sweeps of one panel in one file: found, combined, and analysed as one curve."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot

from evidence.curves import MeasuredCurve
from grading import iv as grading_iv
from grading.errors import CurveError
from grading.values import Finding, IVResult, Sweep

# "P1_up", "P1-down", "P1 (up)": how testers without a sweep column name both sweeps of a panel.
_SUFFIX = re.compile(r"^(.*?)[\s_.:/-]*\(?(up|down)\)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPair:
    """Both sweeps of one panel."""

    curve_id: str | None
    up: MeasuredCurve
    down: MeasuredCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class PairResult:
    """What both sweeps say together.

    ``result`` is that of the steady curve half way between them, None where their hysteresis is
    too large to correct; ``findings`` are of the pair and of either sweep.
    """

    hysteresis: float  # (P_down - P_up) / mean
    u_p_rel: float  # standard uncertainty that it adds to P_mp, relative
    result: IVResult | CurveError | None
    findings: tuple[Finding, ...]


def pair_sweeps(measured: Sequence[MeasuredCurve]) -> list[SweepPair]:
    """Return the curves of a file that are one panel's up and down sweep, in order.

    A pair has one ``curve_id`` and the sweeps ``up`` and ``down``; where the file has no sweep
    column, ids that differ in an ending ``up`` and ``down`` alone.
    """
    groups: dict[str | None, dict[Sweep, list[MeasuredCurve]]] = {}
    for one in measured:
        name, sweep = _direction(one)
        if sweep is not None:
            groups.setdefault(name, {}).setdefault(sweep, []).append(one)
    return [
        SweepPair(curve_id=name, up=both[Sweep.UP][0], down=both[Sweep.DOWN][0])
        for name, both in groups.items()
        if len(both) == 2 and all(len(sweeps) == 1 for sweeps in both.values())
    ]


def _direction(measured: MeasuredCurve) -> tuple[str | None, Sweep | None]:
    curve = measured.curve
    if curve.sweep is not None:
        return curve.curve_id, curve.sweep
    match = _SUFFIX.match(curve.curve_id or "")
    if match is None:
        return curve.curve_id, None
    return match[1] or None, Sweep(match[2].lower())


def judge_pair(pair: SweepPair) -> PairResult | CurveError:
    """Combine both sweeps and analyse the steady curve."""
    try:
        both = grading_iv.hysteresis(pair.up.curve, pair.down.curve)
    except CurveError as error:
        return error
    result: IVResult | CurveError | None = None
    if both.curve is not None:
        (result,) = grading_iv.analyse([both.curve], pair.up.nameplate)
    if isinstance(result, IVResult) and result.stc is not None:
        u_p_mp = hypot(result.stc.u_p_mp or 0.0, both.u_p_rel * result.stc.p_mp)
        result = replace(result, stc=replace(result.stc, u_p_mp=u_p_mp))
    return PairResult(
        hysteresis=both.hysteresis, u_p_rel=both.u_p_rel, result=result, findings=both.findings
    )
