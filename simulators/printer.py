"""A label printer that speaks ZPL II on TCP, after Zebra's programming guide.

Faults besides those of every wire: ``paper_out``, ``ribbon_out``, ``head_open``, ``paused`` (use
``always`` for those that last).
"""

from __future__ import annotations

import re

from simulators.faults import Faults
from simulators.wire import Stream, Wire, WireKind

FORMAT = re.compile(rb"\^XA.*?\^XZ", re.DOTALL)
FIELD = re.compile(rb"\^FD(.*?)\^FS", re.DOTALL)
ESCAPE = re.compile(rb"_([0-9A-F]{2})")


class SimulatedPrinter:
    """A label printer; ``labels`` are those that came out, each as its fields."""

    def __init__(self, faults: Faults | None = None, *, port: int = 0) -> None:
        self.faults = faults or Faults()
        self.labels: list[tuple[str, ...]] = []
        self._wire = Wire(self._serve, WireKind.TCP, port=port, faults=self.faults)

    async def start(self) -> str:
        """Listen, and return the address."""
        await self._wire.__aenter__()
        return f"tcp://{self._wire.host}:{self._wire.port}"

    async def stop(self) -> None:
        """Let go of the wire."""
        await self._wire.__aexit__()

    async def _serve(self, stream: Stream) -> None:
        waiting = b""
        while arrived := await stream.reader.read(4096):
            waiting = await self._take(stream, waiting + arrived)

    async def _take(self, stream: Stream, waiting: bytes) -> bytes:
        """Obey what is complete, in its order; return the rest."""
        while True:
            waiting = waiting.lstrip()
            if waiting.startswith((b"~HS", b"~HI")):
                await self._report(stream, waiting[:3])
                waiting = waiting[3:]
            elif found := FORMAT.match(waiting):
                self._print(found[0])
                waiting = waiting[found.end() :]
            else:
                return waiting

    def _print(self, text: bytes) -> None:
        if any(self._shows(trouble) for trouble in ("paper_out", "ribbon_out", "head_open")):
            return
        fields = [ESCAPE.sub(_unescape, raw).decode() for raw in FIELD.findall(text)]
        self.labels.append(tuple(fields))

    async def _report(self, stream: Stream, asked: bytes) -> None:
        if asked == b"~HI":
            answer = b"\x02ZD421-203dpi,V93.21.15Z,8,8176KB\x03\r\n"
        else:
            paper, paused, head, ribbon = (
                int(self._shows(name))
                for name in ("paper_out", "paused", "head_open", "ribbon_out")
            )
            answer = (
                b"\x02030,%d,%d,0324,000,0,0,0,000,0,0,0\x03\r\n"
                b"\x02001,0,%d,%d,1,2,6,0,00000000,1,000\x03\r\n"
                b"\x021234,0\x03\r\n" % (paper, paused, head, ribbon)
            )
        await stream.reply(asked, answer)

    def _shows(self, trouble: str) -> bool:
        return self.faults.take(trouble)


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 16)])
