"""Delivery of records to the service: kept until acknowledged, tried again with patience."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import TypeAdapter

from evidence.reports import report_from_json, report_to_json, to_json
from grading.values import GradeReport
from station.clock import Clock
from station.journal import Journal
from station.ports import Recorder, RecorderUnavailable, RecordRefused, VisitEvent

FIRST_WAIT, LONGEST_WAIT = 1.0, 600.0  # s

_HISTORY = TypeAdapter(tuple[VisitEvent, ...])


def to_record(report: GradeReport, history: tuple[VisitEvent, ...]) -> dict[str, Any]:
    """Return what is kept in the outbox."""
    return {"report": report_to_json(report), "history": to_json(history)}


class Outbox:
    """Takes records from the journal to the service."""

    def __init__(
        self,
        journal: Journal,
        recorder: Recorder,
        clock: Clock,
        on_refused: Callable[[str, str], None],
        on_recorded: Callable[[str], None],
    ) -> None:
        self._journal = journal
        self._recorder = recorder
        self._clock = clock
        self._on_refused = on_refused
        self._on_recorded = on_recorded
        self._wake = asyncio.Event()
        self._delivered: dict[str, asyncio.Event] = {}

    def wake(self) -> None:
        """Say that there is something to deliver."""
        self._wake.set()

    async def delivered(self, inspection_id: str) -> None:
        """Wait until the service has acknowledged a record, or refused it for good."""
        if self._journal.is_pending(inspection_id):
            await self._delivered.setdefault(inspection_id, asyncio.Event()).wait()

    async def run(self) -> None:
        """Deliver until cancelled."""
        wait = FIRST_WAIT
        while True:
            self._wake.clear()
            if await self._deliver_all():
                wait = FIRST_WAIT
                await self._wake.wait()
            else:
                await self._pause(wait)
                wait = min(wait * 2, LONGEST_WAIT)

    async def _pause(self, seconds: float) -> None:
        """Wait for the back-off, without missing a new record's wake-up."""
        await _first_of(self._clock.sleep(seconds), self._wake.wait())

    async def _deliver_all(self) -> bool:
        """Deliver what is pending; False where the service cannot be reached."""
        while entries := self._journal.pending():
            for entry in entries:
                report = report_from_json(entry.record["report"])
                history = _HISTORY.validate_python(entry.record["history"])
                try:
                    await asyncio.to_thread(self._recorder.record, report, history)
                except RecorderUnavailable:
                    self._journal.failed(entry.inspection_id)
                    return False
                except RecordRefused as error:
                    self._journal.quarantine(entry.inspection_id, str(error))
                    self._on_refused(entry.inspection_id, str(error))
                else:
                    self._journal.acknowledge(entry.inspection_id)
                    self._on_recorded(entry.inspection_id)
                self._delivered.pop(entry.inspection_id, asyncio.Event()).set()
        return True


async def _first_of(*waits: Awaitable[Any]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
