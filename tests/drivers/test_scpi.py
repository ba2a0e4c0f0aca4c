from __future__ import annotations

import asyncio
import contextlib
import itertools
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import (
    DeviceError,
    DeviceRefused,
    DeviceTimeout,
    DeviceUnreachable,
    IdentityChanged,
    ProtocolError,
)
from drivers.scpi import ScpiLink, ScpiSettings
from simulators.scpi import ScpiInstrument, block
from simulators.wire import LATE_BY, WireKind

SYNC = (b"*ESE 1\n*ESE?\n*ESE 2\n*ESE?\n", b"1\n2\n")
IDN = (b"*IDN?\n", b"Acme,Tester,S1,1.0\n")


@contextlib.asynccontextmanager
async def connected(url: str, patience: float = 0.3) -> AsyncIterator[ScpiLink]:
    link = ScpiLink("tester", "tester", ScpiSettings(url=url, timeout=patience))
    try:
        await link.connect()
        yield link
    finally:
        await link.close()


async def test_link_is_synchronised_before_it_is_asked_who_answers(transcript):
    script = await transcript(SYNC, IDN)
    async with connected(script.url) as link:
        instrument = await link.connect()
    assert (instrument.maker, instrument.model) == ("Acme", "Tester")
    assert (instrument.serial, instrument.firmware) == ("S1", "1.0")


async def test_what_an_instrument_still_had_to_say_is_thrown_away(transcript):
    late = (SYNC[0], b"12.5\n#42\x00\xff\n1\n2\n")
    script = await transcript(late, IDN)
    async with connected(script.url) as link:
        assert (await link.connect()).serial == "S1"


async def test_each_command_is_followed_by_a_look_into_the_error_queue(transcript):
    script = await transcript(
        SYNC,
        IDN,
        (b"VOLT 5\nSYST:ERR?\n", b'0,"No error"\n'),
        (b"OUTP ON\nSYST:ERR?\n", b'0,"No error"\n'),
    )
    async with connected(script.url) as link:
        await link.write("VOLT 5", "OUTP ON")


async def test_error_queue_is_drained_and_told(transcript):
    script = await transcript(
        SYNC,
        IDN,
        (b"VOLT 999\nSYST:ERR?\n", b'-222,"Data out of range"\n'),
        (b"SYST:ERR?\n", b'-350,"Queue overflow"\n'),
        (b"SYST:ERR?\n", b'+0,"No error"\n'),
    )
    async with connected(script.url) as link:
        with pytest.raises(DeviceRefused, match=r"out of range.*overflow"):
            await link.write("VOLT 999")


async def test_error_queue_that_is_none_is_not_believed(transcript):
    script = await transcript(SYNC, IDN, (b"VOLT 5\nSYST:ERR?\n", b"12.5\n"))
    async with connected(script.url) as link:
        with pytest.raises(ProtocolError, match=r"12\.5"):
            await link.write("VOLT 5")


PAYLOAD = bytes(range(256)) * 3


def definite(payload: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(payload) if crc is None else crc
    data = payload + crc.to_bytes(4, "little")
    return b"#3%d" % len(data) + data + b"\n"


async def test_block_by_length_though_it_holds_terminators(transcript):
    assert b"\n" in PAYLOAD
    script = await transcript(SYNC, IDN, (b"FETC?\n", definite(PAYLOAD)))
    async with connected(script.url) as link:
        assert await link.block("FETC?") == PAYLOAD


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (definite(PAYLOAD, crc=1), ProtocolError, "CRC"),
        (definite(PAYLOAD)[:400], ProtocolError, "of 772 bytes came"),
        (definite(PAYLOAD)[:-1] + b"x", ProtocolError, "does not end"),
        (b"#0" + PAYLOAD + b"\n", ProtocolError, "begins"),
        (b"#2xy" + PAYLOAD, ProtocolError, "length"),
        (b"#13abc\n", ProtocolError, "length"),
        (b"#9999999999", ProtocolError, "length"),
        (b"-230,stale\n", ProtocolError, "begins"),
        (b"", DeviceTimeout, "did not answer"),
    ],
)
async def test_damaged_block_is_refused(transcript, answer, error, says):
    script = await transcript(SYNC, IDN, (b"FETC?\n", answer))
    async with connected(script.url) as link:
        with pytest.raises(error, match=says) as caught:
            await link.block("FETC?")
    assert caught.value.device == "tester"
    assert caught.value.remedy


@pytest.mark.parametrize("answer", [b"9.91E37\n", b"nan\n", b"1.5,2\n", b"volts\n", b"\xff\n"])
async def test_what_is_no_number_is_refused(transcript, answer):
    script = await transcript(SYNC, IDN, (b"MEAS?\n", answer))
    async with connected(script.url) as link:
        with pytest.raises(ProtocolError):
            await link.numbers("MEAS?", 1)


