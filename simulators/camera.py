"""The program behind an EL camera: it answers requests in a folder with pictures.

After docs/devices.md, "EL camera behind a folder". The picture shows the panel in the cabinet,
at the current that really flows through it.

Faults: ``black`` (the shutter stays shut), ``slow_copy`` (the file grows in two steps),
``cut_short`` (half of the file), ``no_picture``, ``eight_bits``.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from grading.values import ImageArray
from simulators.faults import Faults
from simulators.world import World

IDENTITY = {"maker": "Zonkeur", "model": "SimCam", "serial": "CA-0001", "firmware": "1.0"}
POLL = 0.03  # s
NO_PANEL = (1000, 1500)
BLACK_LEVEL = 900  # counts


def _accept(request: Path) -> dict[str, Any] | None:
    """Return what is asked for; None where it was taken back, or is no request."""
    try:
        asked: dict[str, Any] = json.loads(request.read_text(encoding="utf-8"))
        request.unlink()
    except (OSError, ValueError):
        return None
    return asked


class SimulatedCamera:
    """The camera's program, which watches ``folder``."""

    def __init__(self, world: World, folder: Path, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self._world = world
        self._folder = folder
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Say who takes the pictures, and watch the folder; returns its path."""
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "camera.json").write_text(json.dumps(IDENTITY), encoding="utf-8")
        self._watching = asyncio.create_task(self._watch(), name="simulated camera")
        return str(self._folder)

    async def stop(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            for request in sorted(self._folder.glob("*.request.json")):
                await self._serve(request)
            await asyncio.sleep(POLL)

    async def _serve(self, request: Path) -> None:
        asked = await asyncio.to_thread(_accept, request)
        if asked is None or self.faults.take("no_picture"):
            return
        await asyncio.sleep(float(asked["exposure"]))
        current = self._world.injected_current if self._world.door_closed else 0.0
        raw = await asyncio.to_thread(self._picture, current)
        await self._drop(asked, raw)

    def _picture(self, current: float) -> bytes:
        pixels = self._pixels(current)
        if self.faults.take("eight_bits"):
            encoded = cv2.imencode(".png", (pixels >> 8).astype(np.uint8))[1]
        else:
            encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        return bytes(encoded)

    def _pixels(self, current: float) -> ImageArray:
        panel = self._world.panel
        if panel is None or self.faults.take("black"):
            noise = np.random.default_rng(0).normal(BLACK_LEVEL, 60, NO_PANEL)
            return np.clip(noise, 0, 65535).astype(np.uint16)
        return panel.photograph(current=current)

    async def _drop(self, asked: dict[str, Any], raw: bytes) -> None:
        name = f"{asked['id']}_dark.png" if asked.get("dark") else f"{asked['id']}.png"
        path = self._folder / name
        if self.faults.take("cut_short"):
            path.write_bytes(raw[: len(raw) // 2])
            return
        if self.faults.take("slow_copy"):
            path.write_bytes(raw[: len(raw) // 2])
            await asyncio.sleep(0.3)
            path.write_bytes(raw)
            return
        part = path.with_suffix(".part")
        await asyncio.to_thread(part.write_bytes, raw)
        part.replace(path)
