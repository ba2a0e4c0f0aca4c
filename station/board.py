"""What the screens show of the line: visits, questions and alarms, and news of each change."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from drivers.errors import DeviceError
from station.clock import Clock
from station.ports import AlarmView, CommandRefused, Question, StationSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person decided."""

    choices: tuple[str, ...]
    by: str
    note: str | None


class Board:
    """Questions to the operator and alarms, and the change that wakes every screen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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
        """Return the alarms that stand or are not acknowledged, newest last."""
        return tuple(self._alarms.values())

    def raise_alarm(self, code: str, device: str, detail: str, remedy: str) -> None:
        """Raise an alarm; one that stands already is not raised again."""
        alarm_id = f"{device}-{code}"
        standing = self._alarms.get(alarm_id)
        if standing is not None and standing.active and standing.detail == detail:
            return
        self._alarms[alarm_id] = AlarmView(
            alarm_id=alarm_id,
            code=code,
            device=device,
            detail=detail,
            remedy=remedy,
            active=True,
            acknowledged=False,
            raised_at=self._clock.now(),
            first_out=self._is_first(alarm_id),
        )
        self.changed()

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
        alarm_id = f"{device}-{code}"
        alarm = self._alarms.get(alarm_id)
        if alarm is None or not alarm.active:
            return
        if alarm.acknowledged:
            del self._alarms[alarm_id]
        else:
            self._alarms[alarm_id] = replace(alarm, active=False)
        self.changed()

    def clear_device_alarms(self, device: str) -> None:
        """Say that a device works again."""
        for alarm in list(self._alarms.values()):
            if alarm.device == device:
                self.clear_alarm(alarm.code, device)

    def acknowledge(self, alarm_id: str) -> None:
        """Acknowledge an alarm; raises CommandRefused where there is none."""
        alarm = self._alarms.get(alarm_id)
        if alarm is None:
            raise CommandRefused("This alarm is gone already.")
        if alarm.active:
            self._alarms[alarm_id] = replace(alarm, acknowledged=True)
        else:
            del self._alarms[alarm_id]
        self.changed()
