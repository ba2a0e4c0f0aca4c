"""The line, as screens see and command it."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.exc import SQLAlchemyError

from api.access import Person, Scope, needs
from api.access.credentials import BADGE_PREFIX
from api.deps import ID_PATTERN, InspectionId, NameplatesDep, RecordsDep, StationDep
from api.problems import RESPONSES, Problem
from api.records import Records
from api.routes.modules import nameplate_of
from grading.values import Nameplate
from station.ports import AlarmChange, LineCommand, Phase, StationSnapshot

router = APIRouter(prefix="/api/station", tags=["station"], responses=RESPONSES)

Name = Annotated[str, Field(min_length=1, max_length=80, examples=["Ann"])]
Token = Annotated[str, PathParameter(max_length=200, pattern=r"^[^\x00-\x1f]+$")]

Key = Annotated[str | None, Header(max_length=200, pattern=r"^[\x21-\x7e]+$")]

log = logging.getLogger(__name__)


class Body(BaseModel):
    """A request body; unknown keys are refused.

    ``by`` counts in the demonstration alone: who is signed in does not choose a name.
    """

    model_config = ConfigDict(extra="forbid")
    by: Name | None = None


class CommandBody(Body):
    """A command to the line."""

    command: LineCommand = Field(examples=["start"])


class IntakeBody(Body):
    """A panel that is taken in.

    ``module`` is maker and model as typed; its nameplate is looked up where none is given.
    """

    panel_id: str = Field(pattern=ID_PATTERN, max_length=80, examples=["ZK000001"])
    serial: str | None = Field(default=None, max_length=200)
    module: str | None = Field(default=None, max_length=200, examples=["Suntech STP280-24/Vd"])
    nameplate: Nameplate | None = None


class Intake(BaseModel):
    """The inspection that an intake began."""

    inspection_id: str = Field(examples=["20261123T101500123-ZK000001-station-1"])


class AnswerBody(Body):
    """The answer to a question."""

    choices: tuple[Annotated[str, Field(max_length=80)], ...] = Field(
        min_length=1, max_length=20, examples=[["sound"]]
    )
    note: str | None = Field(default=None, max_length=500)


class ShelveBody(Body):
    """An alarm that is put aside, for how long and why."""

    minutes: int = Field(ge=1, le=480, examples=[60])
    reason: str = Field(min_length=1, max_length=200, pattern=r"\S", examples=["Part is ordered"])


class Done(BaseModel):
    """Something was done."""

    done: bool = True


@router.get("", dependencies=[needs(Scope.LINE_READ)])
def get_station(station: StationDep) -> StationSnapshot:
    """Return all that a screen shows of the line."""
    return station.snapshot()


@router.post("/command", dependencies=[needs(Scope.LINE_OPERATE)])
async def command(
    body: CommandBody, station: StationDep, records: RecordsDep, person: Person
) -> Done:
    """Command the line; 409 where it cannot do that now."""
    await station.command(body.command, by=person.signs(body.by))
    await _note(records, person.signs(body.by), "command", detail=body.command.value)
    return Done()


@router.post("/intake", dependencies=[needs(Scope.LINE_OPERATE)])
async def intake(
    body: IntakeBody,
    station: StationDep,
    records: RecordsDep,
    person: Person,
    site: NameplatesDep,
    idempotency_key: Key = None,
) -> Intake:
    """Take a panel in. Again while it stands at the intake, it adds what is known of it.

    The same ``Idempotency-Key`` with the same body is one intake, also after a restart.
    """
    if body.panel_id.upper().startswith(BADGE_PREFIX):
        raise Problem(
            422, "a_badge", "This is a person's badge", "No panel is called so.", "Scan the panel."
        )
    asked = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    if idempotency_key is not None:
        kept = await run_in_threadpool(records.intake, idempotency_key, asked)
        if kept is not None:
            return Intake(inspection_id=kept)
    plate = body.nameplate
    if plate is None and body.module:
        plate = await run_in_threadpool(nameplate_of, body.module, site)
    inspection_id = await station.intake(
        body.panel_id, by=person.signs(body.by), nameplate=plate, serial=body.serial
    )
    if idempotency_key is not None:
        await run_in_threadpool(records.keep_intake, idempotency_key, asked, inspection_id)
    await _note(records, person.signs(body.by), "intake", inspection_id)
    return Intake(inspection_id=inspection_id)


@router.post("/questions/{question_id}/answer", dependencies=[needs(Scope.LINE_OPERATE)])
async def answer(
    question_id: Token, body: AnswerBody, station: StationDep, records: RecordsDep, person: Person
) -> Done:
    """Answer a question of the line."""
    await station.answer(question_id, body.choices, by=person.signs(body.by), note=body.note)
    await _note(records, person.signs(body.by), "answer", question_id, ", ".join(body.choices))
    return Done()


@router.post("/alarms/{alarm_id}/acknowledge", dependencies=[needs(Scope.LINE_OPERATE)])
async def acknowledge(
    alarm_id: Token, body: Body, station: StationDep, records: RecordsDep, person: Person
) -> Done:
    """Acknowledge an alarm."""
    await station.acknowledge(alarm_id, by=person.signs(body.by))
    await _note(records, person.signs(body.by), "acknowledge", alarm_id)
    return Done()


@router.post("/alarms/{alarm_id}/shelve", dependencies=[needs(Scope.LINE_OPERATE)])
async def shelve(
    alarm_id: Token, body: ShelveBody, station: StationDep, records: RecordsDep, person: Person
) -> Done:
    """Put an alarm aside for a while, with the reason; never one that guards people."""
    by = person.signs(body.by)
    await station.shelve(alarm_id, body.minutes, by=by, reason=body.reason)
    await _note(records, by, "shelve", alarm_id, f"{body.minutes} min: {body.reason}")
    return Done()


@router.post("/alarms/{alarm_id}/unshelve", dependencies=[needs(Scope.LINE_OPERATE)])
async def unshelve(
    alarm_id: Token, body: Body, station: StationDep, records: RecordsDep, person: Person
) -> Done:
    """Take an alarm from the shelf before its time is over."""
    await station.unshelve(alarm_id, by=person.signs(body.by))
    await _note(records, person.signs(body.by), "unshelve", alarm_id)
    return Done()


@router.get("/alarms", dependencies=[needs(Scope.LINE_READ)])
def alarm_history(
    station: StationDep, since: AwareDatetime, until: AwareDatetime
) -> list[AlarmChange]:
    """Return what happened to alarms in a time, oldest first; 1000 at most."""
    return station.alarm_history(_stamp(since), _stamp(until))


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


@router.post("/routes/{inspection_id}", dependencies=[needs(Scope.LINE_OPERATE)])
async def confirm_route(
    inspection_id: InspectionId,
    body: Body,
    station: StationDep,
    records: RecordsDep,
    person: Person,
) -> Done:
    """Say that a panel was taken to its destination."""
    visits = station.snapshot().visits
    if any(v.inspection_id == inspection_id and v.phase is Phase.ROUTE for v in visits):
        # Written before the line forgets the panel: where that fails, it can be said again.
        await run_in_threadpool(records.confirm_route, inspection_id, person.signs(body.by))
    await station.confirm_route(inspection_id, by=person.signs(body.by))
    return Done()


async def _note(
    records: Records, by: str, action: str, subject: str | None = None, detail: str = ""
) -> None:
    """Write down who did what; what the line has done is not undone for want of the database."""
    try:
        await run_in_threadpool(records.note, by, action, subject, detail)
    except SQLAlchemyError:
        log.exception("%s by %s is not in the audit: %s %s", action, by, subject, detail)
