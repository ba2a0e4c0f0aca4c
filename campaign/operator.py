"""Whoever stands at the line: the simulated operator, who also puts right what people did wrong."""

from __future__ import annotations

from typing import Any

from simulators.line import SimulatedLine
from simulators.operator import Operator, Service
from simulators.world import TruePanel

PACE = 0.08  # s


class CarefulOperator(Operator):
    """Puts the panel back that belongs in the cabinet, and starts a line that stands still."""

    def __init__(self, line: SimulatedLine, service: Service, most: int) -> None:
        super().__init__(line, service, pace=PACE)
        self.expected: TruePanel | None = None  # in the cabinet, as tracked
        self.strangers_seen = 0
        self._most = most
        self.brought: set[str] = set()

    def begin_again(self) -> None:
        """Start the line once more: the station was restarted, or somebody stopped it."""
        self._started = False
        self._busy_with.clear()

    async def _start_line(self, snapshot: dict[str, Any]) -> None:
        if snapshot["state"] in ("stopped", "idle", "aborted", "held"):
            self._started = False
            if "unhold" in snapshot["allowed"]:
                await self._service.post("/api/station/command", {"command": "unhold"})
                return
        await super()._start_line(snapshot)

    async def _bring_panel(self) -> None:
        standing = self._line.at_intake
        if standing is None and len(self.brought) >= self._most:
            return
        await super()._bring_panel()
        if self._line.at_intake is not None:
            self.brought.add(self._line.at_intake.panel_id)

    async def _answer(self, question: dict[str, Any]) -> None:
        world = self._line.world
        wrong = world.panel is not None and world.panel is not self.expected
        if question["kind"] == "identity_mismatch" and self.expected is not None and wrong:
            self.strangers_seen += 1
            world.panel = self.expected
        await super()._answer(question)
