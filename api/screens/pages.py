"""The pages: the operator's screen, the history, one inspection, and one panel."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

import cv2
from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BeforeValidator
from sqlalchemy.exc import SQLAlchemyError

from api.access import OPEN, Person, Scope, needs
from api.deps import (
    ID_PATTERN,
    EvidenceDirDep,
    InspectionId,
    OptionalStationDep,
    RecordsDep,
    SiteDep,
    StationDep,
    rules_of,
)
from api.problems import Problem
from api.records import Filters, InspectionRecord, NotFound, Records
from api.screens import views
from api.screens.language import COOKIE, LANGUAGES, language_of, translator
from api.screens.paper import Pictures, test_report
from api.screens.render import HEADERS, render
from evidence.folder import read_evidence
from evidence.store import MANIFEST
from grading.el import draw_overlay
from grading.values import GradeReport, Outcome
from station.ports import StationControl

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Text = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
Day = Annotated[date | None, BeforeValidator(lambda given: given or None), Query()]

PAGE = 50
PAPER_WIDTH = 1400  # px, of the EL picture on a report


@router.get("/", dependencies=[needs(Scope.LINE_READ)])
def operator(request: Request, station: OptionalStationDep, records: RecordsDep) -> HTMLResponse:
    """The operator's screen. The line can be worked while the records are out of reach."""
    try:
        context = _latest(request, station, records)
    except SQLAlchemyError:
        context = {"latest": None, "busy": False, "unreachable": True}
    if station is not None:
        context |= _line(request, station) | _todo(station, records)
    return render(
        request,
        "operator.html",
        title=_title(request, "operator"),
        page_class="operator",
        **context,
    )


@router.get("/fragments/line", dependencies=[needs(Scope.LINE_READ)])
def line(request: Request, station: StationDep) -> HTMLResponse:
    """State, buttons, and where each panel is."""
    return render(request, "fragments/line.html", **_line(request, station))


@router.get("/fragments/todo", dependencies=[needs(Scope.LINE_READ)])
def todo(request: Request, station: StationDep, records: RecordsDep) -> HTMLResponse:
    """What asks for a person: questions, panels to be taken away, and alarms."""
    return render(request, "fragments/todo.html", **_todo(station, records))


@router.get("/fragments/latest", dependencies=[needs(Scope.LINE_READ)])
def latest(request: Request, station: OptionalStationDep, records: RecordsDep) -> HTMLResponse:
    """The last verdict, with its curve and picture."""
    context = _latest(request, station, records)
    return render(request, "fragments/latest.html", page_class="operator", **context)


