"""What the screens show of the line: visits, questions and alarms, and news of each change."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from drivers.errors import DeviceError
from station.alarms import ACTIVE, SHELVED, TRANSITIONS, AlarmEvent, AlarmState, kind_of
from station.clock import Clock
from station.ports import AlarmChange, AlarmView, CommandRefused, Question, StationSnapshot

LONGEST_SHELF = 480  # minutes, a shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person decided."""

    choices: tuple[str, ...]
    by: str
    note: str | None


class Board:
    """Questions to the operator and alarms, and the change that wakes every screen."""

    def __init__(
        self, clock: Clock, keep: Callable[[AlarmChange], None] = lambda change: None
    ) -> None:
        """``keep`` writes down what happens to an alarm."""
        self._clock = clock
        self._keep = keep
        self._numbers = itertools.count(1)
        self._waiting: dict[str, tuple[Question, asyncio.Future[Answer]]] = {}
        self._alarms: dict[str, AlarmView] = {}
        self._changed = asyncio.Condition()
        self._wakers: set[asyncio.Task[None]] = set()
        self.sequence = 0

    # --- change ------------------------------------------------------------------------------

    def changed(self) -> None:
        """Say that something a screen shows has changed."""
        self.sequence += 1
        task = asyncio.get_running_loop().create_task(self._notify())
        self._wakers.add(task)
        task.add_done_callback(self._wakers.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def changes(
        self, snapshot: Callable[[], StationSnapshot]
    ) -> AsyncIterator[StationSnapshot]:
        """Yield the snapshot now and after each change; a slow reader skips to the newest."""
        while True:
            seen = self.sequence
            yield snapshot()
            async with self._changed:
                while self.sequence == seen:
                    await self._changed.wait()

    # --- questions ---------------------------------------------------------------------------

    @property
    def questions(self) -> tuple[Question, ...]:
        """Return the open questions, oldest first."""
        return tuple(question for question, _ in self._waiting.values())

    async def ask(
        self,
        kind: str,
        choices: tuple[str, ...],
        detail: str,
        *,
        inspection_id: str | None = None,
        panel_id: str | None = None,
        multiple: bool = False,
    ) -> Answer:
        """Ask the operator, and wait for the answer."""
        question = Question(
            question_id=f"q{next(self._numbers)}",
            kind=kind,
            inspection_id=inspection_id,
            panel_id=panel_id,
            detail=detail,
            choices=choices,
            multiple=multiple,
            raised_at=self._clock.now(),
        )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[question.question_id] = (question, future)
        self.changed()
        try:
            return await future
        finally:
            del self._waiting[question.question_id]
            self.changed()

    def answer(self, question_id: str, answer: Answer) -> None:
        """Give an answer; raises CommandRefused where it does not fit the question."""
        if question_id not in self._waiting:
            raise CommandRefused("This question was answered already, or its panel has left.")
        question, future = self._waiting[question_id]
        unknown = [choice for choice in answer.choices if choice not in question.choices]
        if unknown or not answer.choices or (len(answer.choices) > 1 and not question.multiple):
            raise CommandRefused(
                f"Choose {'from' if question.multiple else 'one of'} {', '.join(question.choices)}."
            )
        if future.done():
            raise CommandRefused("This question was answered already.")
        future.set_result(answer)

    # --- alarms ------------------------------------------------------------------------------

    @property
    def alarms(self) -> tuple[AlarmView, ...]:
        """Return the alarms that stand, are not acknowledged or are shelved, newest last."""
        return tuple(self._alarms.values())

    def raise_alarm(self, code: str, device: str, detail: str, remedy: str) -> None:
        """Raise an alarm; one that stands already is not raised again."""
        alarm_id = f"{device}-{code}"
        standing = self._alarms.get(alarm_id)
        if standing is not None and standing.active and standing.detail == detail:
            return
        kind = kind_of(code)
        alarm = AlarmView(
            alarm_id=alarm_id,
            code=code,
            device=device,
            detail=detail,
            remedy=remedy,
            active=True,
            acknowledged=False,
            raised_at=self._clock.now(),
            first_out=self._is_first(alarm_id),
            priority=kind.priority,
            safety=kind.safety,
            state=standing.state if standing else AlarmState.NORMAL,
            shelved_until=standing.shelved_until if standing else None,
            shelved_by=standing.shelved_by if standing else None,
            shelved_why=standing.shelved_why if standing else None,
        )
        self._follow(alarm, AlarmEvent.RAISE, by="station")

    def _is_first(self, alarm_id: str) -> bool:
        """Whether no other alarm stands; one that stands already keeps its mark."""
        standing = self._alarms.get(alarm_id)
        if standing is not None and standing.active:
            return standing.first_out
        return not any(alarm.active for alarm in self._alarms.values())

    def raise_device_alarm(self, error: DeviceError) -> None:
        """Raise the alarm of a device's error."""
        self.raise_alarm(type(error).__name__, error.device, error.detail, error.remedy)

    def clear_alarm(self, code: str, device: str) -> None:
        """Say that the cause is gone; it stays on the board until acknowledged."""
        alarm = self._alarms.get(f"{device}-{code}")
        if alarm is not None and alarm.active:
            self._follow(alarm, AlarmEvent.RETURN, by="station")

    def clear_device_alarms(self, device: str) -> None:
        """Say that a device works again."""
        for alarm in list(self._alarms.values()):
            if alarm.device == device:
                self.clear_alarm(alarm.code, device)

    def acknowledge(self, alarm_id: str, by: str = "operator") -> None:
        """Acknowledge an alarm; raises CommandRefused where there is none."""
        self._follow(self._alarm(alarm_id), AlarmEvent.ACKNOWLEDGE, by=by)

    def shelve(self, alarm_id: str, minutes: int, *, by: str, reason: str) -> None:
        """Put an alarm aside for a while; raises CommandRefused, for a safety alarm always."""
        alarm = self._alarm(alarm_id)
        if alarm.safety:
            raise CommandRefused(
                f"{alarm.code} guards people and is never shelved. Take its cause away."
            )
        if not 1 <= minutes <= LONGEST_SHELF or not reason.strip():
            raise CommandRefused(
                f"Shelve for 1 to {LONGEST_SHELF} minutes, and say why in a few words."
            )
        until = datetime.fromisoformat(self._clock.now()) + timedelta(minutes=minutes)
        put_aside = replace(
            alarm,
            shelved_until=until.isoformat(timespec="milliseconds"),
            shelved_by=by,
            shelved_why=reason.strip(),
        )
        self._follow(put_aside, AlarmEvent.SHELVE, by=by, reason=reason.strip())

    def unshelve(self, alarm_id: str, *, by: str) -> None:
        """Take an alarm from the shelf; raises CommandRefused where it is not on it."""
        self._follow(self._alarm(alarm_id), AlarmEvent.UNSHELVE, by=by)

    async def watch_shelf(self) -> None:
        """Take every alarm from the shelf when its time is over; never ends."""
        while True:
            await self._clock.sleep(1.0)
            now = datetime.fromisoformat(self._clock.now())
            for alarm in self.alarms:
                if alarm.shelved_until and datetime.fromisoformat(alarm.shelved_until) <= now:
                    self.unshelve(alarm.alarm_id, by="station")

    def _alarm(self, alarm_id: str) -> AlarmView:
        alarm = self._alarms.get(alarm_id)
        if alarm is None:
            raise CommandRefused("This alarm is gone already.")
        return alarm

    def _follow(self, alarm: AlarmView, event: AlarmEvent, *, by: str, reason: str = "") -> None:
        """Move an alarm as the table says, show it, and keep what happened."""
        state = TRANSITIONS.get((alarm.state, event))
        if state is None:
            raise CommandRefused(f"This alarm is {alarm.state}: it cannot {event} now.")
        alarm = replace(
            alarm,
            state=state,
            active=state in ACTIVE,
            acknowledged=state is AlarmState.ACKNOWLEDGED,
        )
        if state not in SHELVED:
            alarm = replace(alarm, shelved_until=None, shelved_by=None, shelved_why=None)
        if state is AlarmState.NORMAL:
            self._alarms.pop(alarm.alarm_id, None)
        else:
            self._alarms[alarm.alarm_id] = alarm
        self._keep(
            AlarmChange(
                at=self._clock.now(),
                alarm_id=alarm.alarm_id,
                code=alarm.code,
                device=alarm.device,
                event=event,
                state=state,
                by=by,
                detail=reason or alarm.detail,
                first_out=alarm.first_out,
            )
        )
        self.changed()
