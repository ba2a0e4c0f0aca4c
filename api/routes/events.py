"""Live events for the screens (server-sent events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.access import Scope, needs
from api.deps import OptionalStationDep
from evidence.reports import to_json
from station.ports import StationControl, StationSnapshot

router = APIRouter(prefix="/api", tags=["events"])

HEARTBEAT = 3.0  # s


@router.get(
    "/events",
    dependencies=[needs(Scope.LINE_READ)],
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {
                "text/event-stream": {
                    "example": 'event: heartbeat\ndata: {"build_id": "4f1c9a02b7de"}\n\n'
                }
            }
        }
    },
)
async def events(request: Request, station: OptionalStationDep) -> StreamingResponse:
    """Stream ``snapshot`` events on each change, and a ``heartbeat`` with the build's id."""
    stream = _stream(station, request.app.state.build_id, request.app.state.stopping)
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _stream(
    station: StationControl | None, build_id: str, stopping: asyncio.Event
) -> AsyncIterator[str]:
    heartbeat = _message("heartbeat", {"build_id": build_id})
    yield heartbeat
    now = asyncio.get_running_loop().time
    due = now() + HEARTBEAT
    changes = None if station is None else station.changes()
    stopped = asyncio.ensure_future(stopping.wait())
    following = _next(changes)
    try:
        while not stopped.done():
            waited = {future for future in (stopped, following) if future is not None}
            left = max(due - now(), 0.0)
            await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if following is not None and following.done():
                # The next one is asked for first: a reader that leaves at a yield cancels it.
                done, following = following, _next(changes)
                yield _message("snapshot", to_json(done.result()))
            if now() >= due:
                due = now() + HEARTBEAT
                yield heartbeat
    finally:
        for task in (stopped, following):
            if task is not None:
                task.cancel()


def _next(changes: AsyncIterator[StationSnapshot] | None) -> asyncio.Future[StationSnapshot] | None:
    return None if changes is None else asyncio.ensure_future(anext(changes))


def _message(event: str, data: object) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"
