from __future__ import annotations

import contextlib
import itertools
import struct
import zlib
from collections.abc import AsyncIterator

import numpy as np
import pytest

from drivers.errors import DeviceRefused, DeviceTimeout, InterlockOpen, ProtocolError
from drivers.flash_scpi import FlashScpi, FlashScpiSettings
from drivers.roles import FlashSetup, Interlock
from grading.values import Sweep
from simulators.flash import SimulatedFlashTester
from simulators.population import Condition, make_panel
from simulators.wire import LATE_BY, WireKind
from simulators.world import World

# --- byte by byte --------------------------------------------------------------------------------

SYNC = (b"*ESE 1\n*ESE?\n*ESE 2\n*ESE?\n", b"1\n2\n")
IDN = (b"*IDN?\n", b"Acme,Flash,F7,3.2\n")
ONE_WAY = FlashSetup(irradiance=1000, points=3, both_directions=False, v_max=50, i_max=12)


def told(command: bytes) -> list[tuple[bytes, bytes]]:
    return [(command + b"\nSYST:ERR?\n", b'0,"No error"\n')]


def block(
    rows: list[tuple[float, float, float, float]], flash_id: int = 1, **more: object
) -> bytes:
    head = {"magic": b"ZIV1", "id": flash_id, "count": len(rows), "down": 0, "temperature": 24.6}
    payload = struct.pack("<4sIHBd", *(head | more).values())
    payload += b"".join(struct.pack("<4d", *row) for row in rows)
    data = payload + struct.pack("<I", zlib.crc32(payload))
    return b"#4%04d" % len(data) + data + b"\n"


ROWS = [(0.0, 0.1, 8.5, 999.0), (0.004, 20.0, 8.4, 1001.0), (0.008, 37.2, 0.02, 1000.5)]


def until_fetch(interlock: bytes = b"1,1,1\n") -> list[tuple[bytes, bytes]]:
    return [
        SYNC,
        IDN,
        *told(b"SOUR:IRR 1000"),
        *told(b"SWE:POIN 3"),
        *told(b"SENS:VOLT:RANG 50"),
        *told(b"SENS:CURR:RANG 12"),
        *told(b"SWE:DIR UP"),
        *told(b"TRAC:ID 1"),
        *told(b"TRAC:PAN P1"),
        *told(b"LAMP:CHAR"),
        (b"*OPC?\n", b"1\n"),
        (b"SYST:INT?\n", interlock),
        (b"LAMP:COUN?\n", b"4711\n"),
    ]


def triggered(
    interlock: bytes = b"1,1,0\n", flashes: bytes = b"4712\n"
) -> list[tuple[bytes, bytes]]:
    return [
        *until_fetch(),
        *told(b"INIT"),
        (b"*OPC?\n", b"1\n"),
        (b"SYST:INT?\n", interlock),
        (b"LAMP:COUN?\n", flashes),
    ]


def flashed(answer: bytes) -> list[tuple[bytes, bytes]]:
    return [*triggered(), (b"FETC:SWE?\n", answer)]


def driver(url: str, **more: object) -> FlashScpi:
    tester = FlashScpi(FlashScpiSettings(url=url, timeout=0.4, **more))
    tester._ids = itertools.count(1)  # it begins anywhere; a transcript needs to know
    return tester


async def test_flash_as_the_manual_says(transcript):
    script = await transcript(*flashed(block(ROWS)))
    tester = driver(script.url)
    assert (await tester.connect()).serial == "F7"
    (curve,) = await tester.flash(ONE_WAY, panel_id="P1")
    await tester.close()
    assert curve.time.tolist() == [0.0, 0.004, 0.008]
    assert curve.voltage.tolist() == [0.1, 20.0, 37.2]
    assert curve.current.tolist() == [8.5, 8.4, 0.02]
    assert curve.irradiance.tolist() == [999.0, 1001.0, 1000.5]
    assert curve.temperature == 24.6
    assert curve.sweep is Sweep.UP


