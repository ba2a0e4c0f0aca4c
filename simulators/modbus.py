"""A small Modbus server over TCP or RTU frames, written from the specification.

It shares no line with the station's Modbus library, so that neither hides a mistake of the
other. Functions 3, 6 and 16, after "MODBUS Application Protocol V1.1b3"; RTU frames and CRC
after "MODBUS over Serial Line V1.02".
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence

from simulators.wire import Stream

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
FRAME_SILENCE = 0.05  # s without a byte that end a frame that makes no sense


class ModbusRefusal(Exception):
    """The device answers with an exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class ModbusServer:
    """Answers requests out of ``read`` and into ``write``.

    Args:
        read: ``(address, count)`` to register contents; raises ModbusRefusal.
        write: takes ``(address, words)``; raises ModbusRefusal.
        device_id: others are not answered.
    """

    def __init__(
        self,
        read: Callable[[int, int], Sequence[int]],
        write: Callable[[int, Sequence[int]], None],
        *,
        device_id: int = 1,
    ) -> None:
        self._read = read
        self._write = write
        self._device_id = device_id

    async def serve_tcp(self, stream: Stream) -> None:
        """Answer requests in Modbus/TCP frames until the link ends."""
        while True:
            head = await stream.reader.readexactly(7)
            transaction, protocol, length, unit = struct.unpack(">HHHB", head)
            if protocol != 0 or not 2 <= length <= 254:
                return
            request = await stream.reader.readexactly(length - 1)
            if unit == self._device_id:
                answer = self.answer(request)
                frame = struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit) + answer
                await stream.reply(request, frame)

    async def serve_rtu(self, stream: Stream) -> None:
        """Answer requests in RTU frames until the link ends."""
        while True:
            frame = await self._next_rtu(stream)
            if frame is not None and frame[0] == self._device_id:
                body = frame[:1] + self.answer(frame[1:-2])
                await stream.reply(frame[1:-2], body + struct.pack("<H", crc16(body)))

    async def _next_rtu(self, stream: Stream) -> bytes | None:
        """Read one frame; its length follows from its function. None where it is damaged.

        What is damaged has no length, so all is thrown away up to the next silence.
        """
        frame = await stream.reader.readexactly(1)
        try:
            async with asyncio.timeout(FRAME_SILENCE):
                frame += await stream.reader.readexactly(7)
                if frame[1] == 16:
                    frame += await stream.reader.readexactly(frame[6] + 1)
        except TimeoutError:
            frame = b""
        if frame and crc16(frame) == 0:
            return frame
        await _wait_for_silence(stream)
        return None

    def answer(self, request: bytes) -> bytes:
        """Return the answer to ``request``, both without address and checksum."""
        function = request[0]
        try:
            return self._perform(function, request[1:])
        except ModbusRefusal as refusal:
            return bytes([function | 0x80, refusal.code])

    def _perform(self, function: int, body: bytes) -> bytes:
        if len(body) < 4:
            raise ModbusRefusal(ILLEGAL_VALUE)
        address, number = struct.unpack(">HH", body[:4])
        if function == 3:
            if not 1 <= number <= 125:
                raise ModbusRefusal(ILLEGAL_VALUE)
            words = self._read(address, number)
            return struct.pack(f">BB{number}H", function, 2 * number, *words)
        if function == 6:
            self._write(address, [number])
            return bytes([function]) + body[:4]
        if function == 16:
            if not 1 <= number <= 123 or len(body) != 5 + 2 * number:
                raise ModbusRefusal(ILLEGAL_VALUE)
            self._write(address, struct.unpack(f">{number}H", body[5:]))
            return bytes([function]) + body[:4]
        raise ModbusRefusal(ILLEGAL_FUNCTION)


async def _wait_for_silence(stream: Stream) -> None:
    try:
        while True:
            async with asyncio.timeout(FRAME_SILENCE):
                if not await stream.reader.read(256):
                    return
    except TimeoutError:
        return


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0xA001 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC = _crc_table()


def crc16(data: bytes) -> int:
    """Return CRC-16/MODBUS; that of a frame with its own CRC at the end is 0."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc
