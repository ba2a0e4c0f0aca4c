from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

import pytest

from drivers.errors import DeviceRefused, InterlockOpen, ProtocolError
from drivers.insulation_scpi import InsulationScpi, InsulationScpiSettings
from grading.values import SafetyRecord
from simulators.insulation import SimulatedInsulationTester
from simulators.population import Condition, make_panel
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
        (b"FETC?\n", answer),
        *told(b"ABOR"),
    ]


def driver(url: str) -> InsulationScpi:
    return InsulationScpi(InsulationScpiSettings(url=url, timeout=0.4))


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[InsulationScpi]:
    tester = driver(url)
    await tester.connect()
    yield tester
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


async def test_bypass_diodes_as_the_manual_says(transcript):
    script = await transcript(*measured(b"CONF:BYP 8.5", b"1.47,8.49\n"))
    async with connected(script.url) as tester:
        reading = await tester.bypass(current=8.5)
    assert (reading.voltage, reading.current) == (1.47, 8.49)


@pytest.mark.parametrize("answer", [b"-1.4,8.5\n", b"1.4,9.6\n", b"9.9E37,8.5\n", b"1.4\n"])
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
async def bench(world: World) -> AsyncIterator[tuple[InsulationScpi, SimulatedInsulationTester]]:
    simulated = SimulatedInsulationTester(world, time_scale=100)
    async with connected(await simulated.start()) as tester:
        yield tester, simulated
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
            while simulated._result is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert simulated._result is None
