"""A simulated operator: does at the simulated line what a person does, by the service's own API.

It is slower than a person who wants to answer first, so somebody who tries the product at its
screen can do any of it by hand.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

from grading.values import Nameplate
from simulators.line import SimulatedLine

NAME = "simulated operator"


class Service:
    """The service's API, as a screen uses it."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self._base_url = base_url
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    async def get(self, path: str) -> Any:
        """Return a document, or None where the service refuses."""
        return await asyncio.to_thread(self._call, path, None)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send a body and return the answer, or None where the service refuses it."""
        return await asyncio.to_thread(self._call, path, {**body, "by": NAME})

    def _call(self, path: str, body: dict[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base_url + path, data=data, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            error.close()
            return None
        except OSError:
            return None


class Operator:
    """Brings panels, looks at their backs, and takes them away."""

    def __init__(self, line: SimulatedLine, service: Service, *, pace: float = 1.0) -> None:
        self._line = line
        self._service = service
        self._pace = pace  # s, of one thing done by hand
        self._started = False
        self._busy_with: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(self._pace / 2)
            snapshot = await self._service.get("/api/station")
            if snapshot is not None:
                await self._work(snapshot)

    async def _work(self, snapshot: dict[str, Any]) -> None:
        await self._start_line(snapshot)
        for question in snapshot["questions"]:
            await self._answer(question)
        phases = {visit["phase"] for visit in snapshot["visits"]}
        if snapshot["state"] != "execute":
            return
        if not phases & {"intake", "back_sheet", "infeed"}:
            await self._bring_panel()
        if "infeed" in phases:
            self._line.load()
        for visit in snapshot["visits"]:
            if visit["phase"] == "route":
                await self._take_away(visit)

    async def _start_line(self, snapshot: dict[str, Any]) -> None:
        """Start the line once, in the morning; whoever stops it later keeps it stopped."""
        if self._started:
            return
        for command in ("clear", "reset", "start"):
            if command in snapshot["allowed"]:
                await self._service.post("/api/station/command", {"command": command})
                self._started = command == "start"
                return

    async def _bring_panel(self) -> None:
        panel = self._line.present()
        plate = {name: getattr(panel.nameplate, name) for name in Nameplate.__slots__}
        await self._service.post(
            "/api/station/intake",
            {
                "panel_id": panel.panel_id,
                "serial": panel.serial,
                "nameplate": {k: v for k, v in plate.items() if v is not None},
            },
        )

    async def _answer(self, question: dict[str, Any]) -> None:
        choices = self._choices(question)
        name = question["question_id"]
        if choices is None or name in self._busy_with:
            return
        self._busy_with.add(name)
        await asyncio.sleep(self._pace)
        if question["kind"] == "identity_mismatch":
            self._line.scan_cabinet()
        await self._service.post(f"/api/station/questions/{name}/answer", {"choices": choices})

    def _choices(self, question: dict[str, Any]) -> list[str] | None:
        """Return what a person would answer; None where it is not for this one to say."""
        if question["kind"] == "back_sheet":
            panel = self._line.at_intake
            if panel is None or panel.panel_id != question["panel_id"]:
                return None
            return list(panel.visual_defects) or ["sound"]
        if question["kind"] == "identity_mismatch":
            return ["scan_again"]
        return ["retry"] if "retry" in question["choices"] else None

    async def _take_away(self, visit: dict[str, Any]) -> None:
        inspection_id = visit["inspection_id"]
        if inspection_id in self._busy_with:
            return
        self._busy_with.add(inspection_id)
        await asyncio.sleep(self._pace * 2)
        self._line.carry_away(visit["panel_id"])
        await self._service.post(f"/api/station/routes/{inspection_id}", {})
