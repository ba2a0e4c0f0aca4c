"""Records and snapshots as a person reads them: words, units, and ± the expanded uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from api.records import InspectionRecord, InspectionRow, NotFound, Records, VerdictView
from api.screens.language import Translate, number
from config.load import load_grading
from grading.rules import Text
from grading.values import GradeReport, RuleFinding
from station.ports import Phase, StationSnapshot, VisitView

CABINET = (Phase.IDENTIFY, Phase.SAFETY, Phase.FLASH, Phase.EL, Phase.GRADE, Phase.RECORD)
PLACES: tuple[tuple[str, tuple[Phase, ...]], ...] = (
    ("intake", (Phase.INTAKE, Phase.BACK_SHEET)),
    ("infeed", (Phase.INFEED,)),
    ("wash", (Phase.WASH,)),
    ("rinse", (Phase.RINSE,)),
    ("dry", (Phase.DRY,)),
    ("outfeed", (Phase.OUTFEED,)),
    ("cabinet", CABINET),
    ("route", (Phase.ROUTE,)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place of the line, and the panels in it."""

    name: str
    visits: tuple[VisitView, ...]
    shows_phase: bool
    trouble: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A verdict as the tile shows it."""

    report: GradeReport
    verdict: VerdictView
    etag: str
    reasons: tuple[str, ...]
    power: str | None
    ratio: str | None
    value: str | None


@cache
def _reasons() -> Mapping[str, Text]:
    return load_grading().rules.reasons


@cache
def grades() -> tuple[str, ...]:
    """Return the grades of the rule file, best first."""
    return tuple(grade.name for grade in load_grading().rules.grades)


def reason(code: str, language: str) -> str:
    """Return a reason in words; one that the rules no longer have shows as its code."""
    text = _reasons().get(code)
    return code.replace("_", " ") if text is None else str(getattr(text, language))


def places(snapshot: StationSnapshot, t: Translate) -> list[Place]:
    """Return the places of the line in order, each with its panels."""
    return [
        Place(
            name=t("phase", name),
            visits=(here := tuple(v for v in snapshot.visits if v.phase in phases)),
            shows_phase=len(phases) > 1,
            trouble=any(visit.problem for visit in here),
        )
        for name, phases in PLACES
    ]


def to_take_away(snapshot: StationSnapshot, records: Records, t: Translate) -> list[dict[str, str]]:
    """Return the panels that wait to be taken to their destination."""
    waiting = []
    for visit in snapshot.visits:
        if visit.phase is Phase.ROUTE:
            try:
                place = records.inspection(visit.inspection_id).current.destination
            except NotFound:  # its record is still in the outbox
                continue
            waiting.append(
                {
                    "inspection_id": visit.inspection_id,
                    "panel_id": visit.panel_id,
                    "destination": t("destination", place),
                }
            )
    return waiting


def result(record: InspectionRecord, language: str) -> Result:
    """Return what the tile says of an inspection."""
    report, verdict = record.report, record.current
    overridden = verdict.source == "override"
    codes = () if overridden else report.reasons
    stc = report.iv.stc if report.iv else None
    ratio = report.value.nameplate_ratio if report.value else None
    return Result(
        report=report,
        verdict=verdict,
        etag=f'"{record.version}"',
        reasons=(f"{verdict.reason} ({verdict.by})",)
        if overridden
        else tuple(reason(code, language) for code in codes),
        power=None if stc is None else _with_u(stc.p_mp, stc.u_p_mp, "W", language),
        ratio=None if ratio is None else f"{number(100 * ratio, 1, language)} %",
        value=_money(report, language),
    )


def finding(found: RuleFinding, language: str) -> dict[str, Any]:
    """Return one line of the table of findings."""
    value: str
    if isinstance(found.value, bool) or not isinstance(found.value, (int, float)):
        value = "–" if found.value is None else str(found.value)
    else:
        u = None if found.expanded_uncertainty is None else found.expanded_uncertainty / 2
        unit = "" if found.unit in (None, "1") else str(found.unit)
        value = _with_u(float(found.value), u, unit, language)
    return {
        "text": reason(found.reason, language) if found.outcome != "pass" else found.rule,
        "rule": found.rule,
        "value": value,
        "limit": found.limit,
        "outcome": found.outcome.value,
    }


def row(item: InspectionRow, language: str) -> dict[str, Any]:
    """Return one line of the history."""
    ratio = item.nameplate_ratio
    return {
        "inspection_id": item.inspection_id,
        "panel_id": item.panel_id,
        "measured_at": item.measured_at[:19].replace("T", " "),
        "maker": item.maker,
        "model": item.model,
        "verdict": item.verdict.value,
        "grade": item.grade,
        "destination": item.destination,
        "power": "–" if item.p_mp is None else f"{number(item.p_mp, 1, language)} W",
        "ratio": "–" if ratio is None else f"{number(100 * ratio, 1, language)} %",
    }


def _with_u(value: float, u: float | None, unit: str, language: str) -> str:
    digits = 0 if value == round(value) and u is None else 3 if abs(value) < 10 else 1
    text = number(value, digits, language)
    if u is not None:
        text += f" ± {number(2 * u, digits, language)}"
    return f"{text} {unit}".strip()


def _money(report: GradeReport, language: str) -> str | None:
    if report.value is None:
        return None
    sign = {"EUR": "€"}.get(report.value.currency, report.value.currency)
    return f"{sign} {number(report.value.amount, 2, language)}"
