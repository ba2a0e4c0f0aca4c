from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import DeviceError, DeviceRefused, InterlockOpen, PanelLive, ProtocolError
from drivers.insulation_scpi import TOUCHABLE, InsulationScpi, InsulationScpiSettings
from drivers.roles import BypassReading, InsulationReading
from grading.values import SafetyRecord
from simulators.insulation import SimulatedInsulationTester
from simulators.population import Condition, make_panel
from simulators.scpi import ScpiInstrument
from simulators.wire import WireKind
from simulators.world import World

SYNC = (b"*ESE 1\n*ESE?\n*ESE 2\n*ESE?\n", b"1\n2\n")


def told(command: bytes) -> list[tuple[bytes, bytes]]:
    return [(command + b"\nSYST:ERR?\n", b'0,"No error"\n')]


IDN = (b"*IDN?\n", b"Acme,Iso,I9,1.1\n")
OPENED = [SYNC, IDN, *told(b"ABOR")]


def measured(configure: bytes, answer: bytes) -> list[tuple[bytes, bytes]]:
    return [
        *OPENED,
        *told(configure),
        (b"SYST:INT?\n", b"1\n"),
        *told(b"INIT"),
        *told(b"*OPC"),
        (b"*ESR?\n", b"128\n"),
        (b"*ESR?\n", b"1\n"),
        (b"MEAS:VOLT?\n", b"412.0\n"),
        (b"MEAS:VOLT?\n", b"-12.5\n"),
        (b"SYST:INT?\n", b"1\n"),
        (b"FETC?\n", answer),
        *told(b"ABOR"),
    ]


@contextlib.asynccontextmanager
async def connected(url: str, **options: float) -> AsyncIterator[InsulationScpi]:
    tester = InsulationScpi(InsulationScpiSettings(url=url, timeout=0.4, **options))
    try:
        await tester.connect()
        yield tester
    finally:
        await tester.close()


@pytest.mark.parametrize(
    ("answer", "resistance"),
    [(b"5.12E+02,1003.0,120.1\n", 512.0), (b"9.9E+37,1003.0,120.1\n", 10_000.0)],
)
async def test_insulation_as_the_manual_says(transcript, answer, resistance):
    """What is beyond the range counts as the range, which it exceeds."""
    script = await transcript(*measured(b"CONF:INS 1000,120", answer))
    async with connected(script.url) as tester:
        reading = await tester.insulation(voltage=1000, duration=120)
    assert (reading.resistance, reading.test_voltage, reading.duration) == (
        resistance, 1003.0, 120.1,
    )  # fmt: skip


async def test_wet_leakage_as_the_manual_says(transcript):
    script = await transcript(*measured(b"CONF:WET 500,60", b"41.5,500,60\n"))
    async with connected(script.url) as tester:
        assert (await tester.wet_leakage(voltage=500, duration=60)).resistance == 41.5


@pytest.mark.parametrize(("answer", "resistance"), [(b"2.4E-02\n", 0.024), (b"9.9E37\n", math.inf)])
async def test_continuity_as_the_manual_says(transcript, answer, resistance):
    script = await transcript(*measured(b"CONF:CONT", answer))
    async with connected(script.url) as tester:
        assert await tester.continuity() == resistance


@pytest.mark.parametrize(
    ("answer", "reading"),
    [
        (b"1.47,8.49\n", BypassReading(voltage=1.47, current=8.49)),
        (b"9.9E37,0.01\n", BypassReading(voltage=math.inf, current=0.01)),
    ],
)
async def test_bypass_diodes_as_the_manual_says(transcript, answer, reading):
    script = await transcript(*measured(b"CONF:BYP 8.5", answer))
    async with connected(script.url) as tester:
        assert await tester.bypass(current=8.5) == reading


@pytest.mark.parametrize("answer", [b"-1.4,8.5\n", b"1.4,9.6\n", b"2000,8.5\n", b"1.4\n"])
async def test_bypass_reading_that_cannot_be_is_refused(transcript, answer):
    script = await transcript(*measured(b"CONF:BYP 8.5", answer))
    async with connected(script.url) as tester:
        with pytest.raises(ProtocolError):
            await tester.bypass(current=8.5)


