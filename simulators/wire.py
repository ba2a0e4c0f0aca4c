"""The device's end of a real wire: a TCP port or a pseudo-terminal, with one handler for both.

Faults of every wire, each of one reply: ``drop_reply``, ``late_reply`` (by ``LATE_BY``, and with
it all that follow: a device answers in order), ``corrupt`` (one bit in its middle is turned),
``truncate`` (its second half is lost) and ``hang_up`` (the link closes instead).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from collections.abc import Awaitable, Callable
from enum import StrEnum

from simulators.faults import Faults

LATE_BY = 0.6  # s


class HangUp(Exception):
    """The simulated device closes the link."""


class WireKind(StrEnum):
    """What the wire is made of."""

    TCP = "tcp"
    PTY = "pty"


class Stream:
    """One open link, seen from the device."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, faults: Faults
    ) -> None:
        self.reader = reader
        self._writer = writer
        self._faults = faults

    async def reply(self, request: bytes, data: bytes) -> None:
        """Answer ``request``, with the faults of the wire; raises HangUp."""
        if self._faults.take_for("hang_up", request):
            raise HangUp
        if self._faults.take_for("drop_reply", request):
            return
        middle = len(data) // 2
        if self._faults.take_for("truncate", request):
            data = data[:middle]
        if self._faults.take_for("corrupt", request):
            data = data[:middle] + bytes([data[middle] ^ 0x04]) + data[middle + 1 :]
        if self._faults.take_for("late_reply", request):
            await asyncio.sleep(LATE_BY)
        await self.send(data)

    async def send(self, data: bytes) -> None:
        """Send ``data``; what a station that has gone does not read is lost."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    def close(self) -> None:
        """Close the link."""
        self._writer.close()


Handler = Callable[[Stream], Awaitable[None]]


class Wire:
    """Serves ``handler`` on a wire while entered; ``url`` is what pyserial can open.

    Args:
        handler: talks over one link until it ends.
        kind: TCP port or pseudo-terminal.
        host: the interface to listen at.
        port: 0 takes a free one.
        faults: of the wire.
    """

    def __init__(
        self,
        handler: Handler,
        kind: WireKind = WireKind.TCP,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        self._handler = handler
        self._kind = kind
        self._wanted = (host, port)
        self.faults = faults or Faults()
        self._server: asyncio.Server | None = None
        self._streams: set[Stream] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._terminal: tuple[asyncio.ReadTransport, int] | None = None
        self.host = host
        self.port = port
        self.url = ""

    async def __aenter__(self) -> Wire:
        if self._kind is WireKind.TCP:
            await self._listen()
        else:
            await self._open_terminal()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in list(self._streams):
            stream.close()
        if self._terminal is not None:
            self._terminal[0].close()
            os.close(self._terminal[1])
        await asyncio.sleep(0)  # asyncio closes what it was told to close in its next turn
        self._server = self._terminal = None

    async def _listen(self) -> None:
        host, port = self._wanted
        self._server = await asyncio.start_server(self._accept, host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"socket://{self.host}:{self.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._spawn(Stream(reader, writer, self.faults))

    async def _open_terminal(self) -> None:
        """Open a pty; our own hold on its far end keeps reads from failing between stations."""
        near, far = os.openpty()
        tty.setraw(far)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        hearing, _ = await loop.connect_read_pipe(
            lambda: protocol, os.fdopen(os.dup(near), "rb", 0)
        )
        writing = asyncio.StreamReaderProtocol(asyncio.StreamReader())
        transport, _ = await loop.connect_write_pipe(lambda: writing, os.fdopen(near, "wb", 0))
        self._terminal = (hearing, far)
        self.url = os.ttyname(far)
        writer = asyncio.StreamWriter(transport, writing, None, loop)
        self._spawn(Stream(reader, writer, self.faults))

    def _spawn(self, stream: Stream) -> None:
        self._streams.add(stream)
        task = asyncio.create_task(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: Stream) -> None:
        try:
            with contextlib.suppress(HangUp, ConnectionError, asyncio.IncompleteReadError):
                await self._handler(stream)
        finally:
            self._streams.discard(stream)
            stream.close()
