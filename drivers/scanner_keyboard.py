"""A scanner that types: the screen that has the focus pushes the codes here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

from pydantic import BaseModel, ConfigDict

from grading.values import Instrument


class ScannerKeyboardSettings(BaseModel):
    """A keyboard scanner cannot say who it is, so its label goes here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["scanner_keyboard"] = "scanner_keyboard"
    name: str = "scanner"
    maker: str = "unknown"
    model: str = "keyboard scanner"
    serial: str = "unknown"


class ScannerKeyboard:
    """A barcode scanner that works as a keyboard."""

    def __init__(self, settings: ScannerKeyboardSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._codes: asyncio.Queue[str] = asyncio.Queue()

    async def connect(self) -> Instrument:
        """Return who it is; there is no link to open."""
        settings = self._settings
        return Instrument(
            role="scanner",
            maker=settings.maker,
            model=settings.model,
            serial=settings.serial,
            firmware="unknown",
        )

    async def close(self) -> None:
        """There is no link to let go of."""

    def push(self, code: str) -> None:
        """Take a code that was typed."""
        if code.strip():
            self._codes.put_nowait(code.strip())

    async def scans(self) -> AsyncIterator[str]:
        """Yield each code as it is typed, for ever."""
        while True:
            yield await self._codes.get()
