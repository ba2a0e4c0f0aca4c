from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from simulators.wire import Stream, Wire, WireKind

Exchange = tuple[bytes, bytes]


@dataclass
class Transcript:
    """What a device's manual says goes over its wire, byte by byte: (from us, to us)."""

    exchanges: Sequence[Exchange]
    url: str = ""
    wrong: list[str] = field(default_factory=list)
    done: int = 0

    async def play(self, stream: Stream) -> None:
        while self.done < len(self.exchanges):
            expected, answer = self.exchanges[self.done]
            got = await stream.reader.readexactly(len(expected))
            if got != expected:
                self.wrong.append(f"{got!r} instead of {expected!r}")
                return
            self.done += 1
            await stream.send(answer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            self.wrong.append(f"{await stream.reader.readexactly(1)!r} after the end")


Play = Callable[..., Awaitable[Transcript]]


@pytest.fixture
async def transcript() -> AsyncIterator[Play]:
    """Returns a device that knows one transcript; it fails the test where we depart from it."""
    async with contextlib.AsyncExitStack() as stack:
        played: list[Transcript] = []

        async def play(*exchanges: Exchange, kind: WireKind = WireKind.PTY) -> Transcript:
            script = Transcript(exchanges)
            wire = await stack.enter_async_context(Wire(script.play, kind))
            script.url = wire.url
            played.append(script)
            return script

        yield play
        for script in played:
            assert not script.wrong
            assert script.done == len(script.exchanges)
