"""What routes and screens are given: the records, the station, and where evidence lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi import Path as PathParameter

from api.problems import Problem
from api.records import Records
from config.load import Site
from grading.rules import RuleBook
from station.ports import StationControl

ID_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z()./:_%+-]{0,79}$"  # a panel's barcode
INSPECTION_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z_-]{0,199}$"

InspectionId = Annotated[
    str,
    PathParameter(
        pattern=INSPECTION_PATTERN,
        examples=["20261123T101500123-ZK000001-station-1"],
    ),
]


def _records(request: Request) -> Records:
    records: Records = request.app.state.records
    return records


def _station_or_none(request: Request) -> StationControl | None:
    station: StationControl | None = request.app.state.station
    return station


def _station(request: Request) -> StationControl:
    station = _station_or_none(request)
    if station is None:
        raise Problem(
            503,
            "no_station",
            "No station is connected",
            "This service keeps records only.",
            "Ask the service of the station itself.",
        )
    return station


def _evidence_dir(request: Request) -> Path:
    folder: Path = request.app.state.evidence_dir
    return folder


def _nameplates(request: Request) -> Path | None:
    own: Path | None = request.app.state.nameplates
    return own


def rules_of(request: Request) -> RuleBook:
    """Return the rules, for their words."""
    rules: RuleBook = request.app.state.rules
    return rules


RecordsDep = Annotated[Records, Depends(_records)]
StationDep = Annotated[StationControl, Depends(_station)]
OptionalStationDep = Annotated[StationControl | None, Depends(_station_or_none)]


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


SiteDep = Annotated[Site, Depends(_site)]
NameplatesDep = Annotated[Path | None, Depends(_nameplates)]
EvidenceDirDep = Annotated[Path, Depends(_evidence_dir)]
