"""What was measured and decided, and who decided otherwise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from fastapi import APIRouter, Header, Query
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import Person, Scope, needs
from api.deps import (
    ID_PATTERN,
    INSPECTION_PATTERN,
    EvidenceDirDep,
    InspectionId,
    RecordsDep,
)
from api.problems import RESPONSES, Problem
from api.records import Count, Filters, InspectionRecord, NotFound, Page
from evidence.curves import read_curves
from evidence.errors import EvidenceError
from evidence.folder import read_evidence
from evidence.reports import report_from_json
from evidence.store import MANIFEST, verify, write_durably
from grading.el import draw_overlay
from grading.iv import single_diode_current
from grading.values import GradeReport, Outcome
from station.ports import VisitEvent

router = APIRouter(prefix="/api", tags=["inspections"], responses=RESPONSES)

INSPECTION_ID = re.compile(INSPECTION_PATTERN)
PANEL_ID = re.compile(ID_PATTERN)
ETAG = re.compile(r'"([0-9]{1,9})"')
OVERLAY_WIDTH = 1600  # px, of the picture that screens show

Short = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]
Moment = Annotated[str | None, Query(max_length=40, pattern=r"^\d{4}-\d\d-\d\d[0-9T:.+Z-]*$")]

REPORT_EXAMPLE: dict[str, object] = {
    "schema": 1,
    "inspection_id": "20261123T101500123-ZK000001-station-1",
    "panel": {"panel_id": "ZK000001", "serial": None, "lot": None, "nameplate": {}},
    "measured_at": "2026-11-23T10:15:00.123+00:00",
    "verdict": "hold",
    "grade": None,
    "destination": "hold",
    "reasons": ["iv_missing"],
    "findings": [],
    "value": None,
    "iv": None,
    "el": None,
    "rules": {"name": "second_life", "version": "1.0", "sha256": "0" * 64},
    "evidence": [],
    "instruments": [],
    "software_version": "0.1.0",
}

# Where a panel goes after a person's verdict.
DESTINATIONS = {
    Outcome.PASS: "stock",
    Outcome.REJECT: "recycler",
    Outcome.RETEST: "retest",
    Outcome.HOLD: "hold",
}


class OverrideBody(BaseModel):
    """A person's verdict, and why."""

    model_config = ConfigDict(extra="forbid")
    outcome: Outcome = Field(examples=["hold"])
    grade: str | None = Field(default=None, max_length=20, pattern=r"^[^\x00]*$", examples=["B"])
    reason: str = Field(
        min_length=3, max_length=500, pattern=r"^[^\x00]*$", examples=["Frame bent in transport"]
    )
    by: str | None = Field(
        default=None, min_length=1, max_length=80, pattern=r"^[^\x00]*$", examples=["Ann"]
    )


class Delivery(BaseModel):
    """A report and its visit's history, from a station on another host."""

    model_config = ConfigDict(extra="forbid")
    report: dict[str, object] = Field(examples=[REPORT_EXAMPLE])
    history: tuple[VisitEvent, ...] = ()


class Recorded(BaseModel):
    """A record that is durable now."""

    inspection_id: str


class Curve(BaseModel):
    """A measured curve and its fit, for plots."""

    voltage: list[float]
    current: list[float]
    fit: FittedCurve | None


class FittedCurve(BaseModel):
    """The single-diode model's curve."""

    voltage: list[float]
    current: list[float]