@pytest.mark.parametrize("circuit", [b"0,1,1\n", b"1,0,1\n", b"0,0,0\n"])
async def test_nothing_is_triggered_while_the_cabinet_is_open(transcript, circuit):
    """The transcript ends before INIT, and the fixture fails at a byte beyond."""
    script = await transcript(*until_fetch(circuit))
    tester = driver(script.url)
    await tester.connect()
    with pytest.raises(InterlockOpen):
        await tester.flash(ONE_WAY, panel_id="P1")
    await tester.close()


@pytest.mark.parametrize("circuit", [b"1,1\n", b"1,1,2\n", b"yes\n"])
async def test_safety_circuit_that_is_not_understood_is_not_closed(transcript, circuit):
    script = await transcript(*until_fetch(circuit)[:-1])
    tester = driver(script.url)
    await tester.connect()
    with pytest.raises(ProtocolError, match="SYST:INT"):
        await tester.flash(ONE_WAY, panel_id="P1")
    await tester.close()


@pytest.mark.parametrize("circuit", [b"0,1,0\n", b"1,0,0\n"])
async def test_sweep_during_which_the_cabinet_was_opened_is_none(transcript, circuit):
    script = await transcript(*triggered(circuit))
    tester = driver(script.url)
    await tester.connect()
    with pytest.raises(InterlockOpen):
        await tester.flash(ONE_WAY, panel_id="P1")
    await tester.close()


@pytest.mark.parametrize("flashes", [b"4711\n", b"4713\n"])
async def test_sweep_without_its_one_flash_is_none(transcript, flashes):
    script = await transcript(*triggered(flashes=flashes))
    tester = driver(script.url)
    await tester.connect()
    with pytest.raises(ProtocolError, match="flashes instead of 1"):
        await tester.flash(ONE_WAY, panel_id="P1")
    await tester.close()


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (block(ROWS, flash_id=9), "sweep 9 instead of 1"),
        (block(ROWS, down=1), "instead of"),
        (block(ROWS, magic=b"ZIV2"), "no sweep"),
        (block(ROWS, count=2), "no sweep"),
        (block([*ROWS, ROWS[2]]), "4 points instead of 3"),
        (block(ROWS[:1]), "1 points"),
        (block([(0.0, 0.1, NAN, 999.0), *ROWS[1:]]), "current"),
        (block([(0.0, INF, 8.5, 999.0), *ROWS[1:]]), "voltage"),
        (block([(0.0, 0.1, 8.5, -1.0), *ROWS[1:]]), "irradiance"),
        (block(ROWS, temperature=NAN), "temperature"),
        (block(ROWS, temperature=-273.0), "temperature"),
    ],
)
async def test_sweep_that_cannot_be_is_refused(transcript, answer, says):
    script = await transcript(*flashed(answer))
    tester = driver(script.url)
    await tester.connect()
    with pytest.raises(ProtocolError, match=says):
        await tester.flash(ONE_WAY, panel_id="P1")
    await tester.close()


# --- against a tester ----------------------------------------------------------------------------


@pytest.fixture
def world() -> World:
    return World(panel=make_panel(1, condition=Condition.SOUND))


@pytest.fixture(params=list(WireKind))
async def bench(request, world) -> AsyncIterator[SimulatedFlashTester]:
    tester = SimulatedFlashTester(world, kind=request.param)
    tester.url = await tester.start()
    yield tester
    await tester.stop()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[FlashScpi]:
    tester = driver(url)
    await tester.connect()
    yield tester
    await tester.close()


async def test_up_and_down_sweep_of_the_panel_in_the_cabinet(bench, world):
    async with connected(bench.url) as tester:
        before = (await tester.interlock()).lamp_flashes
        up, down = await tester.flash(FlashSetup(points=100), panel_id="P1")
        assert (await tester.interlock()).lamp_flashes == before + 2
    truth = world.panel.sweep(Sweep.UP, irradiance=1000, points=100)
    assert np.array_equal(up.voltage, truth.voltage)
    assert np.array_equal(up.current, truth.current)
    assert up.voltage[0] < up.voltage[-1]
    assert down.voltage[0] > down.voltage[-1]
    assert (up.sweep, down.sweep) == (Sweep.UP, Sweep.DOWN)


