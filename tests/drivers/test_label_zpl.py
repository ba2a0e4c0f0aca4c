from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DeviceRefused, DeviceTimeout, DeviceUnreachable, ProtocolError
from drivers.label_zpl import LabelZpl, LabelZplSettings, zpl
from drivers.roles import Label
from simulators.printer import ESCAPE, FIELD, SimulatedPrinter, _unescape
from simulators.wire import WireKind

LABEL = Label(panel_id="ZK00000001", title="PASS A", lines=("stock", "2026-11-23"))
HI = (b"~HI", b"\x02ZD421-203dpi,V93.21,8,8176KB\x03\r\n")


def status(first: bytes = b"030,0,0,0324,000,0,0,0,000,0,0,0", second: bytes = b"") -> bytes:
    second = second or b"001,0,0,0,1,2,6,0,00000000,1,000"
    return b"\x02%s\x03\r\n\x02%s\x03\r\n\x021234,0\x03\r\n" % (first, second)


def driver(url: str, patience: float = 0.4) -> LabelZpl:
    url = url.replace("socket://", "tcp://")
    return LabelZpl(LabelZplSettings(url=url, timeout=patience, maker="Acme", serial="P1"))


async def test_who_answers(transcript):
    script = await transcript(HI, kind=WireKind.TCP)
    instrument = await driver(script.url).connect()
    assert (instrument.model, instrument.firmware) == ("ZD421-203dpi", "V93.21")
    assert (instrument.maker, instrument.serial) == ("Acme", "P1")


async def test_status_before_and_after_the_label(transcript):
    expected = (
        b"^XA^CI28^PW812^LH0,0"
        b"^FO30,30^BQN,2,6^FH_^FDQA,ZK00000001^FS"
        b"^FO260,30^A0N,60^FH_^FDPASS A^FS"
        b"^FO260,102^A0N,32^FH_^FDZK00000001^FS"
        b"^FO260,146^A0N,32^FH_^FDstock^FS"
        b"^FO260,190^A0N,32^FH_^FD2026-11-23^FS"
        b"^PQ1^XZ\n"
    )
    script = await transcript(
        (b"~HS", status()), (expected, b""), (b"~HS", status()), kind=WireKind.TCP
    )
    await driver(script.url).print(LABEL)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (status(b"030,1,0,0324,000,0,0,0,000,0,0,0"), "labels are used up"),
        (status(b"030,0,1,0324,000,0,0,0,000,0,0,0"), "paused"),
        (status(second=b"001,0,1,0,1,2,6,0,00000000,1,000"), "head is open"),
        (status(second=b"001,0,0,1,1,2,6,0,00000000,1,000"), "ribbon"),
    ],
)
async def test_printer_that_cannot_print_is_sent_nothing(transcript, answer, says):
    script = await transcript((b"~HS", answer), kind=WireKind.TCP)
    with pytest.raises(DeviceRefused, match=says):
        await driver(script.url).print(LABEL)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(b"030,2,0,0324,000,0,0,0,000,0,0,0"), ProtocolError),
        (status(b"030,0,0"), ProtocolError),
        (b"HTTP/1.1 400\r\n" + status(), ProtocolError),
        (status()[:30], DeviceTimeout),
        (b"", DeviceTimeout),
    ],
)
async def test_status_that_cannot_be_is_refused(transcript, answer, error):
    script = await transcript((b"~HS", answer), kind=WireKind.TCP)
    with pytest.raises(error):
        await driver(script.url).print(LABEL)


async def test_no_printer():
    with pytest.raises(DeviceUnreachable):
        await driver("tcp://127.0.0.1:1").connect()


@contextlib.asynccontextmanager
async def bench() -> AsyncIterator[tuple[LabelZpl, SimulatedPrinter]]:
    simulated = SimulatedPrinter()
    yield driver(await simulated.start()), simulated
    await simulated.stop()


async def test_label_comes_out():
    async with bench() as (printer, simulated):
        await printer.connect()
        await printer.print(LABEL)
        await printer.close()
    assert simulated.labels == [
        ("QA,ZK00000001", "PASS A", "ZK00000001", "stock", "2026-11-23")
    ]  # fmt: skip


async def test_paper_that_runs_out_and_is_put_in():
    async with bench() as (printer, simulated):
        simulated.faults.always("paper_out")
        with pytest.raises(DeviceRefused):
            await printer.print(LABEL)
        simulated.faults.clear()
        await printer.print(LABEL)
        assert len(simulated.labels) == 1


async def test_printer_that_hangs_up():
    async with bench() as (printer, simulated):
        simulated.faults.once("hang_up")
        with pytest.raises(DeviceUnreachable):
            await printer.print(LABEL)
        await printer.print(LABEL)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_on_a_label_becomes_a_command(title, line):
    raw = zpl(Label(panel_id="ZK1", title=title, lines=(line,)))
    fields = [ESCAPE.sub(_unescape, field).decode() for field in FIELD.findall(raw)]
    assert fields == ["QA,ZK1", title, "ZK1", *([line] if line else [])]
    assert raw.count(b"^XA") == raw.count(b"^XZ") == 1
    assert b"~" not in raw