@pytest.mark.parametrize("current", [0, -8.5, 100, math.nan])
async def test_bypass_current_beyond_the_tester(transcript, current):
    script = await transcript(*OPENED, *told(b"ABOR"))
    async with connected(script.url) as tester:
        with pytest.raises(DeviceRefused, match="not within"):
            await tester.bypass(current=current)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"9.91E+37,1000,120\n", "FETC"),
        (b"nan,1000,120\n", "FETC"),
        (b"512,1000\n", "FETC"),
        (b"-3,1000,120\n", "reads -3"),
        (b"512,400,120\n", "400 V instead of 1000 V"),
        (b"512,1000,60\n", "60 s instead of 120 s"),
    ],
)
async def test_reading_that_cannot_be_is_refused(transcript, answer, says):
    script = await transcript(*measured(b"CONF:INS 1000,120", answer))
    async with connected(script.url) as tester:
        with pytest.raises(ProtocolError, match=says):
            await tester.insulation(voltage=1000, duration=120)


async def test_no_high_voltage_with_the_door_open(transcript):
    script = await transcript(
        *OPENED, *told(b"CONF:INS 1000,120"), (b"SYST:INT?\n", b"0\n"), *told(b"ABOR")
    )
    async with connected(script.url) as tester:
        with pytest.raises(InterlockOpen):
            await tester.insulation(voltage=1000, duration=120)


@pytest.mark.parametrize("voltage", [0, -500, 3000, math.nan])
async def test_voltage_beyond_the_tester(transcript, voltage):
    script = await transcript(*OPENED, *told(b"ABOR"))
    async with connected(script.url) as tester:
        with pytest.raises(DeviceRefused, match="not within"):
            await tester.insulation(voltage=voltage, duration=1)


# --- against a tester ----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def bench(
    world: World, *, kind: WireKind = WireKind.TCP, time_scale: float = 100, **options: float
) -> AsyncIterator[tuple[InsulationScpi, SimulatedInsulationTester]]:
    simulated = SimulatedInsulationTester(world, kind=kind, time_scale=time_scale)
    try:
        async with connected(await simulated.start(), **options) as tester:
            yield tester, simulated
    finally:
        await simulated.stop()


async def test_panel_that_leaks():
    panel = make_panel(1, condition=Condition.WEAK_INSULATION)
    async with bench(World(panel=panel)) as (tester, _):
        dry = await tester.insulation(voltage=1000, duration=10)
        wet = await tester.wet_leakage(voltage=1000, duration=10)
        ground = await tester.continuity()
    assert isinstance(panel.safety, SafetyRecord)
    assert dry.resistance == pytest.approx(panel.safety.insulation_resistance, rel=1e-3)
    assert wet.resistance < dry.resistance
    assert ground == pytest.approx(panel.safety.ground_continuity, rel=1e-3)


@pytest.mark.parametrize(
    ("condition", "voltage"),
    [(Condition.SOUND, 1.5), (Condition.SHORTED_DIODE, 1.0), (Condition.OPEN_DIODE, 12.0)],
)
async def test_bypass_diodes_of_a_panel(condition, voltage):
    async with bench(World(panel=make_panel(1, condition=condition))) as (tester, _):
        reading = await tester.bypass(current=8.5)
    assert reading.voltage == pytest.approx(voltage, abs=0.01)
    assert (reading.current > 8.4) == (condition is not Condition.OPEN_DIODE)


async def test_nothing_in_the_cabinet():
    async with bench(World()) as (tester, _):
        assert (await tester.insulation(voltage=1000, duration=1)).resistance == 10_000
        assert await tester.continuity() == math.inf


@pytest.mark.parametrize("fault", ["low_voltage", "cut_short", "not_a_number@FETC"])
async def test_test_that_was_not_as_asked_is_no_test(fault):
    async with bench(World(panel=make_panel(1))) as (tester, simulated):
        simulated.faults.once(fault)
        with pytest.raises(ProtocolError):
            await tester.insulation(voltage=1000, duration=1)


async def test_high_voltage_goes_off_when_nobody_waits_any_more():
    world = World(panel=make_panel(1))
    async with bench(world) as (tester, simulated):
        waiting = asyncio.create_task(tester.insulation(voltage=1000, duration=50))
        async with asyncio.timeout(5):
            while simulated.voltage < 100:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(5):
            while simulated.voltage > TOUCHABLE:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_panel_may_be_touched_when_a_test_is_over():
    async with bench(World(panel=make_panel(1)), time_scale=10) as (tester, simulated):
        for test in (tester.insulation, tester.wet_leakage):
            await test(voltage=1000, duration=1)
            assert simulated.voltage < TOUCHABLE


