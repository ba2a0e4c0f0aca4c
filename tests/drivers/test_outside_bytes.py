"""Whatever bytes a device sends, its driver returns what they say or an error of ours.

The lines and blocks of SCPI: test_scpi.py.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.errors import DeviceError, ProtocolError
from drivers.flash_scpi import HEADER, LIMITS, MAGIC, FlashScpi, FlashScpiSettings
from drivers.modbus_link import ModbusLink, ModbusSettings
from drivers.registers import RegisterError, load_map
from drivers.scanner_serial import MAX_CODE, ScannerSerial, ScannerSerialSettings
from grading.values import Sweep
from simulators.wire import Stream, Wire

POINTS = 5
SWEEP = HEADER.pack(MAGIC, 7, POINTS, 0, 25.0) + np.full((POINTS, 4), 1.0, "<f8").tobytes()
WASHER = load_map("washer")


@st.composite
def damaged(draw, whole):
    """Bytes that were cut, turned, doubled or mixed with others."""
    raw = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        act = draw(st.sampled_from(("turn", "cut", "double", "put")))
        if act == "turn" and raw:
            raw[at] ^= draw(st.integers(1, 255))
        elif act == "cut":
            del raw[at : at + draw(st.integers(1, 60))]
        elif act == "double":
            raw[at:at] = raw[at : at + draw(st.integers(1, 60))]
        else:
            raw[at:at] = draw(st.binary(max_size=20))
    return bytes(raw)


@settings(max_examples=500, deadline=None)
@given(raw=st.binary(max_size=250) | damaged(SWEEP))
@example(raw=SWEEP)
def test_sweeps(raw):
    tester = FlashScpi(FlashScpiSettings(url="tcp://localhost:1"))
    with suppress(ProtocolError):
        curve = tester._decode(raw, 7, Sweep.UP, POINTS)
        assert 2 <= curve.voltage.size <= POINTS
        for name, (low, high) in LIMITS.items():
            values = getattr(curve, name)
            assert ((low <= values) & (values <= high)).all()


@settings(max_examples=300, deadline=None)
@given(line=st.binary(max_size=200) | damaged(b"]C1ZK00000001"))
@example(line=b"C1ZK00000001")
@example(line=b"]C1" + b"9" * MAX_CODE)
def test_codes(line):
    scanner = ScannerSerial(ScannerSerialSettings(url="/dev/null", prefix="]C1"))
    code = scanner._code(line)
    if code is not None:
        assert line.startswith(b"]C1")
        assert code.isprintable()
        assert 0 < len(code) <= MAX_CODE


@given(
    words=st.lists(st.integers(0, 0xFFFF), max_size=130),
    name=st.sampled_from(sorted(WASHER.blocks)),
)
def test_registers(words, name):
    block = WASHER.block(name)
    with suppress(RegisterError):
        values = WASHER.decode_block(block, (words * block.count)[: block.count])
        assert values.keys() <= {register.name for register in block.registers}


REPLY = b"\x00\x01\x00\x00\x00\x05\x01\x03\x02\x12\x34"


@pytest.mark.parametrize("scheme", ["tcp", "rtu+tcp"])
@settings(max_examples=25, deadline=None)
@given(answer=st.binary(min_size=1, max_size=300) | damaged(REPLY))
def test_modbus_answers(scheme, answer):
    async def babble(stream: Stream) -> None:
        while await stream.reader.read(300):
            await stream.send(answer)

    async def ask() -> None:
        async with Wire(babble) as wire:
            url = f"{scheme}://{wire.host}:{wire.port}"
            link = ModbusLink("washer", ModbusSettings(url=url, timeout=0.05), WASHER)
            await link.open()
            for name in sorted(WASHER.blocks)[:2]:
                with pytest.raises(DeviceError):
                    await link.read_block(name)
            with pytest.raises(DeviceError):
                await link.write(4000, [4660, 22136])
            link.close()

    asyncio.run(ask())
