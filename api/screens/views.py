"""Records and snapshots as a person reads them: words, units, and ± the expanded uncertainty."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from api.records import Count, InspectionRecord, InspectionRow, NotFound, Records, VerdictView
from api.screens.language import Translate, number
from grading.el.overlay import LETTERS
from grading.rules import RuleBook
from grading.values import GradeReport, Outcome, RuleFinding
from station.alarms import Priority
from station.ports import AlarmView, Phase, StationSnapshot, VisitView

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
    """One place of the line, and the panels in it; ``steps`` are those done in the cabinet."""

    code: str
    visits: tuple[VisitView, ...]
    shows_phase: bool
    trouble: bool
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A panel that waits to be taken to its destination."""

    inspection_id: str
    panel_id: str
    outcome: str
    grade: str | None
    destination: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A verdict as the tile shows it. ``marks`` counts the cells behind each letter on the EL."""

    report: GradeReport
    verdict: VerdictView
    etag: str
    taken_by: str | None
    reasons: tuple[str, ...]
    power: str | None
    ratio: str | None
    value: str | None
    marks: tuple[tuple[str, str, int], ...]


def grades(book: RuleBook) -> tuple[str, ...]:
    """Return the grades of the rule file, best first."""
    return tuple(grade.name for grade in book.grades)


def reason(code: str, book: RuleBook, language: str) -> str:
    """Return a reason in words; one that the rules no longer have shows as its code."""
    text = book.reasons.get(code)
    return code.replace("_", " ") if text is None else str(getattr(text, language))


def reason_choices(book: RuleBook, language: str) -> list[tuple[str, str]]:
    """Return every reason's code and words, in the order of the words."""
    choices = ((code, reason(code, book, language)) for code in book.reasons)
    return sorted(choices, key=lambda choice: choice[1])


def places(snapshot: StationSnapshot) -> list[Place]:
    """Return the places of the line in order, each with its panels."""
    return [
        Place(
            code=code,
            visits=(here := tuple(v for v in snapshot.visits if v.phase in phases)),
            shows_phase=len(phases) > 1,
            trouble=any(visit.problem for visit in here),
            steps=CABINET.index(here[0].phase) if here and phases is CABINET else -1,
        )
        for code, phases in PLACES
    ]


def to_take_away(snapshot: StationSnapshot, records: Records) -> list[Waiting]:
    """Return the panels that wait to be taken to their destination."""
    waiting = []
    for visit in snapshot.visits:
        if visit.phase is Phase.ROUTE:
            try:
                verdict = records.inspection(visit.inspection_id).current
            except (NotFound, SQLAlchemyError):  # in the outbox; its questions matter more
                continue
            waiting.append(
                Waiting(
                    inspection_id=visit.inspection_id,
                    panel_id=visit.panel_id,
                    outcome=verdict.outcome.value,
                    grade=verdict.grade,
                    destination=verdict.destination,
                )
            )
    return waiting


def alarms(snapshot: StationSnapshot) -> list[AlarmView]:
    """Return the alarms: unseen ones, the gravest first, then those that stand, then shelved."""
    ranks = list(Priority)
    return sorted(
        snapshot.alarms,
        key=lambda a: (
            a.shelved_until is not None,
            a.acknowledged,
            not a.active,
            ranks.index(a.priority),
            a.raised_at,
        ),
    )


def facts(snapshot: StationSnapshot, t: Translate, language: str) -> list[str]:
    """Return what the washer measures, in words and units."""
    washer = snapshot.washer
    if washer is None:
        return []
    measured = (
        ("water_temperature", washer.water_temperature, 1, "°C"),
        ("conductivity", washer.conductivity, 0, "µS/cm"),
        ("tank_level", washer.tank_level, 0, "%"),
        ("dryer_temperature", washer.dryer_temperature, 0, "°C"),
        ("speed", washer.speed, 1, "m/min"),
    )
    return [
        f"{t('washer', code)} {number(value, digits, language)} {unit}"
        for code, value, digits, unit in measured
    ]


