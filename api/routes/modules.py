"""What is known of a module: its nameplate, and how its panels did so far."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from api.access import Scope, needs
from api.deps import NameplatesDep, RecordsDep
from api.problems import RESPONSES, Problem
from api.records import Typical
from config.nameplates import UnknownModule, find
from grading.values import Nameplate

router = APIRouter(prefix="/api/modules", tags=["modules"], responses=RESPONSES)

Name = Annotated[str, Query(min_length=2, max_length=200, examples=["Suntech STP280-24/Vd"])]


class Module(BaseModel):
    """A module that was found by its name."""

    nameplate: Nameplate
    typical: Typical | None


@router.get("", dependencies=[needs(Scope.RECORDS_READ)])
async def get_module(name: Name, records: RecordsDep, site: NameplatesDep) -> Module:
    """Find a module by maker and model as people type them; 404 says what may be meant."""
    plate = await run_in_threadpool(nameplate_of, name, site)
    typical = await run_in_threadpool(records.typical, plate.maker or "", plate.model or "")
    return Module(nameplate=plate, typical=typical)


def nameplate_of(name: str, site: NameplatesDep) -> Nameplate:
    """Return the nameplate of ``"MAKER MODEL"``; raises Problem where it is not known."""
    try:
        return find(name, site)
    except UnknownModule as error:
        raise Problem(
            404,
            "unknown_module",
            "No such module is known",
            str(error),
            "Type maker and model as they stand on the label, or enter its ratings.",
        ) from error