@pytest.mark.parametrize(
    "fault", ["spurious_error@INIT", "spurious_error@*OPC", "not_a_number@*ESR", "drop_reply@*ESR"]
)
async def test_panel_may_be_touched_after_whatever_went_wrong(fault, monkeypatch):
    """An error while the voltage is on comes back only when it is off and gone."""
    monkeypatch.setattr("simulators.insulation.DRAIN", 1.0)
    async with bench(World(panel=make_panel(1)), time_scale=10) as (tester, simulated):
        simulated.faults.once(fault)
        with pytest.raises(DeviceError):
            await tester.insulation(voltage=1000, duration=5)
        assert simulated.voltage < TOUCHABLE
        assert (await tester.insulation(voltage=1000, duration=1)).duration == 1


async def test_panel_that_keeps_its_voltage_is_an_alarm_of_its_own():
    async with bench(World(panel=make_panel(1)), discharge_timeout=0.3) as (tester, simulated):
        simulated.faults.always("stays_charged")
        with pytest.raises(PanelLive, match="carries 1000 V"):
            await tester.insulation(voltage=1000, duration=1)
        simulated.faults.clear()
        assert (await tester.insulation(voltage=1000, duration=1)).duration == 1


@pytest.mark.parametrize(("closes_again", "error"), [(False, InterlockOpen), (True, DeviceRefused)])
async def test_door_that_opens_meanwhile_breaks_the_test_off(closes_again, error):
    """However short: and what it left in the error queue spoils no later test."""
    world = World(panel=make_panel(1))
    async with bench(world) as (tester, simulated):
        waiting = asyncio.create_task(tester.insulation(voltage=1000, duration=50))
        async with asyncio.timeout(5):
            while simulated.voltage < 900:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        world.door_closed = False
        assert simulated.voltage <= 1000
        world.door_closed = closes_again
        with pytest.raises(error):
            await waiting
        assert simulated.voltage < TOUCHABLE
        world.door_closed = True
        assert (await tester.insulation(voltage=1000, duration=1)).duration == 1


@pytest.mark.parametrize("kind", WireKind)
async def test_every_test_over_every_wire(kind):
    panel = make_panel(1, condition=Condition.SOUND)
    async with bench(World(panel=panel), kind=kind) as (tester, _):
        ground = await tester.continuity()
        dry = await tester.insulation(voltage=1000, duration=1)
        wet = await tester.wet_leakage(voltage=1000, duration=1)
        bypass = await tester.bypass(current=9.0)
    assert ground < 0.1
    assert dry.resistance > wet.resistance > 40 / 1.64
    assert 1.2 < bypass.voltage < 1.8


# --- whatever it answers -------------------------------------------------------------------------

FIGURES = st.one_of(
    st.floats().map(str),
    st.floats(-1e4, 1e4).map("{:.3E}".format),
    st.sampled_from(["9.9E37", "9.91E37", "-9.9E37", "", "ON", "1,2"]),
)


@pytest.fixture(scope="module")
def read() -> Iterator[Callable[[str, str], BypassReading | InsulationReading]]:
    """Returns what the driver makes of a tester that answers as it is told."""
    answers = {"SYST:INT?": "1", "*ESR?": "1", "MEAS:VOLT?": "0", "FETC?": ""}
    commands = {header: lambda _, header=header: answers[header] for header in answers}
    silent = ("CONF:INS", "CONF:BYP", "INIT", "*OPC", "ABOR")
    device = ScpiInstrument(
        ("Acme", "Iso", "I9", "1"), commands | dict.fromkeys(silent, lambda _: None)
    )
    with asyncio.Runner() as runner:
        tester = InsulationScpi(InsulationScpiSettings(url=runner.run(device.start())))
        runner.run(tester.connect())

        def read(test: str, answer: str) -> BypassReading | InsulationReading:
            answers["FETC?"] = answer
            if test == "bypass":
                return runner.run(tester.bypass(current=8.5))
            return runner.run(tester.insulation(voltage=1000, duration=120))

        yield read
        runner.run(tester.close())
        runner.run(device.stop())


@given(
    answer=st.lists(FIGURES, min_size=1, max_size=4).map(",".join),
    test=st.sampled_from(["insulation", "bypass"]),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_answered_is_a_sound_reading_or_an_error(read, test, answer):
    try:
        reading = read(test, answer)
    except ProtocolError:
        return
    if isinstance(reading, BypassReading):
        assert 0 <= reading.voltage <= 1500 or reading.voltage == math.inf
        assert 0 <= reading.current <= 1.1 * 8.5
    else:
        assert 0 <= reading.resistance <= 10_000
        assert 900 <= reading.test_voltage <= 1100
        assert 120 <= reading.duration < math.inf