@router.get("/inspections", dependencies=[needs(Scope.RECORDS_READ)])
def list_inspections(
    records: RecordsDep,
    verdict: Outcome | None = None,
    grade: Short = None,
    maker: Short = None,
    model: Short = None,
    lot: Short = None,
    panel_id: Short = None,
    reason: Short = None,
    measured_from: Moment = None,
    measured_to: Moment = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page:
    """List inspections, newest first; ``next_cursor`` leads to the following page.

    ``panel_id`` is the beginning of one, ``reason`` a code of the report; ``measured_from`` is
    inclusive, ``measured_to`` is not.
    """
    filters = Filters(
        verdict=verdict,
        grade=grade or None,
        maker=maker or None,
        model=model or None,
        lot=lot or None,
        panel_id=panel_id or None,
        reason=reason or None,
        measured_from=measured_from,
        measured_to=measured_to,
    )
    try:
        return records.page(filters, cursor, limit)
    except ValueError as error:
        raise Problem(422, "invalid", "The request is not valid", str(error)) from error


@router.get("/inspections/{inspection_id}", dependencies=[needs(Scope.RECORDS_READ)])
def get_inspection(
    inspection_id: InspectionId, records: RecordsDep, response: Response
) -> InspectionRecord:
    """Return an inspection with every verdict it ever had; its ETag is for overrides."""
    record = records.inspection(inspection_id)
    response.headers["ETag"] = etag(record)
    return record


@router.post("/inspections/{inspection_id}/override", dependencies=[needs(Scope.RECORDS_OVERRIDE)])
def override(
    inspection_id: InspectionId,
    body: OverrideBody,
    person: Person,
    records: RecordsDep,
    response: Response,
    if_match: Annotated[str | None, Header(max_length=40, examples=['"1"'])] = None,
) -> InspectionRecord:
    """Put a person's verdict beside the others. ``If-Match`` names the verdict that was seen.

    It is given under the name of whoever is signed in; ``by`` counts in the demonstration alone.
    """
    seen = ETAG.fullmatch(if_match or "")
    if seen is None:
        raise Problem(
            428,
            "if_match",
            "Say which verdict you saw",
            "The request has no If-Match header with an ETag of this service.",
            "Send the ETag of the inspection that you looked at.",
        )
    record = records.override(
        inspection_id,
        outcome=body.outcome,
        grade=body.grade,
        destination=DESTINATIONS[body.outcome],
        by=person.signs(body.by),
        reason=body.reason,
        version=int(seen[1]),
    )
    response.headers["ETag"] = etag(record)
    return record


@router.get("/inspections/{inspection_id}/curve", dependencies=[needs(Scope.RECORDS_READ)])
def curve(inspection_id: InspectionId, records: RecordsDep, folder: EvidenceDirDep) -> Curve:
    """Return the measured points and the fitted curve."""
    record = records.inspection(inspection_id)
    path = _evidence_file(folder, inspection_id, "iv.csv")
    measured = [read.curve for read in read_curves(path)]
    voltage = np.concatenate([one.voltage for one in measured])
    current = np.concatenate([one.current for one in measured])
    sound = np.isfinite(voltage) & np.isfinite(current)
    return Curve(
        voltage=voltage[sound].tolist(),
        current=current[sound].tolist(),
        fit=_fitted(record.report, float(voltage[sound].max(initial=0.0))),
    )


@router.get(
    "/inspections/{inspection_id}/evidence/{name}",
    dependencies=[needs(Scope.RECORDS_READ)],
    response_class=FileResponse,
)
def evidence_file(
    inspection_id: InspectionId,
    name: Annotated[str, PathParameter(pattern=r"^[0-9A-Za-z_][0-9A-Za-z_.-]{0,99}$")],
    folder: EvidenceDirDep,
) -> FileResponse:
    """Return one file of the evidence, as it was sealed."""
    return FileResponse(_evidence_file(folder, inspection_id, name))


@router.get(
    "/inspections/{inspection_id}/el.png",
    dependencies=[needs(Scope.RECORDS_READ)],
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}},
)
def el_picture(
    inspection_id: InspectionId, records: RecordsDep, folder: EvidenceDirDep
) -> FileResponse:
    """Return the EL picture with what was found drawn on it."""
    record = records.inspection(inspection_id)
    drawn = folder.parent / "overlays" / f"{inspection_id}-{record.version}.png"
    if not drawn.exists():
        picture = _draw(record.report, folder)
        drawn.parent.mkdir(parents=True, exist_ok=True)
        write_durably(drawn, picture)
    return FileResponse(drawn, media_type="image/png")


@router.get("/panels/{panel_id:path}", dependencies=[needs(Scope.RECORDS_READ)])
def panel(
    panel_id: Annotated[str, PathParameter(max_length=80, pattern=ID_PATTERN)],
    records: RecordsDep,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Page:
    """Return a panel's inspections, newest first."""
    try:
        page = records.page(Filters(panel=panel_id), cursor)
    except ValueError as error:
        raise Problem(422, "invalid", "The request is not valid", str(error)) from error
    if not page.items and cursor is None:
        raise NotFound(f"The panel {panel_id} was never measured.")
    return page


@router.get("/summary", dependencies=[needs(Scope.RECORDS_SUMMARY)])
def summary(records: RecordsDep) -> tuple[Count, ...]:
    """Return how many inspections of each maker stand at each verdict and grade."""
    return records.counts()


@router.post("/records", dependencies=[needs(Scope.RECORDS_DELIVER)], status_code=201)
def deliver(body: Delivery, records: RecordsDep) -> Recorded:
    """Take a record from a station on another host. The same record again changes nothing."""
    try:
        report = report_from_json(dict(body.report))
    except EvidenceError as error:
        raise _undeliverable(error.detail) from error
    known = INSPECTION_ID.fullmatch(report.inspection_id)
    if not (known and PANEL_ID.fullmatch(report.panel.panel_id)):
        raise _undeliverable("Its inspection or panel has an id that no station gives.")
    records.record(report, body.history)
    return Recorded(inspection_id=report.inspection_id)


def etag(record: InspectionRecord) -> str:
    """Return the ETag of an inspection: it changes with each verdict."""
    return f'"{record.version}"'


def _undeliverable(detail: str) -> Problem:
    return Problem(
        422,
        "not_a_report",
        "This is no report",
        detail,
        "Deliver reports as the station made them.",
    )


def _draw(report: GradeReport, folder: Path) -> bytes:
    image = read_evidence(folder / report.inspection_id).image if report.el else None
    if report.el is None or image is None:
        raise Problem(404, "no_picture", "There is no EL picture", "None was judged.")
    overlay = draw_overlay(image, report.el)
    height, width = overlay.shape[:2]
    if width > OVERLAY_WIDTH:
        size = (OVERLAY_WIDTH, round(height * OVERLAY_WIDTH / width))
        overlay = np.asarray(cv2.resize(overlay, size, interpolation=cv2.INTER_AREA), np.uint8)
    return cv2.imencode(".png", overlay)[1].tobytes()


def _fitted(report: GradeReport, v_max: float) -> FittedCurve | None:
    if report.iv is None or report.iv.model is None:
        return None
    voltage = np.linspace(0.0, v_max, 200)
    current = np.ravel(single_diode_current(voltage, report.iv.model))
    return FittedCurve(voltage=voltage.tolist(), current=current.tolist())


def _evidence_file(folder: Path, inspection_id: str, name: str) -> Path:
    sealed = folder / inspection_id
    known = {f.name for f in verify(sealed)} if (sealed / MANIFEST).exists() else set()
    if name not in known:
        raise Problem(
            404, "no_evidence", "There is no such evidence", f"{inspection_id} has no {name}."
        )
    return folder / inspection_id / name