@router.get("/history", dependencies=[needs(Scope.RECORDS_READ)])
def history(
    request: Request,
    records: RecordsDep,
    panel_id: Text = None,
    verdict: Text = None,
    grade: Text = None,
    maker: Text = None,
    model: Text = None,
    lot: Text = None,
    reason: Text = None,
    first_day: Day = None,
    last_day: Day = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> HTMLResponse:
    """Every inspection, newest first; a page of rows more where a cursor is given."""
    filters = Filters(
        panel_id=panel_id or None,
        verdict=Outcome(verdict) if verdict in set(Outcome) else None,
        grade=grade or None,
        maker=maker or None,
        model=model or None,
        lot=lot or None,
        reason=reason or None,
        measured_from=_midnight(first_day),
        measured_to=_midnight(last_day and last_day + timedelta(days=1)),
    )
    try:
        page = records.page(filters, cursor, PAGE)
    except ValueError as error:
        raise Problem(422, "invalid", "The request is not valid", str(error)) from error
    next_url = None
    if page.next_cursor is not None:
        query = {key: value for key, value in request.query_params.items() if value}
        next_url = "/history?" + urlencode({**query, "cursor": page.next_cursor})
    language = language_of(request)
    return render(
        request,
        "history.html" if cursor is None else "fragments/rows.html",
        title=_title(request, "history"),
        page_class="history",
        given=request.query_params,
        grades=views.grades(rules_of(request)),
        reasons=views.reason_choices(rules_of(request), language),
        totals=views.totals(records.counts()),
        rows=[views.row(item, language) for item in page.items],
        next_url=next_url,
    )


@router.get("/inspections/{inspection_id}", dependencies=[needs(Scope.RECORDS_READ)])
def inspection(request: Request, inspection_id: InspectionId, records: RecordsDep) -> HTMLResponse:
    """One inspection: all that a verdict stands on."""
    try:
        record = records.inspection(inspection_id)
    except NotFound:
        return _not_found(request, inspection_id)
    return _details(request, record, records)


@router.get(
    "/inspections/{inspection_id}/report.pdf",
    dependencies=[needs(Scope.RECORDS_EXPORT)],
    response_class=Response,
)
def report(
    request: Request,
    inspection_id: InspectionId,
    person: Person,
    records: RecordsDep,
    folder: EvidenceDirDep,
    site: SiteDep,
    language: Annotated[Literal["nl", "en"] | None, Query()] = None,
) -> Response:
    """The test report on paper, as of the current verdict."""
    record = records.inspection(inspection_id)
    link = f"{site.url or str(request.base_url).rstrip('/')}/panels/"
    content = test_report(
        record,
        _pictures(record.report, folder),
        site,
        link + quote(record.report.panel.panel_id),
        rules_of(request),
        language or language_of(request),
    )
    name = f"{inspection_id}-{record.version}.pdf"
    records.note(person.signs(None), "export", inspection_id, f"test report {record.version}")
    headers = {**HEADERS, "Content-Disposition": f'inline; filename="{name}"'}
    return Response(content, media_type="application/pdf", headers=headers)


@router.get("/panels/{panel_id:path}", dependencies=[needs(Scope.RECORDS_READ)])
def panel(
    request: Request,
    panel_id: Annotated[str, PathParameter(max_length=80, pattern=ID_PATTERN)],
    records: RecordsDep,
) -> HTMLResponse:
    """The newest inspection of a panel, and a way to the earlier ones."""
    newest = records.page(Filters(panel=panel_id), None, 1).items
    if not newest:
        return _not_found(request, panel_id)
    return _details(request, records.inspection(newest[0].inspection_id), records)


@router.get("/language/{code}", dependencies=[needs(OPEN)])
def choose_language(request: Request, code: str) -> RedirectResponse:
    """Remember the language, and go back to where the choice was made."""
    back = request.headers.get("referer", "/")
    here = str(request.base_url)
    response = RedirectResponse(back if back.startswith(here) else "/", 303)
    if code in LANGUAGES:
        response.set_cookie(COOKIE, code, max_age=10 * 365 * 86400, samesite="lax", httponly=True)
    return response


def _title(request: Request, code: str) -> str:
    return translator(language_of(request))("page", code)


def _details(request: Request, record: InspectionRecord, records: Records) -> HTMLResponse:
    language = language_of(request)
    t = translator(language)
    panel_id = record.report.panel.panel_id
    plate, book = record.report.panel.nameplate, rules_of(request)
    return render(
        request,
        "inspection.html",
        title=panel_id,
        page_class="inspection",
        latest=views.result(record, book, language),
        grades=views.grades(book),
        record=record,
        typical=records.typical(plate.maker or "", plate.model or ""),
        findings=[views.finding(found, book, t, language) for found in record.report.findings],
        figures=views.figures(record.report, language),
        inspections=records.page(Filters(panel=panel_id), None, PAGE).items,
    )


def _pictures(report: GradeReport, folder: Path) -> Pictures:
    """What the sealed evidence shows; none where it is kept elsewhere."""
    if not (folder / report.inspection_id / MANIFEST).exists():
        return Pictures(curves=(), overlay=None)
    evidence = read_evidence(folder / report.inspection_id)
    overlay = None
    if report.el is not None and evidence.image is not None:
        drawn = draw_overlay(evidence.image, report.el)
        width = min(PAPER_WIDTH, drawn.shape[1])
        size = (width, round(drawn.shape[0] * width / drawn.shape[1]))
        small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
        overlay = cv2.imencode(".jpg", small)[1].tobytes()
    return Pictures(curves=evidence.curves, overlay=overlay)


def _not_found(request: Request, name: str) -> HTMLResponse:
    title = _title(request, "not_found")
    answer = render(request, "not_found.html", title=title, name=name)
    answer.status_code = 404
    return answer


def _line(request: Request, station: StationControl) -> dict[str, Any]:
    snapshot = station.snapshot()
    language = language_of(request)
    return {
        "snapshot": snapshot,
        "allowed": {command.value for command in snapshot.allowed},
        "places": views.places(snapshot),
        "steps": [phase.value for phase in views.CABINET],
        "facts": views.facts(snapshot, translator(language), language),
    }


def _todo(station: StationControl, records: Records) -> dict[str, Any]:
    snapshot = station.snapshot()
    return {
        "snapshot": snapshot,
        "to_take_away": views.to_take_away(snapshot, records),
        "alarms": views.alarms(snapshot),
    }


def _latest(request: Request, station: StationControl | None, records: Records) -> dict[str, Any]:
    """Return the verdict that this station gave last; without a station, the newest of all."""
    snapshot = station.snapshot() if station else None
    newest = (snapshot and snapshot.latest_inspection_id) or records.latest()
    record = None if newest is None else records.inspection(newest)
    book, language = rules_of(request), language_of(request)
    return {
        "latest": None if record is None else views.result(record, book, language),
        "busy": bool(snapshot and snapshot.visits),
        "unreachable": False,
        "grades": views.grades(book),
    }


def _midnight(day: date | None) -> str | None:
    """Return when ``day`` begins where the server stands."""
    return None if day is None else datetime.combine(day, time.min).astimezone().isoformat()
