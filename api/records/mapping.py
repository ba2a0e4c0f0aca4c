"""Between reports and rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from api.orm import Event, EvidenceFile, Inspection, Panel, Reason, Verdict
from api.records.queries import utc
from api.records.values import InspectionRecord, InspectionRow, Routed, VerdictView
from evidence.reports import SCHEMA_VERSION, report_from_json, report_to_json
from grading.values import GradeReport, Outcome
from station.ports import VisitEvent


def panel_row(report: GradeReport) -> Panel:
    """Return the panel as the report knows it."""
    panel, plate = report.panel, report.panel.nameplate
    return Panel(panel_id=panel.panel_id, serial=panel.serial, maker=plate.maker, model=plate.model)


def inspection_row(report: GradeReport, history: tuple[VisitEvent, ...], now: str) -> Inspection:
    """Return a new inspection with its first verdict; raises ValueError for its moment."""
    plate = report.panel.nameplate
    measured_at = utc(report.measured_at or now)
    return Inspection(
        inspection_id=report.inspection_id,
        panel_id=report.panel.panel_id,
        measured_at=measured_at,
        recorded_at=now,
        maker=plate.maker,
        model=plate.model,
        lot=report.panel.lot,
        verdict=report.verdict.value,
        grade=report.grade,
        destination=report.destination,
        verdicts=[graded(report, now)],
        events=[Event(phase=e.phase, at=e.at, detail=e.detail) for e in history],
        evidence=[EvidenceFile(name=f.name, sha256=f.sha256, size=f.size) for f in report.evidence],
        reasons=[Reason(code=c, measured_at=measured_at) for c in sorted(set(report.reasons))],
        **_figures(report),
    )


def graded(report: GradeReport, now: str) -> Verdict:
    """Return the verdict that grading gave."""
    return Verdict(
        outcome=report.verdict.value,
        grade=report.grade,
        destination=report.destination,
        source="graded",
        created_at=now,
        schema=SCHEMA_VERSION,
        report=report_to_json(report),
        **_figures(report),
    )


def _figures(report: GradeReport) -> dict[str, Any]:
    stc = report.iv.stc if report.iv else None
    return {
        "p_mp": stc.p_mp if stc else None,
        "nameplate_ratio": report.value.nameplate_ratio if report.value else None,
        "rules": f"{report.rules.name} {report.rules.version}",
        "software": report.software_version,
    }


def to_row(row: Inspection) -> InspectionRow:
    """Return an inspection as a line of a list."""
    values = {name: getattr(row, name) for name in InspectionRow.__slots__}
    return replace(InspectionRow(**values), verdict=Outcome(row.verdict))


def to_record(row: Inspection) -> InspectionRecord:
    """Return all that is recorded of an inspection."""
    return InspectionRecord(
        report=report_from_json(_standing_report(row)),
        verdicts=tuple(_view(verdict) for verdict in row.verdicts),
        history=tuple(VisitEvent(phase=e.phase, at=e.at, detail=e.detail) for e in row.events),
        routed=Routed(by=row.routed.by, at=row.routed.at) if row.routed else None,
        recorded_at=row.recorded_at,
        version=row.version,
    )


def _standing_report(row: Inspection) -> dict[str, Any]:
    """The report of the current verdict; an override stands on that of the one before it."""
    current = next(i for i, verdict in enumerate(row.verdicts) if verdict.current)
    reports = (verdict.report for verdict in reversed(row.verdicts[: current + 1]))
    return next(report for report in reports if report is not None)


def _view(verdict: Verdict) -> VerdictView:
    return VerdictView(
        outcome=Outcome(verdict.outcome),
        grade=verdict.grade,
        destination=verdict.destination,
        source=verdict.source,
        by=verdict.by,
        reason=verdict.reason,
        created_at=verdict.created_at,
        current=verdict.current,
    )
