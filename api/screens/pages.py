"""The pages: the operator's screen, the history, and one inspection."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from api.deps import InspectionId, OptionalStationDep, RecordsDep, StationDep
from api.records import Filters
from api.screens import views
from api.screens.language import COOKIE, LANGUAGES, language_of, translator
from api.screens.render import render
from grading.values import Outcome
from station.ports import LineCommand, StationControl

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Text = Annotated[str | None, Query(max_length=200)]

# The order in which a hand finds them; the most used first.
COMMANDS = (
    LineCommand.START,
    LineCommand.HOLD,
    LineCommand.UNHOLD,
    LineCommand.STOP,
    LineCommand.RESET,
    LineCommand.CLEAR,
    LineCommand.ABORT,
)


@router.get("/")
def operator(request: Request, station: OptionalStationDep, records: RecordsDep) -> HTMLResponse:
    """The operator's screen."""
    context = _latest(request, records) | (_line(request, station, records) if station else {})
    return render(
        request,
        "operator.html",
        title=_title(request, "operator"),
        page_class="operator",
        **context,
    )


@router.get("/fragments/line")
def line(request: Request, station: StationDep, records: RecordsDep) -> HTMLResponse:
    """State, buttons, and where each panel is."""
    return render(request, "fragments/line.html", **_line(request, station, records))


@router.get("/fragments/questions")
def questions(request: Request, station: StationDep) -> HTMLResponse:
    """What only a person can decide."""
    return render(request, "fragments/questions.html", snapshot=station.snapshot())


@router.get("/fragments/latest")
def latest(request: Request, records: RecordsDep) -> HTMLResponse:
    """The last verdict, with its curve and picture."""
    context = _latest(request, records)
    return render(request, "fragments/latest.html", page_class="operator", **context)


@router.get("/history")
def history(
    request: Request,
    records: RecordsDep,
    panel_id: Text = None,
    verdict: Text = None,
    grade: Text = None,
    maker: Text = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> HTMLResponse:
    """Every inspection, newest first; a page of rows more where a cursor is given."""
    filters = Filters(
        panel_id=panel_id or None,
        verdict=Outcome(verdict) if verdict in set(Outcome) else None,
        grade=grade or None,
        maker=maker or None,
    )
    page = records.page(filters, cursor)
    given = {"panel_id": panel_id, "verdict": verdict, "grade": grade, "maker": maker}
    next_url = None
    if page.next_cursor is not None:
        query = {key: value for key, value in given.items() if value}
        next_url = "/history?" + urlencode({**query, "cursor": page.next_cursor})
    return render(
        request,
        "history.html" if cursor is None else "fragments/rows.html",
        title=_title(request, "history"),
        page_class="history",
        filters=filters,
        grades=views.grades(),
        rows=[views.row(item, language_of(request)) for item in page.items],
        next_url=next_url,
    )


@router.get("/inspections/{inspection_id}")
def inspection(request: Request, inspection_id: InspectionId, records: RecordsDep) -> HTMLResponse:
    """One inspection: all that a verdict stands on."""
    record = records.inspection(inspection_id)
    language = language_of(request)
    return render(
        request,
        "inspection.html",
        title=record.report.panel.panel_id,
        page_class="inspection",
        latest=views.result(record, language),
        grades=views.grades(),
        verdicts=record.verdicts,
        history=record.history,
        findings=[views.finding(found, language) for found in record.report.findings],
    )


@router.get("/language/{code}")
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


def _line(request: Request, station: StationControl, records: RecordsDep) -> dict[str, Any]:
    snapshot = station.snapshot()
    t = translator(language_of(request))
    return {
        "snapshot": snapshot,
        "commands": [command.value for command in COMMANDS],
        "allowed": {command.value for command in snapshot.allowed},
        "places": views.places(snapshot, t),
        "to_take_away": views.to_take_away(snapshot, records, t),
    }


def _latest(request: Request, records: RecordsDep) -> dict[str, Any]:
    newest = records.latest()
    record = None if newest is None else records.inspection(newest)
    return {
        "latest": None if record is None else views.result(record, language_of(request)),
        "grades": views.grades(),
    }