@pytest.mark.parametrize("answer", [b"Acme,Tester,S1\n", b"Acme,,S1,1.0\n", b"hello\n"])
async def test_what_is_no_identity_is_refused(transcript, answer):
    script = await transcript(SYNC, (b"*IDN?\n", answer))
    with pytest.raises(ProtocolError, match="identifies"):
        async with connected(script.url):
            pass


async def test_another_serial_than_expected_is_refused(transcript):
    script = await transcript(SYNC, IDN)
    link = ScpiLink("tester", "tester", ScpiSettings(url=script.url, expected_serial="S2"))
    with pytest.raises(IdentityChanged, match="S1 answers, not S2"):
        await link.connect()
    await link.close()


async def test_nobody_there():
    link = ScpiLink("tester", "tester", ScpiSettings(url="/dev/does-not-exist"))
    with pytest.raises(DeviceUnreachable, match="does-not-exist"):
        await link.connect()
    with pytest.raises(DeviceUnreachable):
        await link.query("*IDN?")
    await link.close()


# --- against an instrument that answers late, damaged, or not at all ---------------------------


@pytest.fixture(params=list(WireKind))
async def instrument(request) -> AsyncIterator[ScpiInstrument]:
    counter = itertools.count(1)
    device = ScpiInstrument(
        ("Acme", "Tester", "S1", "1.0"),
        {
            "COUNt?": lambda _: str(next(counter)),
            "NAME?": lambda _: "name",
            "FETCh?": lambda _: block(PAYLOAD),
        },
        kind=request.param,
    )
    device.url = await device.start()
    yield device
    await device.stop()


async def test_late_answer_is_not_taken_for_that_to_the_next_question(instrument):
    async with connected(instrument.url, patience=LATE_BY / 2) as link:
        instrument.faults.once("late_reply@COUN")
        with pytest.raises(DeviceTimeout):
            await link.query("COUN?")
        # The late "1" comes while these are under way.
        answers = []
        for _ in range(8):
            answers.append(await link.query("NAME?"))
            await asyncio.sleep(LATE_BY / 6)
        assert set(answers) == {"name"}
        assert await link.query("COUN?") == "2"


async def test_what_comes_unasked_is_flushed_before_the_next_question(instrument):
    async with connected(instrument.url) as link:
        instrument.faults.once("babble@COUN")
        assert await link.query("COUN?") == "0"  # nothing on the wire can tell: ranges must
        assert await link.query("NAME?") == "name"


@pytest.mark.parametrize("fault", ["drop_reply", "corrupt", "truncate"])
async def test_link_recovers_after_a_damaged_block(instrument, fault):
    async with connected(instrument.url) as link:
        instrument.faults.once(f"{fault}@FETC")
        with pytest.raises((ProtocolError, DeviceTimeout)):
            await link.block("FETC?")
        assert await link.query("NAME?") == "name"
        assert await link.block("FETC?") == PAYLOAD


async def test_questions_at_once_get_their_own_answers(instrument):
    async with connected(instrument.url) as link:
        answers = await asyncio.gather(*(link.query(q) for q in ["COUN?", "NAME?"] * 10))
    assert answers[1::2] == ["name"] * 10
    assert answers[::2] == [str(n) for n in range(1, 11)]


async def test_lost_link_is_opened_again_and_asked_who_it_is():
    device = ScpiInstrument(("Acme", "Tester", "S1", "1.0"), {"NAME?": lambda _: "name"})
    url = await device.start()
    link = ScpiLink("tester", "tester", ScpiSettings(url=url, timeout=0.3))
    assert (await link.connect()).serial == "S1"
    device.faults.once("hang_up@NAME")
    with pytest.raises(DeviceUnreachable):
        await link.query("NAME?")
    device.become("S2")
    assert (await link.connect()).serial == "S2"
    await link.close()
    await device.stop()


@settings(max_examples=60, deadline=None)
@given(payload=st.binary(max_size=600), at=st.integers(0), flip=st.integers(1, 255))
def test_no_damaged_block_is_believed(payload, at, flip):
    whole = block(payload) + b"\n"
    place = at % len(whole)
    damaged = whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :]

    class Port:
        timeout = 0.0

        def __init__(self, data: bytes) -> None:
            self.data = data

        def read(self, count: int) -> bytes:
            taken, self.data = self.data[:count], self.data[count:]
            return taken

    link = ScpiLink("tester", "tester", ScpiSettings(url="none"))
    link._port = Port(whole)
    assert link._checked_block(1.0) == payload
    link._port = Port(damaged)
    with contextlib.suppress(DeviceError):
        assert link._checked_block(1.0) == payload
