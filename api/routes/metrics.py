"""Health, and figures for Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from api.access import OPEN, Scope, needs
from api.deps import OptionalStationDep, RecordsDep
from grading.values import Outcome
from station.ports import LineState

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """Whether the service can do its work."""

    records: bool
    station: bool


@router.get("/api/health", dependencies=[needs(OPEN)])
def health(records: RecordsDep, station: OptionalStationDep, response: Response) -> Health:
    """Say whether the database answers; 503 where it does not."""
    state = Health(records=records.healthy(), station=station is not None)
    response.status_code = 200 if state.records else 503
    return state


@router.get("/metrics", dependencies=[needs(Scope.METRICS)], response_class=PlainTextResponse)
def metrics(records: RecordsDep, station: OptionalStationDep) -> str:
    """Return the figures in Prometheus' text format."""
    lines = ["# TYPE panels_graded_total gauge"]
    graded = Counter[Outcome]()
    for count in records.counts():
        graded[count.verdict] += count.count
    lines += [f'panels_graded_total{{verdict="{name}"}} {graded[name]}' for name in Outcome]
    if station is not None:
        snapshot = station.snapshot()
        lines += ["# TYPE outbox_depth gauge", f"outbox_depth {snapshot.outbox_depth}"]
        lines += _states(snapshot.state)
        lines += ["# TYPE device_connected gauge"]
        lines += [f'device_connected{{role="{d.role}"}} {d.connected:d}' for d in snapshot.devices]
        active = sum(alarm.active for alarm in snapshot.alarms)
        lines += ["# TYPE alarms_active gauge", f"alarms_active {active}"]
    return "\n".join(lines) + "\n"


def _states(present: LineState) -> Iterator[str]:
    yield "# TYPE station_state gauge"
    for state in LineState:
        yield f'station_state{{state="{state}"}} {state is present:d}'
