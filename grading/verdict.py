"""From a panel's evidence to its verdict: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot

from grading import el, iv
from grading.calibration import Register, Valid, budget_under, corrected, valid_for
from grading.el.net import CellModel
from grading.errors import CurveError, ImageError
from grading.feature import Analysed
from grading.features import extract
from grading.joint import JointResult, compare
from grading.rules import RuleBook, apply, grade_of, verdict
from grading.uncertainty import Budget, with_uncertainty
from grading.value import PriceList, residual_value
from grading.values import (
    ELLayout,
    ELResult,
    Evidence,
    Finding,
    GradeReport,
    ImageArray,
    IVCurve,
    IVResult,
    Nameplate,
    Outcome,
    RuleSource,
    Sweep,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """All that a verdict depends on besides the evidence, each with its version."""

    rules: RuleBook
    rule_source: RuleSource
    prices: PriceList
    budget: Budget
    software_version: str
    cell_model: CellModel | None = None
    calibrations: Register = field(default_factory=Register)
    frames: Mapping[str, ImageArray] = field(default_factory=dict)


def grade(evidence: Evidence, criteria: Criteria) -> GradeReport:
    """Judge one panel.

    A curve or picture that cannot be judged does not raise: it makes a fault, and the rules
    turn a fault into *retest* or *hold*.
    """
    valid = valid_for(evidence, criteria.calibrations)
    true = corrected(evidence, valid, criteria.frames)
    (curve,) = _judge_curves([true], [budget_under(valid, criteria.budget)])
    picture = _judge_image(true, criteria.cell_model)
    return _report(true, curve, picture, valid, criteria)


def grade_again(
    evidence: Sequence[Evidence],
    reports: Sequence[GradeReport],
    criteria: Criteria,
    *,
    curves: bool,
) -> list[GradeReport]:
    """Judge panels again, by what their pictures were found to show.

    Args:
        evidence: of each panel; pictures are not looked at.
        reports: of each panel, the report that holds what its picture showed.
        criteria: what the new verdicts depend on.
        curves: fit the curves again, all in one batch. Otherwise the curves' results are those of
            the reports, uncertainties included: right where only rules or prices changed.
    """
    valid = [valid_for(one, criteria.calibrations) for one in evidence]
    true = [corrected(one, its, criteria.frames) for one, its in zip(evidence, valid, strict=True)]
    budgets = [budget_under(its, criteria.budget) for its in valid]
    judged = (
        _judge_curves(true, budgets)
        if curves
        else [(report.iv, _fault(report, "iv_fault", report.iv)) for report in reports]
    )
    pictures = [(report.el, _fault(report, "el_fault", report.el)) for report in reports]
    return [
        _report(one, curve, picture, its, criteria)
        for one, curve, picture, its in zip(true, judged, pictures, valid, strict=True)
    ]


def _fault(report: GradeReport, feature: str, result: object) -> str:
    """What kept a curve or picture from being judged, as its report tells."""
    if result is not None:
        return "none"
    told = (found.value for found in report.findings if found.feature == feature)
    return str(next(told, None) or "not_measured")


def _report(
    evidence: Evidence,
    curve: tuple[IVResult | None, str],
    picture: tuple[ELResult | None, str],
    valid: Valid,
    criteria: Criteria,
) -> GradeReport:
    features = extract(
        Analysed(
            evidence=evidence,
            iv=curve[0],
            el=picture[0],
            iv_fault=curve[1],
            el_fault=picture[1],
            joint=_joint(curve[0], picture[0], evidence.panel.nameplate),
            year_measured=int(evidence.measured_at[:4]) if evidence.measured_at else None,
            calibration_fault=valid.fault if evidence.instruments else None,
        )
    )
    book = criteria.rules
    findings = apply(book, features)
    outcome, reasons = verdict(book, findings)
    grade_name = grade_of(book, features) if outcome is Outcome.PASS else None
    return GradeReport(
        inspection_id=evidence.inspection_id,
        panel=evidence.panel,
        measured_at=evidence.measured_at,
        verdict=outcome,
        grade=grade_name,
        destination=book.destinations[outcome],
        reasons=reasons,
        findings=findings,
        value=residual_value(criteria.prices, grade_name, features),
        iv=curve[0],
        el=picture[0],
        rules=criteria.rule_source,
        evidence=evidence.files,
        instruments=evidence.instruments,
        software_version=criteria.software_version,
        calibrations=valid.named(),
    )


def _joint(
    curve: IVResult | None, picture: ELResult | None, plate: Nameplate
) -> JointResult | None:
    return None if curve is None or picture is None else compare(curve, picture, plate)


def _judge_curves(
    evidence: Sequence[Evidence], budgets: Sequence[Budget]
) -> list[tuple[IVResult | None, str]]:
    """Judge the curves of many panels in one batch; faults are values here, not exceptions."""
    steady = [_steady_or_fault(one.curves) for one in evidence]
    ready = [
        (found[0], one.panel.nameplate)
        for found, one in zip(steady, evidence, strict=True)
        if not isinstance(found, str)
    ]
    results = iter(iv.analyse([curve for curve, _ in ready], [plate for _, plate in ready]))
    return [
        (None, found) if isinstance(found, str) else _with_budget(next(results), *found[1:], budget)
        for found, budget in zip(steady, budgets, strict=True)
    ]


def _with_budget(
    result: IVResult | CurveError, u_sweep: float, found: tuple[Finding, ...], budget: Budget
) -> tuple[IVResult | None, str]:
    if isinstance(result, CurveError):
        return None, result.code
    result = replace(result, findings=(*found, *result.findings))
    if result.stc is None:
        return result, "none"
    u_p_mp = hypot(result.stc.u_p_mp or 0.0, u_sweep * result.stc.p_mp)
    return replace(result, stc=with_uncertainty(replace(result.stc, u_p_mp=u_p_mp), budget)), "none"


def _steady_or_fault(
    curves: tuple[IVCurve, ...],
) -> tuple[IVCurve, float, tuple[Finding, ...]] | str:
    if not curves:
        return "not_measured"
    try:
        return _steady(curves)
    except CurveError as error:
        return error.code


def _steady(curves: tuple[IVCurve, ...]) -> tuple[IVCurve, float, tuple[Finding, ...]]:
    """Return the steady curve of an up and a down sweep, or the only sweep there is.

    The second value is the relative standard uncertainty of the power that their difference adds.
    """
    by_sweep = {curve.sweep: curve for curve in reversed(curves)}
    up, down = by_sweep.get(Sweep.UP), by_sweep.get(Sweep.DOWN)
    if up is None or down is None:
        return curves[0], 0.0, ()
    both = iv.hysteresis(up, down)
    return both.curve or up, both.u_p_rel, both.findings


def _judge_image(evidence: Evidence, model: CellModel | None) -> tuple[ELResult | None, str]:
    if evidence.image is None:
        return None, "not_measured"
    try:
        result = el.analyse(evidence.image, layout=_layout(evidence.panel.nameplate), model=model)
    except ImageError as error:
        return None, error.code
    return result, "none"


def _layout(plate: Nameplate) -> ELLayout | None:
    if plate.cell_rows is None or plate.cell_columns is None:
        return None
    return ELLayout(rows=plate.cell_rows, columns=plate.cell_columns)
