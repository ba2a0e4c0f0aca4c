"""One panel's visit, from intake to its destination; read it from top to bottom.

Evidence is durable and hashed before it is graded; the record is durable before the panel is
routed. After a restart a visit goes on where its evidence allows: what was sealed is graded,
what was not is measured again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter

from drivers.errors import DeviceError, DeviceRefused, InterlockOpen, PanelLive
from drivers.roles import Label, WashCommand, Zone
from evidence.errors import EvidenceError
from evidence.folder import evidence_files, read_evidence
from evidence.reports import to_json
from evidence.store import MANIFEST, seal
from grading.values import (
    ELImage,
    Evidence,
    GradeReport,
    ImageArray,
    Instrument,
    IVCurve,
    Outcome,
    PanelIdentity,
    SafetyRecord,
    VisualRecord,
)
from station import cabinet
from station.board import Answer, Board
from station.cabinet import Devices, MeasurementSettings, ScanBuffer
from station.clock import Clock
from station.journal import Journal
from station.outbox import Outbox, to_record
from station.ports import Phase, VisitEvent, VisitView

T = TypeVar("T")

SOUND = "sound"
DEFECTS = (
    "broken_glass",
    "back_sheet_damaged",
    "frame_bent",
    "edge_delamination",
    "junction_box",
    "corrosion",
    "burnt_spot",
    "cable_connector",
)
ORDER = tuple(Phase)
PHASE_OF_ZONE = {zone: Phase(zone.value) for zone in Zone}
MEASURED_WITH = ("tester", "camera", "source", "insulation")


@dataclass(slots=True, kw_only=True)
class VisitState:
    """What of a visit survives a restart."""

    inspection_id: str
    panel: PanelIdentity
    phase: Phase = Phase.INTAKE
    since: str = ""
    measured_at: str | None = None
    visual: VisualRecord | None = None
    identity_confirmed: bool | None = None
    history: list[VisitEvent] = field(default_factory=list)


_STATE = TypeAdapter(VisitState)


def restore(state: dict[str, Any]) -> VisitState:
    """Return a visit's state from the journal.

    Whether the panel in the cabinet is the right one is asked again: the door may have been
    opened while nobody watched.
    """
    restored = _STATE.validate_python(state)
    restored.identity_confirmed = None
    return restored


class Line(Protocol):
    """What a visit needs of the line that it runs on."""

    devices: Devices
    settings: MeasurementSettings
    clock: Clock
    board: Board
    journal: Journal
    outbox: Outbox
    evidence_dir: Path
    cabinet_free: asyncio.Lock
    cabinet_scans: ScanBuffer

    @property
    def instruments(self) -> dict[str, Instrument]:
        """Who answered, by role."""
        ...

    async def running(self) -> None:
        """Wait until the line is in Execute."""
        ...

    async def announce(self, inspection_id: str) -> None:
        """Wait until the infeed may be told which panel comes next, and tell it."""
        ...

    def release(self, inspection_id: str) -> None:
        """Let the tracking go of a panel that has left the belt."""
        ...

    async def grade(self, evidence: Evidence) -> GradeReport:
        """Judge the evidence."""
        ...

    async def dark_frame(self) -> ImageArray | None:
        """Return a recent dark frame."""
        ...


class Visit:
    """The visit of one panel."""

    def __init__(self, line: Line, state: VisitState) -> None:
        self._line = line
        self.state = state
        self.problem: str | None = None
        self._live = False  # the panel may still carry the test voltage
        self._reached_outfeed = asyncio.Event()
        self._routed = asyncio.Event()
        if state.phase is Phase.OUTFEED:
            self._reached_outfeed.set()

    # --- the way of a panel --------------------------------------------------------------------

    async def run(self) -> None:
        """Take the panel from where it is to its destination."""
        if self._before(Phase.DONE):
            await self._way()
            self._enter(Phase.DONE)
        self._line.journal.close_visit(self.state.inspection_id)

    async def _way(self) -> None:
        if self._before(Phase.INFEED):
            await self._check_back_sheet()
        if self._sound and self._before(Phase.IDENTIFY):
            await self._pass_wash_line()
        if self._sound:
            async with self._line.cabinet_free:
                if not self._sealed:
                    await self._enter_cabinet()
                    await self._measure()
                await self._grade_and_route()
        else:
            if not self._sealed:
                await self._seal(self._evidence())
            await self._grade_and_route()

    async def _check_back_sheet(self) -> None:
        self._enter(Phase.BACK_SHEET)
        answer = await self._ask(
            "back_sheet",
            (SOUND, *DEFECTS),
            "Look at the back sheet, the glass, the frame and the cables.",
            multiple=True,
        )
        self.state.visual = VisualRecord(
            defects=tuple(choice for choice in answer.choices if choice != SOUND),
            inspector=answer.by,
            note=answer.note,
        )
        self._save()

    async def _pass_wash_line(self) -> None:
        if self._before(Phase.INFEED):
            await self._line.running()
            await self._line.announce(self.state.inspection_id)
            self._enter(Phase.INFEED, "announced")
        await self._reached_outfeed.wait()

    async def _enter_cabinet(self) -> None:
        """Let the panel in, and make sure that it is the one that was tracked."""
        if self._before(Phase.IDENTIFY):
            self._line.cabinet_scans.flush()
            await self._attempt(self._let_in)
            self._line.release(self.state.inspection_id)
            self._enter(Phase.IDENTIFY)
        while self.state.identity_confirmed is None:
            await self._line.running()
            code = await self._line.cabinet_scans.next(self._line.settings.scan_timeout)
            if code == self.state.panel.panel_id:
                self.state.identity_confirmed = True
            else:
                await self._resolve_mismatch(code)
        self._save()

    async def _let_in(self) -> None:
        washer = self._line.devices.washer
        try:
            await washer.command(WashCommand.RELEASE)
        except DeviceRefused:
            # It was let in before a restart that came before this was written down, or somebody
            # took it off: the barcode tells.
            if (await washer.status()).presence[Zone.OUTFEED]:
                raise

    async def _resolve_mismatch(self, code: str | None) -> None:
        seen = "No barcode was read" if code is None else f"The scanner read {code}"
        answer = await self._ask(
            "identity_mismatch",
            ("scan_again", "hold_panel"),
            f"{seen}; the panel that was tracked here is {self.state.panel.panel_id}.",
        )
        if "hold_panel" in answer.choices:
            self.state.identity_confirmed = False

    async def _measure(self) -> None:
        """Measure all that can be measured; what cannot be stays missing, and never passes."""
        safety: SafetyRecord | None = None
        curves: tuple[IVCurve, ...] | None = None
        image: ELImage | None = None
        lamp_flashes: int | None = None
        line, plate = self._line, self.state.panel.nameplate
        self.state.measured_at = line.clock.now()
        if self.state.identity_confirmed:
            insulation = line.devices.insulation
            if insulation is not None:
                self._enter(Phase.SAFETY)
                safety = await self._attempt(
                    lambda: cabinet.measure_safety(
                        insulation, plate, line.settings, partial(self._enter, Phase.SAFETY)
                    )
                )
        if self.state.identity_confirmed and not self._live:
            self._enter(Phase.FLASH)
            curves = await self._attempt(
                lambda: cabinet.flash(line.devices.tester, line.settings, self._identified)
            )
            if curves:
                lamp_flashes = await self._attempt(self._lamp_flashes, moves=False)
            self._enter(Phase.EL)
            image = await self._attempt(self._photograph)
        evidence = self._evidence(safety=safety, curves=curves or (), image=image)
        await self._seal(replace(evidence, lamp_flashes=lamp_flashes))

    async def _lamp_flashes(self) -> int:
        return (await self._line.devices.tester.interlock()).lamp_flashes

    async def _photograph(self) -> ELImage:
        line = self._line
        dark = await line.dark_frame()
        return await cabinet.photograph(
            line.devices, self.state.panel.nameplate, line.settings, dark, line.clock.now
        )

    async def _seal(self, evidence: Evidence) -> None:
        """Put the evidence on the disk, hashed; without it nothing is graded."""
        files = await asyncio.to_thread(evidence_files, evidence)
        while True:
            try:
                await asyncio.to_thread(seal, self._folder, files)
            except EvidenceError as error:
                self._line.board.raise_alarm(error.code, "storage", error.detail, error.remedy)
                await self._ask("storage_trouble", ("retry",), str(error))
            else:
                self._line.board.clear_device_alarms("storage")
                return

    async def _grade_and_route(self) -> None:
        if self._before(Phase.ROUTE):
            self._enter(Phase.GRADE)
            report = await self._grade()
            self._enter(Phase.RECORD)
            self._line.journal.post(
                self.state.inspection_id,
                to_record(report, tuple(self.state.history)),
                defective=report.verdict is Outcome.REJECT,
            )
            self._line.outbox.wake()
            await self._line.outbox.delivered(self.state.inspection_id)
            self._enter(Phase.ROUTE, report.destination)
            await self._print_label(report)
        await self._routed.wait()

    async def _grade(self) -> GradeReport:
        while True:
            try:
                evidence = await asyncio.to_thread(read_evidence, self._folder)
                return await self._line.grade(evidence)
            except Exception as error:
                # Whatever the reason, the evidence is safe and the panel must not be lost.
                detail = f"{self.state.panel.panel_id} could not be graded: {error}"
                self._line.board.raise_alarm(
                    "grading_failed", "grading", detail, "Try again; the evidence is kept."
                )
                await self._ask("grading_trouble", ("retry",), detail)
                self._line.board.clear_device_alarms("grading")

    async def _print_label(self, report: GradeReport) -> None:
        printer = self._line.devices.printer
        if printer is None:
            return
        label = Label(
            panel_id=self.state.panel.panel_id,
            title=f"{report.verdict.value.upper()} {report.grade or ''}".strip(),
            lines=(report.destination, report.measured_at or "", *report.reasons),
        )
        await self._attempt(lambda: printer.print(label), moves=False)

    # --- what others tell the visit ------------------------------------------------------------

    def reached(self, zone: Zone) -> None:
        """Say that the tracking saw the panel in ``zone``."""
        self._enter(PHASE_OF_ZONE[zone])
        if zone is Zone.OUTFEED:
            self._reached_outfeed.set()

    def routed(self, by: str) -> bool:
        """Say that the panel was taken to its destination; False where it is not so far."""
        if self.state.phase is not Phase.ROUTE:
            return False
        self.state.history.append(
            VisitEvent(phase=Phase.ROUTE, at=self._line.clock.now(), detail=f"taken by {by}")
        )
        self._save()
        self._routed.set()
        return True

    @property
    def at_intake(self) -> bool:
        """Whether the panel still stands at the intake."""
        return self._before(Phase.INFEED)

    @property
    def view(self) -> VisitView:
        """Return what screens show of the visit."""
        return VisitView(
            inspection_id=self.state.inspection_id,
            panel_id=self.state.panel.panel_id,
            phase=self.state.phase,
            since=self.state.since,
            problem=self.problem,
            step=self.state.history[-1].detail if self.state.phase is Phase.SAFETY else None,
        )

    # --- small print ---------------------------------------------------------------------------

    @property
    def _sound(self) -> bool:
        return self.state.visual is not None and not self.state.visual.defects

    @property
    def _identified(self) -> str:
        """The barcode that was confirmed in the cabinet; empty without, and nothing flashes."""
        return self.state.panel.panel_id if self.state.identity_confirmed else ""

    @property
    def _folder(self) -> Path:
        return self._line.evidence_dir / self.state.inspection_id

    @property
    def _sealed(self) -> bool:
        return (self._folder / MANIFEST).exists()

    def _before(self, phase: Phase) -> bool:
        return ORDER.index(self.state.phase) < ORDER.index(phase)

    def _evidence(
        self,
        *,
        safety: SafetyRecord | None = None,
        curves: tuple[IVCurve, ...] = (),
        image: ELImage | None = None,
    ) -> Evidence:
        return Evidence(
            inspection_id=self.state.inspection_id,
            panel=self.state.panel,
            curves=curves,
            image=image,
            safety=safety,
            visual=self.state.visual,
            instruments=cabinet.instruments_used(self._line.instruments, MEASURED_WITH),
            measured_at=self.state.measured_at or self._line.clock.now(),
            identity_confirmed=self.state.identity_confirmed,
        )

    async def _attempt(self, step: Callable[[], Awaitable[T]], *, moves: bool = True) -> T | None:
        """Do one step with a device: tried twice, then a person decides; None when given up.

        What ``moves``, flashes or heats waits for the line to be in Execute.
        """
        failed: list[str] = []
        while True:
            if moves:
                await self._line.running()
            try:
                result = await step()
            except InterlockOpen as error:
                await self._wait_until_safe(error)
            except DeviceError as error:
                failed.append(error.device)
                self._line.board.raise_device_alarm(error)
                if len(failed) % 2 == 0 and not await self._try_again(error):
                    self._live |= isinstance(error, PanelLive)
                    return None
            else:
                for device in failed:
                    self._line.board.clear_device_alarms(device)
                return result

    async def _try_again(self, error: DeviceError) -> bool:
        self.problem = str(error)
        answer = await self._ask("device_trouble", ("retry", "give_up"), str(error))
        self.problem = None
        return "retry" in answer.choices

    async def _wait_until_safe(self, error: InterlockOpen) -> None:
        board, tester = self._line.board, self._line.devices.tester
        board.raise_device_alarm(error)
        self.problem = str(error)
        while True:
            await self._line.clock.sleep(0.3)
            try:
                if (await tester.interlock()).safe:
                    break
            except DeviceError as other:
                board.raise_device_alarm(other)
        self.problem = None
        board.clear_device_alarms(error.device)

    async def _ask(
        self, kind: str, choices: tuple[str, ...], detail: str, *, multiple: bool = False
    ) -> Answer:
        return await self._line.board.ask(
            kind,
            choices,
            detail,
            inspection_id=self.state.inspection_id,
            panel_id=self.state.panel.panel_id,
            multiple=multiple,
        )

    def _enter(self, phase: Phase, detail: str | None = None) -> None:
        self.state.phase = phase
        self.state.since = self._line.clock.now()
        self.state.history.append(VisitEvent(phase=phase, at=self.state.since, detail=detail))
        self._save()

    def _save(self) -> None:
        self._line.journal.save_visit(self.state.inspection_id, to_json(self.state))
        self._line.board.changed()
