"""A barcode scanner on a serial line.

Faults besides those of every wire: ``noise`` (bytes that are no code come before it).
"""

from __future__ import annotations

import asyncio

from simulators.faults import Faults
from simulators.wire import HangUp, Stream, Wire, WireKind


class SimulatedScanner:
    """A barcode scanner; what nobody listens to is lost."""

    def __init__(
        self, faults: Faults | None = None, *, kind: WireKind = WireKind.PTY, port: int = 0
    ) -> None:
        self.faults = faults or Faults()
        self._streams: set[Stream] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._wire = Wire(self._serve, kind, port=port, faults=self.faults)

    async def start(self) -> str:
        """Listen, and return the address."""
        await self._wire.__aenter__()
        return self._wire.url

    async def stop(self) -> None:
        """Let go of the wire."""
        await self._wire.__aexit__()

    def emit(self, code: str) -> None:
        """Read a code."""
        line = code.encode("ascii") + b"\r\n"
        if self.faults.take("noise"):
            line = b"\xff\xfe\x80\r\n" + line
        for stream in self._streams:
            task = asyncio.create_task(_send(stream, line))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _serve(self, stream: Stream) -> None:
        self._streams.add(stream)
        try:
            while await stream.reader.read(1024):
                pass  # a scanner takes no orders
        finally:
            self._streams.discard(stream)


async def _send(stream: Stream, line: bytes) -> None:
    try:
        await stream.reply(b"", line)
    except HangUp:
        stream.close()
