from __future__ import annotations

import asyncio
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.faults import Faults
from simulators.modbus import ModbusRefusal, ModbusServer, crc16
from simulators.wire import Stream, Wire, WireKind


async def shout(stream: Stream) -> None:
    while True:
        line = await stream.reader.readuntil(b"\n")
        await stream.reply(line, line.upper())


@pytest.mark.parametrize("kind", list(WireKind))
async def test_every_wire_carries_bytes_both_ways(kind):
    async with Wire(shout, kind) as wire:
        assert await asyncio.to_thread(_ask, wire.url, b"hello\n") == b"HELLO\n"


def _ask(url: str, question: bytes) -> bytes:
    import serial

    with serial.serial_for_url(url, timeout=2) as port:
        port.write(question)
        return port.read_until(b"\n")


async def test_several_stations_at_one_port():
    async with Wire(shout) as wire:
        pairs = [await asyncio.open_connection(wire.host, wire.port) for _ in range(3)]
        for number, (_, writer) in enumerate(pairs):
            writer.write(b"n%d\n" % number)
        answers = [await reader.readline() for reader, _ in pairs]
        for _, writer in pairs:
            writer.close()
    assert answers == [b"N0\n", b"N1\n", b"N2\n"]


async def test_terminal_lives_on_between_two_stations():
    async with Wire(shout, WireKind.PTY) as wire:
        for word in (b"one\n", b"two\n"):
            assert await asyncio.to_thread(_ask, wire.url, word) == word.upper()
        name = wire.url
    with pytest.raises(OSError, match=r"\d"):
        os.close(os.open(name, os.O_RDWR | os.O_NOCTTY))


def test_faults_are_shown_as_often_as_told():
    faults = Faults()
    faults.once("drop_reply", 2)
    faults.once("late_reply@FETC")
    faults.always("paper_out")
    assert [faults.take_for("drop_reply", b"X") for _ in range(3)] == [True, True, False]
    assert not faults.take_for("late_reply", b"READ?")
    assert faults.take_for("late_reply", b"FETC:SWE?")
    assert not faults.take_for("late_reply", b"FETC:SWE?")
    assert faults.take("paper_out")
    faults.clear("paper_out")
    assert not faults.take("paper_out")


# --- Modbus, after its specification -------------------------------------------------------------


class Memory:
    def __init__(self) -> None:
        self.words = dict(enumerate(range(100, 110)))

    def read(self, address: int, count: int) -> list[int]:
        try:
            return [self.words[address + i] for i in range(count)]
        except KeyError as error:
            raise ModbusRefusal(2) from error

    def write(self, address: int, words) -> None:
        self.read(address, len(words))
        self.words.update(enumerate(words, start=address))


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def server(memory) -> ModbusServer:
    return ModbusServer(memory.read, memory.write, device_id=9)


@pytest.mark.parametrize(
    ("request_hex", "answer_hex"),
    [
        ("03 0001 0002", "03 04 0065 0066"),
        ("06 0003 1234", "06 0003 1234"),
        ("10 0000 0002 04 000A 0102", "10 0000 0002"),
        ("03 0009 0002", "83 02"),
        ("03 0000 007E", "83 03"),
        ("03 0000 0000", "83 03"),
        ("10 0000 0002 04 000A", "90 03"),
        ("10 0000 0000 00", "90 03"),
        ("03 00", "83 03"),
        ("2B 0E0100", "AB 03"),
        ("01 0000 0001", "81 01"),
    ],
)
def test_answers_are_those_of_the_specification(server, request_hex, answer_hex):
    assert server.answer(bytes.fromhex(request_hex)) == bytes.fromhex(answer_hex)


@given(st.binary(min_size=1, max_size=40))
def test_whatever_is_asked_gets_an_answer(request_bytes):
    memory = Memory()
    answer = ModbusServer(memory.read, memory.write).answer(request_bytes)
    assert answer[0] & 0x7F == request_bytes[0] & 0x7F


async def test_tcp_frames_in_one_packet_are_answered_one_by_one(server):
    async with Wire(server.serve_tcp) as wire:
        reader, writer = await asyncio.open_connection(wire.host, wire.port)
        request = bytes.fromhex("03 0001 0001")
        for transaction in (7, 8):
            writer.write(struct.pack(">HHHB", transaction, 0, 6, 9) + request)
        writer.write(struct.pack(">HHHB", 9, 0, 6, 1) + request)  # another device's
        for transaction in (7, 8):
            answer = await reader.readexactly(11)
            assert answer == struct.pack(">HHHB", transaction, 0, 5, 9) + b"\x03\x02\x00\x65"
        writer.close()


async def test_rtu_frame_that_is_damaged_is_not_answered(server):
    request = bytes.fromhex("09 03 0001 0001")
    whole = request + struct.pack("<H", crc16(request))
    async with Wire(server.serve_rtu) as wire:
        reader, writer = await asyncio.open_connection(wire.host, wire.port)
        writer.write(whole[:-1] + b"\0")
        await asyncio.sleep(0.2)  # silence parts frames
        writer.write(whole[:5])
        await asyncio.sleep(0.2)
        writer.write(whole)
        answer = await reader.readexactly(7)
        writer.close()
    assert answer[:5] == bytes.fromhex("09 03 02 0065")
    assert crc16(answer) == 0
