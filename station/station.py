"""The station: its state, its devices, and every visit that is under way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drivers.errors import DeviceError
from drivers.roles import WashCommand, WashState, WashStatus, Zone
from drivers.tasks import end
from evidence.curves import merge_nameplates
from grading.values import (
    Evidence,
    GradeReport,
    ImageArray,
    Instrument,
    Nameplate,
    PanelIdentity,
)
from station.board import Answer, Board
from station.cabinet import Devices, MeasurementSettings, ScanBuffer
from station.clock import Clock, SystemClock
from station.connections import Connection
from station.journal import Journal
from station.outbox import Outbox
from station.packml import LineMachine
from station.ports import (
    AlarmChange,
    CommandRefused,
    DeviceView,
    LineCommand,
    LineState,
    Phase,
    Recorder,
    StationSnapshot,
)
from station.tracking import Moved, Tracker
from station.visit import Visit, VisitState, restore
from station.washing import MOST_STEPS, WASHER_STEPS

BARCODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z()./:_%+-]{2,79}")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StationOptions:
    """How the station itself behaves."""

    station_id: str = "station-1"
    poll_interval: float = 0.2  # s, between two readings of the washer
    reconnect_interval: float = 2.0  # s, between two looks at a link, and the first wait
    reconnect_longest: float = 15.0  # s, that the wait for a lost device grows to
    dark_frame_every: int = 25  # panels


class Station:
    """Runs the line. ``start`` and ``stop`` it, or use it as an asynchronous context."""

    def __init__(
        self,
        devices: Devices,
        recorder: Recorder,
        grade: Callable[[Evidence], GradeReport],
        data_dir: Path,
        *,
        options: StationOptions | None = None,
        settings: MeasurementSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.devices = devices
        self.options = options or StationOptions()
        self.settings = settings or MeasurementSettings()
        self.clock = clock or SystemClock()
        self.evidence_dir = data_dir / "evidence"
        self.journal = Journal(data_dir / "journal.sqlite")
        self.board = Board(self.clock, self._keep_alarm)
        self.outbox = Outbox(
            self.journal, recorder, self.clock, self._record_refused, self._recorded
        )
        self.cabinet_free = asyncio.Lock()
        self.cabinet_scans = ScanBuffer()
        self._grader = grade
        self._machine = LineMachine()
        self._commanding = asyncio.Lock()
        self._execute = asyncio.Event()
        self._belt_was_read = asyncio.Event()
        self._tracker = Tracker()
        self._visits: dict[str, Visit] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        wait, longest = self.options.reconnect_interval, self.options.reconnect_longest
        self._connections = {
            role: Connection(role, device, self.board, self.clock, wait, longest)
            for role, device in devices.all().items()
        }
        self._washer_status: WashStatus | None = None
        self._latest: str | None = None
        self._dark: ImageArray | None = None
        self._dark_age = 0

    # --- life ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Station:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Connect the devices and go on with the visits that the journal holds."""
        for saved in self.journal.open_visits():
            self._resume(restore(saved))
        for connection in self._connections.values():
            self._spawn(connection.keep())
        self._spawn(self._watch_washer())
        self._spawn(self.outbox.run())
        self._spawn(self.board.watch_shelf())
        self._spawn(self._take_scans())
        self._spawn(self._take_cabinet_scans())

    async def stop(self) -> None:
        """Let go of everything; what is under way goes on at the next start."""
        await end(self._tasks)
        for device in self.devices.all().values():
            with contextlib.suppress(DeviceError):
                await device.close()
        self.journal.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Nothing of the station ends unseen: a fault of ours stops the line and is told."""
        try:
            await work
        except Exception as error:
            self.board.raise_alarm(
                "station_fault",
                getattr(work, "__qualname__", "task"),
                f"{type(error).__name__}: {error}",
                "Restart the station; the journal keeps every panel.",
            )
            await self._hold_for_cause()

    def _resume(self, state: VisitState) -> None:
        if state.phase.value in set(Zone):
            zone = Zone(state.phase.value)
            announced = state.history and state.history[-1].detail == "announced"
            if announced and zone is Zone.INFEED:
                self._tracker.announced = state.inspection_id
            else:
                self._tracker.occupants[zone] = state.inspection_id
        self._begin(state)

    def _begin(self, state: VisitState) -> None:
        visit = Visit(self, state)
        self._visits[state.inspection_id] = visit
        self._spawn(self._run_visit(visit))

    async def _run_visit(self, visit: Visit) -> None:
        await visit.run()
        self._tracker.forget(visit.state.inspection_id)
        del self._visits[visit.state.inspection_id]
        self.board.changed()

    # --- what a visit needs (station.visit.Line) -------------------------------------------------

    @property
    def instruments(self) -> dict[str, Instrument]:
        """Return who answered, by role."""
        known = {role: link.instrument for role, link in self._connections.items()}
        return {role: instrument for role, instrument in known.items() if instrument is not None}

    async def running(self) -> None:
        """Wait until the line is in Execute."""
        await self._execute.wait()

    async def announce(self, inspection_id: str) -> None:
        """Wait until the infeed may be told which panel comes next, and tell it."""
        while not self._tracker.may_announce:
            self._belt_was_read.clear()
            await self._belt_was_read.wait()
        self._tracker.announced = inspection_id

    def release(self, inspection_id: str) -> None:
        """Let the tracking go of a panel that has left the belt."""
        self._tracker.forget(inspection_id)

    async def grade(self, evidence: Evidence) -> GradeReport:
        """Judge the evidence, in a thread of its own."""
        return await asyncio.to_thread(self._grader, evidence)

    async def dark_frame(self) -> ImageArray | None:
        """Return a dark frame, taken anew every so many panels; raises DeviceError."""
        if self._dark is None or self._dark_age >= self.options.dark_frame_every:
            await self.devices.source.off()
            self._dark = await self.devices.camera.dark_frame(exposure=self.settings.el_exposure)
            self._dark_age = 0
        self._dark_age += 1
        return self._dark

    # --- what screens and routes may do (station.ports.StationControl) ---------------------------

    def snapshot(self) -> StationSnapshot:
        """Return the present state."""
        counters = self.journal.counters()
        return StationSnapshot(
            station_id=self.options.station_id,
            sequence=self.board.sequence,
            state=self._machine.state,
            allowed=self._machine.allowed,
            visits=tuple(visit.view for visit in self._visits.values()),
            questions=self.board.questions,
            alarms=self.board.alarms,
            devices=tuple(self._device_views()),
            washer=self._washer_status,
            processed=counters.get("processed", 0),
            defective=counters.get("defective", 0),
            outbox_depth=self.journal.outbox_depth(),
            latest_inspection_id=self._latest,
        )

    def changes(self) -> AsyncIterator[StationSnapshot]:
        """Yield the present state, and then each later one."""
        return self.board.changes(self.snapshot)

    async def command(self, command: LineCommand, *, by: str) -> None:
        """Command the line, and the washer with it; raises CommandRefused."""
        if command is LineCommand.ABORT:
            self._execute.clear()
        async with self._commanding:
            self._machine.command(command)
            self._execute.clear()
            self.board.changed()
            try:
                await self._command_washer(WASHER_STEPS[command])
            except DeviceError as error:
                self.board.raise_device_alarm(error)
                self._machine = LineMachine(LineState.ABORTED)
                raise CommandRefused(
                    f"The washer did not {command}: {error}. The line is aborted."
                ) from error
            finally:
                self._settle()

    async def intake(
        self,
        panel_id: str,
        *,
        by: str,
        nameplate: Nameplate | None = None,
        serial: str | None = None,
    ) -> str:
        """Take a panel in. While it stands at the intake, a second call adds what it knows."""
        if not BARCODE.fullmatch(panel_id):
            raise CommandRefused(
                f"{panel_id!r} is not a panel's barcode. Scan the label on the panel again."
            )
        present = self._visit_of(panel_id)
        if present is None:
            return self._admit(panel_id, nameplate, serial)
        if not present.at_intake:
            raise CommandRefused(
                f"{panel_id} is on the line already, at {present.state.phase}. "
                "Two panels with one barcode: print a new label for this one."
            )
        panel = present.state.panel
        present.state.panel = replace(
            panel,
            serial=serial or panel.serial,
            nameplate=merge_nameplates([nameplate, panel.nameplate]),
        )
        self.board.changed()
        return present.state.inspection_id

    async def answer(
        self, question_id: str, choices: tuple[str, ...], *, by: str, note: str | None = None
    ) -> None:
        """Answer a question; raises CommandRefused."""
        self.board.answer(question_id, Answer(choices=choices, by=by, note=note))

    async def acknowledge(self, alarm_id: str, *, by: str) -> None:
        """Acknowledge an alarm; raises CommandRefused."""
        self.board.acknowledge(alarm_id, by)

    async def shelve(self, alarm_id: str, minutes: int, *, by: str, reason: str) -> None:
        """Put an alarm aside for a while; raises CommandRefused, for a safety alarm always."""
        self.board.shelve(alarm_id, minutes, by=by, reason=reason)

    async def unshelve(self, alarm_id: str, *, by: str) -> None:
        """Take an alarm from the shelf; raises CommandRefused where it is not on it."""
        self.board.unshelve(alarm_id, by=by)

    def alarm_history(self, since: str, until: str) -> list[AlarmChange]:
        """Return what happened to alarms in a time, oldest first."""
        return self.journal.alarms(since, until)

    def _keep_alarm(self, change: AlarmChange) -> None:
        try:
            self.journal.keep_alarm(change)
        except sqlite3.Error:  # a full disk must not hide the alarm itself
            log.exception("alarm %s (%s) is not in the journal", change.alarm_id, change.event)

    async def confirm_route(self, inspection_id: str, *, by: str) -> None:
        """Say that the panel was taken to its destination; raises CommandRefused."""
        visit = self._visits.get(inspection_id)
        if visit is None or not visit.routed(by):
            raise CommandRefused(f"{inspection_id} is not waiting to be taken away.")

    # --- intake ----------------------------------------------------------------------------------

    def _visit_of(self, panel_id: str) -> Visit | None:
        visits = self._visits.values()
        return next((v for v in visits if v.state.panel.panel_id == panel_id), None)

    def _admit(self, panel_id: str, nameplate: Nameplate | None, serial: str | None) -> str:
        waiting = [v.state.panel.panel_id for v in self._visits.values() if v.at_intake]
        if waiting:
            raise CommandRefused(
                f"{waiting[0]} still stands at the intake. Finish that panel first."
            )
        inspection_id = self._new_inspection_id(panel_id)
        panel = PanelIdentity(panel_id=panel_id, serial=serial, nameplate=nameplate or Nameplate())
        now = self.clock.now()
        self._begin(VisitState(inspection_id=inspection_id, panel=panel, since=now))
        return inspection_id

    def _new_inspection_id(self, panel_id: str) -> str:
        moment = re.sub(r"[^0-9T]", "", self.clock.now()[:23])
        base = f"{moment}-{re.sub(r'[^0-9A-Za-z]+', '-', panel_id)}-{self.options.station_id}"
        candidate, number = base, 1
        while self.journal.knows(candidate) or candidate in self._visits:
            number += 1
            candidate = f"{base}-{number}"
        return candidate

    async def _take_scans(self) -> None:
        async for code in self.devices.intake_scanner.scans():
            try:
                await self.intake(code, by="scanner")
            except CommandRefused as error:
                self.board.raise_alarm("scan_refused", "intake", str(error), "Scan again.")
            else:
                self.board.clear_alarm("scan_refused", "intake")

    async def _take_cabinet_scans(self) -> None:
        await self.cabinet_scans.fill(self.devices.cabinet_scanner.scans())

    # --- devices ---------------------------------------------------------------------------------

    def _device_views(self) -> list[DeviceView]:
        return [
            DeviceView(
                name=connection.device.name,
                role=connection.role,
                connected=connection.connected,
                instrument=connection.instrument,
            )
            for connection in self._connections.values()
        ]

    # --- the washer -------------------------------------------------------------------------------

    async def _command_washer(self, steps: dict[WashState, WashCommand]) -> None:
        for _ in range(MOST_STEPS):
            step = steps.get((await self.devices.washer.status()).state)
            if step is None:
                return
            await self.devices.washer.command(step)

    async def _watch_washer(self) -> None:
        while True:
            if not self._connections["washer"].connected:
                self._tracker.lost_sight()
                await self._hold_for_cause()
            else:
                try:
                    status = await self.devices.washer.status()
                except DeviceError as error:
                    self._tracker.lost_sight()
                    self.board.raise_device_alarm(error)
                    await self._hold_for_cause()
                else:
                    await self._take_washer_status(status)
            await self.clock.sleep(self.options.poll_interval)

    async def _take_washer_status(self, status: WashStatus) -> None:
        before, self._washer_status = self._washer_status, status
        name = self.devices.washer.name
        gone = set(before.alarms if before else ()) - set(status.alarms)
        for code in gone:
            self.board.clear_alarm(code, name)
        for code in status.alarms:
            self.board.raise_alarm(code, name, f"The washer reports {code}.", "See its manual.")
        if status.emergency_stop or status.state is WashState.ABORTED:
            await self._abort_for_cause()
        for event in self._tracker.update(status.presence):
            if isinstance(event, Moved):
                self._visits[event.inspection_id].reached(event.zone)
            else:
                await self._stranger(event.zone)
        self._belt_was_read.set()
        if before is None or _discrete(before) != _discrete(status):
            self.board.changed()

    async def _stranger(self, zone: Zone) -> None:
        self.board.raise_alarm(
            "unknown_panel",
            zone.value,
            f"A panel stands at {zone} that nobody announced.",
            "Take it off the belt and scan it at the intake, then go on.",
        )
        await self._hold_for_cause()

    async def _hold_for_cause(self) -> None:
        await self._command_if_allowed(LineCommand.HOLD)

    async def _abort_for_cause(self) -> None:
        if self._machine.state not in (LineState.ABORTED, LineState.STOPPED):
            await self._command_if_allowed(LineCommand.ABORT)

    async def _command_if_allowed(self, command: LineCommand) -> None:
        if command in self._machine.allowed and not self._commanding.locked():
            with contextlib.suppress(CommandRefused):
                await self.command(command, by="station")

    def _settle(self) -> None:
        state = self._machine.done()
        if state is LineState.EXECUTE:
            self._execute.set()
        self.board.changed()

    # --- records ----------------------------------------------------------------------------------

    def _recorded(self, inspection_id: str) -> None:
        self._latest = inspection_id
        self.board.changed()

    def _record_refused(self, inspection_id: str, reason: str) -> None:
        self.board.raise_alarm(
            "record_refused",
            inspection_id,
            f"The records service refused {inspection_id}: {reason}",
            "The record is kept in quarantine; call whoever keeps the service.",
        )

    @property
    def idle(self) -> bool:
        """Whether no panel is on the line."""
        return not any(visit.state.phase is not Phase.DONE for visit in self._visits.values())


def _discrete(status: WashStatus) -> tuple[object, ...]:
    """What of the washer is worth telling the screens at once; its analogue values always move."""
    return status.state, status.presence, status.emergency_stop, status.alarms
