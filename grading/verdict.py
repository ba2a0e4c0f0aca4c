"""From one panel's evidence to its verdict, in one pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import hypot

from grading import el, iv
from grading.calibration import Register, Valid, budget_under, corrected, valid_for
from grading.el.net import CellModel
from grading.errors import CurveError, ImageError
from grading.feature import Analysed
from grading.features import extract
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
    analysed = analyse(evidence, criteria, valid)
    features = extract(analysed)
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
        iv=analysed.iv,
        el=analysed.el,
        rules=criteria.rule_source,
        evidence=evidence.files,
        instruments=evidence.instruments,
        software_version=criteria.software_version,
        calibrations=valid.named(),
    )


def analyse(evidence: Evidence, criteria: Criteria, valid: Valid) -> Analysed:
    """Fit the curve and read the picture; faults are values here, not exceptions."""
    true = corrected(evidence, valid, criteria.frames)
    curve, curve_fault = _judge_curve(true, budget_under(valid, criteria.budget))
    image, image_fault = _judge_image(true, criteria.cell_model)
    return Analysed(
        evidence=true,
        iv=curve,
        el=image,
        iv_fault=curve_fault,
        el_fault=image_fault,
        year_measured=int(evidence.measured_at[:4]) if evidence.measured_at else None,
        calibration_fault=valid.fault if evidence.instruments else None,
    )


def _judge_curve(evidence: Evidence, budget: Budget) -> tuple[IVResult | None, str]:
    if not evidence.curves:
        return None, "not_measured"
    try:
        steady, u_sweep, found = _steady(evidence.curves)
    except CurveError as error:
        return None, error.code
    (result,) = iv.analyse([steady], evidence.panel.nameplate)
    if isinstance(result, CurveError):
        return None, result.code
    result = replace(result, findings=(*found, *result.findings))
    if result.stc is None:
        return result, "none"
    u_p_mp = hypot(result.stc.u_p_mp or 0.0, u_sweep * result.stc.p_mp)
    return replace(result, stc=with_uncertainty(replace(result.stc, u_p_mp=u_p_mp), budget)), "none"


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