def result(record: InspectionRecord, book: RuleBook, language: str) -> Result:
    """Return what the tile says of an inspection."""
    report, verdict = record.report, record.current
    overridden = verdict.source == "override"
    stc = report.iv.stc if report.iv else None
    ratio = report.value.nameplate_ratio if report.value else None
    return Result(
        report=report,
        verdict=verdict,
        etag=f'"{record.version}"',
        taken_by=record.routed.by if record.routed else None,
        reasons=(f"{verdict.reason} ({verdict.by})",)
        if overridden
        else tuple(reason(code, book, language) for code in report.reasons),
        power=None if stc is None else with_u(stc.p_mp, stc.u_p_mp, "W", language),
        ratio=None if ratio is None else f"{number(100 * ratio, 1, language)} %",
        value=_money(report, language),
        marks=_marks(report),
    )


def finding(found: RuleFinding, book: RuleBook, t: Translate, language: str) -> dict[str, Any]:
    """Return one line of the table of findings."""
    value: str
    if isinstance(found.value, bool):
        value = t("value", str(found.value))
    elif not isinstance(found.value, (int, float)):
        value = "–" if found.value is None else t("value", found.value)
    else:
        u = None if found.expanded_uncertainty is None else found.expanded_uncertainty / 2
        unit = "" if found.unit in (None, "1") else str(found.unit)
        value = with_u(float(found.value), u, unit, language)
    sign, _, bound = found.limit.partition(" ")
    bound = t("value", bound)
    return {
        "rule": t("rule", found.rule),
        "reason": reason(found.reason, book, language) if found.outcome is not Outcome.PASS else "",
        "value": value,
        "limit": f"{sign} {bound.replace('.', ',') if language == 'nl' else bound}",
        "outcome": found.outcome.value,
    }


def figures(report: GradeReport, language: str) -> list[tuple[str, str, str]]:
    """Return the key figures: name, as measured, and at STC ± U."""
    if report.iv is None:
        return []
    measured, stc = report.iv.measured, report.iv.stc
    rows = (
        ("p_mp", "W", "u_p_mp"),
        ("i_sc", "A", "u_i_sc"),
        ("v_oc", "V", "u_v_oc"),
        ("i_mp", "A", None),
        ("v_mp", "V", None),
        ("fill_factor", "", "u_fill_factor"),
    )
    return [
        (
            name,
            with_u(getattr(measured, name), None, unit, language),
            "–"
            if stc is None
            else with_u(getattr(stc, name), getattr(stc, u) if u else None, unit, language),
        )
        for name, unit, u in rows
    ]


def row(item: InspectionRow, language: str) -> dict[str, Any]:
    """Return one line of the history."""
    ratio = item.nameplate_ratio
    return {
        "item": item,
        "power": "–" if item.p_mp is None else f"{number(item.p_mp, 1, language)} W",
        "ratio": "–" if ratio is None else f"{number(100 * ratio, 1, language)} %",
    }


def totals(counts: tuple[Count, ...]) -> list[tuple[str, int, int]]:
    """Return per verdict how many inspections stand there, and their share in percent."""
    by_verdict: Counter[Outcome] = Counter()
    for count in counts:
        by_verdict[count.verdict] += count.count
    total = by_verdict.total()
    return [(o.value, by_verdict[o], round(100 * by_verdict[o] / max(total, 1))) for o in Outcome]


def with_u(value: float, u: float | None, unit: str, language: str) -> str:
    """Return ``value ± U unit``, where ``u`` is the standard uncertainty and U is 2 u.

    U has two significant digits, and the value as many decimals (GUM 7.2.6).
    """
    if u:
        digits = max(0, 1 - math.floor(math.log10(2 * u)))
    else:
        digits = 0 if value == round(value) else 3 if abs(value) < 10 else 1
    text = number(value, digits, language)
    if u is not None:
        text += f" ± {number(2 * u, digits, language)}"
    return f"{text} {unit}".strip()


def _marks(report: GradeReport) -> tuple[tuple[str, str, int], ...]:
    found = Counter(cell.cell_class for cell in report.el.cells) if report.el else Counter()
    return tuple(
        (letter, kind.value, found[kind]) for kind, letter in LETTERS.items() if found[kind]
    )


def _money(report: GradeReport, language: str) -> str | None:
    if report.value is None:
        return None
    sign = {"EUR": "€"}.get(report.value.currency, report.value.currency)
    return f"{sign} {number(report.value.amount, 2, language)}"
