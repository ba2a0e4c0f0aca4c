"""What the station needs from, and offers to, the rest of the house.

The station knows the records service as a :class:`Recorder`, and the screens know the station
as a :class:`StationControl`; neither sees more of the other than this page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drivers.roles import WashStatus
from grading.values import GradeReport, Instrument, Nameplate
from station.alarms import AlarmEvent, AlarmState, Priority


class RecorderUnavailable(Exception):
    """The records service did not answer; the outbox keeps the record and tries again."""


class RecordRefused(Exception):
    """The records service will never take this record; the outbox puts it in quarantine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitEvent:
    """One step of a panel's visit, for its history. ``at`` is ISO 8601 UTC."""

    phase: str
    at: str
    detail: str | None = None


class Recorder(Protocol):
    """Takes a report for good. Recording the same inspection twice is one record."""

    def record(self, report: GradeReport, history: tuple[VisitEvent, ...]) -> None:
        """Return once the record is durable; raises RecorderUnavailable or RecordRefused."""
        ...


class LineState(StrEnum):
    """The station's state, after PackML (ISA-TR88.00.02)."""

    CLEARING = "clearing"
    STOPPED = "stopped"
    STARTING = "starting"
    IDLE = "idle"
    SUSPENDED = "suspended"
    EXECUTE = "execute"
    STOPPING = "stopping"
    ABORTING = "aborting"
    ABORTED = "aborted"
    HOLDING = "holding"
    HELD = "held"
    UNHOLDING = "unholding"
    SUSPENDING = "suspending"
    UNSUSPENDING = "unsuspending"
    RESETTING = "resetting"
    COMPLETING = "completing"
    COMPLETE = "complete"


class LineCommand(StrEnum):
    """What an operator can tell the line."""

    RESET = "reset"
    START = "start"
    STOP = "stop"
    HOLD = "hold"
    UNHOLD = "unhold"
    ABORT = "abort"
    CLEAR = "clear"


class Phase(StrEnum):
    """Where a panel is on its way, in order."""

    INTAKE = "intake"
    BACK_SHEET = "back_sheet"
    INFEED = "infeed"
    WASH = "wash"
    RINSE = "rinse"
    DRY = "dry"
    OUTFEED = "outfeed"
    IDENTIFY = "identify"
    SAFETY = "safety"
    FLASH = "flash"
    EL = "el"
    GRADE = "grade"
    RECORD = "record"
    ROUTE = "route"
    DONE = "done"


class SafetyTest(StrEnum):
    """A step of :attr:`Phase.SAFETY`, in order."""

    GROUND = "ground"
    INSULATION = "insulation"
    WET_LEAKAGE = "wet_leakage"
    BYPASS_DIODES = "bypass_diodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitView:
    """One panel that is on the line now. ``since`` is ISO 8601 UTC, ``step`` a SafetyTest."""

    inspection_id: str
    panel_id: str
    phase: Phase
    since: str
    problem: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something only a person can decide.

    ``kind`` and each choice are codes with a text in both languages; ``multiple`` lets several
    choices be given at once.
    """

    question_id: str
    kind: str  # back_sheet | identity_mismatch | duplicate_scan | device_trouble | lost_track
    inspection_id: str | None
    panel_id: str | None
    detail: str
    choices: tuple[str, ...]
    multiple: bool
    raised_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmView:
    """An alarm that stands or is not acknowledged yet (ISA-18.2).

    ``first_out`` marks the one that came while no other stood: look there for the cause.
    """

    alarm_id: str
    code: str
    device: str
    detail: str
    remedy: str
    active: bool
    acknowledged: bool
    raised_at: str
    first_out: bool = False
    priority: Priority = Priority.HIGH
    safety: bool = False
    state: AlarmState = AlarmState.UNACKNOWLEDGED
    shelved_until: str | None = None
    shelved_by: str | None = None
    shelved_why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmChange:
    """One thing that happened to an alarm, for its history. ``at`` is ISO 8601 UTC."""

    at: str
    alarm_id: str
    code: str
    device: str
    event: AlarmEvent
    state: AlarmState  # afterwards
    by: str
    detail: str  # for a shelved one, why
    first_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """One device as the station sees it."""

    name: str
    role: str
    connected: bool
    instrument: Instrument | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSnapshot:
    """All that a screen shows of the line, in one value. ``sequence`` grows with each change."""

    station_id: str
    sequence: int
    state: LineState
    allowed: tuple[LineCommand, ...]
    visits: tuple[VisitView, ...]
    questions: tuple[Question, ...]
    alarms: tuple[AlarmView, ...]
    devices: tuple[DeviceView, ...]
    washer: WashStatus | None
    processed: int
    defective: int
    outbox_depth: int
    latest_inspection_id: str | None  # the last one recorded


class CommandRefused(Exception):
    """The line cannot do that in its present state; ``str()`` says why and what to do."""


class StationControl(Protocol):
    """What screens and routes may do with the station."""

    def snapshot(self) -> StationSnapshot:
        """Return the present state."""
        ...

    def changes(self) -> AsyncIterator[StationSnapshot]:
        """Yield the present state, and then each later one; a slow reader skips to the newest."""
        ...

    async def command(self, command: LineCommand, *, by: str) -> None:
        """Command the line; raises CommandRefused."""
        ...

    async def intake(
        self,
        panel_id: str,
        *,
        by: str,
        nameplate: Nameplate | None = None,
        serial: str | None = None,
    ) -> str:
        """Take a panel in, as a scan at the intake does; returns the inspection's id.

        Raises CommandRefused for a barcode that is not one, or is already on the line.
        """
        ...

    async def answer(
        self, question_id: str, choices: tuple[str, ...], *, by: str, note: str | None = None
    ) -> None:
        """Answer a question; raises CommandRefused where it is gone or the choice unknown."""
        ...

    async def acknowledge(self, alarm_id: str, *, by: str) -> None:
        """Acknowledge an alarm; raises CommandRefused where it is gone."""
        ...

    async def shelve(self, alarm_id: str, minutes: int, *, by: str, reason: str) -> None:
        """Put an alarm aside for a while; raises CommandRefused, for a safety alarm always."""
        ...

    async def unshelve(self, alarm_id: str, *, by: str) -> None:
        """Take an alarm from the shelf; raises CommandRefused where it is not on it."""
        ...

    def alarm_history(self, since: str, until: str) -> list[AlarmChange]:
        """Return what happened to alarms from ``since`` up to ``until`` (ISO 8601 UTC)."""
        ...

    async def confirm_route(self, inspection_id: str, *, by: str) -> None:
        """Say that the panel was taken to its destination; raises CommandRefused."""
        ...
