from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from drivers.current_source_scpi import CurrentSourceScpi, CurrentSourceScpiSettings
from drivers.errors import DeviceRefused, ProtocolError
from simulators.current_source import SimulatedCurrentSource
from simulators.population import Condition, make_panel
from simulators.world import World

SYNC = (b"*ESE 1\n*ESE?\n*ESE 2\n*ESE?\n", b"1\n2\n")


def told(command: bytes) -> list[tuple[bytes, bytes]]:
    return [(command + b"\nSYST:ERR?\n", b'0,"No error"\n')]


IDN = (b"*IDN?\n", b"Acme,Source,C3,1.1\n")
OPENED = [SYNC, IDN, *told(b"OUTP OFF")]


def read(output: bytes, current: bytes, voltage: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"OUTP?\n", output), (b"MEAS:CURR?\n", current), (b"MEAS:VOLT?\n", voltage)]


def driver(url: str) -> CurrentSourceScpi:
    return CurrentSourceScpi(CurrentSourceScpiSettings(url=url, timeout=0.4, settle=0.0))


async def test_limits_before_the_output_and_off_in_the_end(transcript):
    script = await transcript(
        *OPENED,
        *told(b"VOLT 60"),
        *told(b"CURR 8.5"),
        *told(b"OUTP ON"),
        *read(b"1\n", b"8.4991\n", b"42.13\n"),
        *told(b"OUTP OFF"),
        *read(b"0\n", b"0.0004\n", b"0.02\n"),
        *told(b"OUTP OFF"),
    )
    source = driver(script.url)
    assert (await source.connect()).serial == "C3"
    reading = await source.inject(current=8.5, voltage_limit=60)
    assert (reading.current, reading.voltage, reading.enabled) == (8.4991, 42.13, True)
    await source.off()
    await source.close()


@pytest.mark.parametrize(
    "answers",
    [
        (b"1\n", b"9.91E37\n", b"42\n"),
        (b"1\n", b"8.5\n", b"nan\n"),
        (b"1\n", b"8.5\n", b"4242\n"),
        (b"on\n", b"8.5\n", b"42\n"),
    ],
)
async def test_reading_that_cannot_be_is_refused(transcript, answers):
    off = told(b"OUTP OFF")
    if b"9.91" in answers[1]:
        answers = answers[:2]
    asked = read(*answers, *[b""] * (3 - len(answers)))[: len(answers)]
    script = await transcript(
        *OPENED, *told(b"VOLT 60"), *told(b"CURR 8.5"), *told(b"OUTP ON"), *asked, *off
    )
    source = driver(script.url)
    await source.connect()
    with pytest.raises(ProtocolError):
        await source.inject(current=8.5, voltage_limit=60)
    await source.close()


@pytest.mark.parametrize(
    ("current", "voltage"), [(0, 60), (-1, 60), (25, 60), (float("nan"), 60), (8, 0), (8, 500)]
)
async def test_limits_of_the_source_are_kept_before_anything_is_sent(transcript, current, voltage):
    script = await transcript(*OPENED, *told(b"OUTP OFF"))
    source = driver(script.url)
    await source.connect()
    with pytest.raises(DeviceRefused, match="not within"):
        await source.inject(current=current, voltage_limit=voltage)
    await source.close()


# --- against a source ----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def bench(world: World) -> AsyncIterator[tuple[CurrentSourceScpi, SimulatedCurrentSource]]:
    simulated = SimulatedCurrentSource(world)
    source = driver(await simulated.start())
    await source.connect()
    yield source, simulated
    await source.close()
    await simulated.stop()


async def test_current_flows_through_the_panel_and_stops():
    world = World(panel=make_panel(1, condition=Condition.SOUND))
    async with bench(world) as (source, _):
        reading = await source.inject(current=8, voltage_limit=60)
        assert world.injected_current == pytest.approx(8)
        assert 30 < reading.voltage < 60
        await source.off()
        assert world.injected_current == 0


async def test_voltage_limit_shows_in_the_reading():
    async with bench(World(panel=make_panel(1, condition=Condition.SOUND))) as (source, _):
        reading = await source.inject(current=8, voltage_limit=35)
        assert reading.voltage <= 35
        assert 0 <= reading.current < 7


async def test_close_switches_off():
    world = World(panel=make_panel(1, condition=Condition.SOUND))
    async with bench(world) as (source, _):
        await source.inject(current=8, voltage_limit=60)
    assert world.injected_current == 0


async def test_nothing_flows_with_the_door_open():
    world = World(panel=make_panel(1, condition=Condition.SOUND), door_closed=False)
    async with bench(world) as (source, _):
        with pytest.raises(DeviceRefused, match="interlock"):
            await source.inject(current=8, voltage_limit=60)
    assert world.injected_current == 0


async def test_current_that_does_not_stop_is_an_error():
    async with bench(World(panel=make_panel(1, condition=Condition.SOUND))) as (source, simulated):
        await source.inject(current=8, voltage_limit=60)
        simulated.faults.always("sticks_on")
        with pytest.raises(ProtocolError, match="still flow"):
            await source.off()


async def test_output_that_trips_is_an_error():
    async with bench(World(panel=make_panel(1, condition=Condition.SOUND))) as (source, simulated):
        simulated.faults.once("trips")
        with pytest.raises(DeviceRefused, match="by itself"):
            await source.inject(current=8, voltage_limit=60)


async def test_what_a_station_that_died_left_on_goes_off_when_the_next_connects():
    world = World(panel=make_panel(1, condition=Condition.SOUND))
    simulated = SimulatedCurrentSource(world)
    url = await simulated.start()
    died, after = driver(url), driver(url)
    await died.connect()
    await died.inject(current=8, voltage_limit=60)
    assert world.injected_current == pytest.approx(8)
    await after.connect()
    assert world.injected_current == 0
    await died.inject(current=8, voltage_limit=60)
    await after.connect()  # the link is open already: nothing is done
    assert world.injected_current == pytest.approx(8)
    await after.close()
    await died.close()
    await simulated.stop()