@pytest.mark.parametrize("open_part", ["door_closed", "circuit_closed"])
async def test_never_a_flash_with_the_door_open(bench, world, open_part):
    setattr(world, open_part, False)
    async with connected(bench.url) as tester:
        before = bench.flashes
        with pytest.raises(InterlockOpen):
            await tester.flash(FlashSetup(), panel_id="P1")
    assert (bench.flashes, bench.forbidden) == (before, 0)


async def test_tester_refuses_by_itself_when_the_door_opens_at_the_last_moment(bench, world):
    async with connected(bench.url) as tester:
        before = bench.flashes

        async def blind() -> Interlock:
            world.door_closed = False
            return Interlock(
                door_closed=True, circuit_closed=True, lamp_ready=True, lamp_flashes=before
            )

        tester._require_safe = blind
        with pytest.raises(DeviceRefused, match="interlock"):
            await tester.flash(FlashSetup(), panel_id="P1")
    assert (bench.flashes, bench.forbidden) == (before, 1)


async def test_sweep_kept_from_before_a_restart_is_not_taken(bench, world):
    first, second = (FlashScpi(FlashScpiSettings(url=bench.url, timeout=0.4)) for _ in range(2))
    setup = FlashSetup(points=20, both_directions=False)
    await first.connect()
    await first.flash(setup, panel_id="P1")
    await first.close()
    world.panel = make_panel(2, condition=Condition.SOUND)
    bench.faults.once("old_sweep")
    await second.connect()
    with pytest.raises(ProtocolError, match="it returned sweep"):
        await second.flash(setup, panel_id="P1")
    await second.close()


@pytest.mark.parametrize("panel_id", ["", " ", "P1;INIT", "P1\nINIT", "P1,P2"])
async def test_nothing_flashes_for_a_panel_that_was_not_identified(bench, panel_id):
    before = bench.flashes
    async with connected(bench.url) as tester:
        with pytest.raises(DeviceRefused, match="No panel was identified"):
            await tester.flash(FlashSetup(), panel_id=panel_id)
    assert bench.flashes == before


@pytest.mark.parametrize("missing", ["LAMP:CHAR", "TRAC:PAN P1", None])
async def test_tester_itself_refuses_without_lamp_or_panel(bench, missing):
    """Whatever a driver sends: charged lamp and named panel are good for one flash."""
    before = bench.flashes
    async with connected(bench.url) as tester:
        for command in ("TRAC:ID 1", "LAMP:CHAR", "TRAC:PAN P1"):
            if command != missing:
                await tester._link.write(command)
        if missing is None:
            await tester._link.write("INIT")
            await tester._link.write("LAMP:CHAR")
        with pytest.raises(DeviceRefused, match="conflict"):
            await tester._link.write("INIT")
    assert bench.flashes == before + (missing is None)


async def test_lamp_that_does_not_charge(bench):
    bench.faults.always("lamp_fails")
    async with connected(bench.url) as tester:
        with pytest.raises(DeviceRefused, match="lamp is cooling"):
            await tester.flash(FlashSetup(), panel_id="P1")
        assert not (await tester.interlock()).lamp_ready


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("old_sweep", ProtocolError),
        ("nan_sample", ProtocolError),
        ("corrupt@FETC", ProtocolError),
        ("truncate@FETC", ProtocolError),
        ("drop_reply@FETC", DeviceTimeout),
        ("late_reply@FETC", DeviceTimeout),
        ("spurious_error@INIT", DeviceRefused),
    ],
)
async def test_measurement_that_failed_is_none_and_the_next_is_sound(bench, world, fault, error):
    assert LATE_BY > 0.4
    async with connected(bench.url) as tester:
        bench.faults.once(fault)
        with pytest.raises(error):
            await tester.flash(FlashSetup(points=50), panel_id="P1")
        bench.faults.clear()
        (curve,) = await tester.flash(FlashSetup(points=50, both_directions=False), panel_id="P1")
    truth = world.panel.sweep(Sweep.UP, irradiance=1000, points=50)
    assert np.array_equal(curve.current, truth.current)


async def test_setup_beyond_the_tester(bench):
    async with connected(bench.url) as tester:
        with pytest.raises(DeviceRefused, match=r"SOUR:IRR 5000.*out of range"):
            await tester.flash(FlashSetup(irradiance=5000), panel_id="P1")
