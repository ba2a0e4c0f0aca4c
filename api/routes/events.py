"""Live events for the screens (server-sent events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.deps import OptionalStationDep
from evidence.reports import to_json
from station.ports import StationControl, StationSnapshot

router = APIRouter(prefix="/api", tags=["events"])

HEARTBEAT = 3.0  # s


@router.get("/events", response_class=StreamingResponse)
async def events(request: Request, station: OptionalStationDep) -> StreamingResponse:
    """Stream ``snapshot`` events on each change, and a ``heartbeat`` with the build's id."""
    stream = _stream(station, request.app.state.build_id, request.app.state.stopping)
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _stream(
    station: StationControl | None, build_id: str, stopping: asyncio.Event
) -> AsyncIterator[str]:
    yield _message("heartbeat", {"build_id": build_id})
    changes = None if station is None else station.changes()
    stopped = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[StationSnapshot] | None = None
    try:
        while not stopped.done():
            if changes is not None and following is None:
                following = asyncio.ensure_future(anext(changes))
            waited: set[asyncio.Future[Any]] = {stopped}
            if following is not None:
                waited.add(following)
            await asyncio.wait(waited, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
            if following is not None and following.done():
                yield _message("snapshot", to_json(following.result()))
                following = None
            else:
                yield _message("heartbeat", {"build_id": build_id})
    finally:
        for task in (stopped, following):
            if task is not None:
                task.cancel()


def _message(event: str, data: object) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"
