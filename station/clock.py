"""The one clock of the station, so that tests and simulations can run in their own time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time of day, and waiting."""

    def now(self) -> str:
        """Return the time of day, ISO 8601 UTC with milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> str:
        """Return the time of day, ISO 8601 UTC with milliseconds."""
        return datetime.now(UTC).isoformat(timespec="milliseconds")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
