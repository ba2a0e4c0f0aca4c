"""The washer's driver: byte by byte after docs/devices.md, and against a washer with faults."""

from __future__ import annotations

import asyncio
import struct
import tomllib
from collections.abc import AsyncIterator, Callable
from functools import partial
from importlib import resources

import pytest

from drivers.errors import (
    DeviceError,
    DeviceRefused,
    DeviceTimeout,
    DeviceUnreachable,
    IdentityChanged,
    ProtocolError,
)
from drivers.roles import WashCommand, WashState, Zone
from drivers.wash_modbus import WashModbus, WashModbusSettings
from simulators.modbus import crc16
from simulators.population import make_panel
from simulators.washer import RELEASE, SimulatedWasher
from simulators.wire import WireKind

REGISTER_MAP = tomllib.loads(
    (resources.files("config") / "devices" / "washer.toml").read_text(encoding="utf-8")
)


# --- byte by byte --------------------------------------------------------------------------------


@pytest.fixture
def dialogue(transcript):
    """A transcript over TCP."""
    return partial(transcript, kind=WireKind.TCP)


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def sealed(body: bytes) -> bytes:
    return body + struct.pack(">H", crc16(body))


def frame(transaction: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, 1) + pdu


IDENTITY = sealed(
    words(1)
    + b"Acme".ljust(16, b"\0")
    + b"W5".ljust(16, b"\0")
    + b"77".ljust(16, b"\0")
    + b"2.1".ljust(8, b"\0")
)


def snapshot(echo: int, **changed: int) -> bytes:
    """Registers 100 to 127: held (11), panels at infeed and dry, 2 m/min, 91.5 bar, 31.4 °C."""
    head = {"tag": 0x5A01, "seq": echo, "boot": 3, "beat": 9, "echo": echo, "state": 11}
    head |= {"presence": 0b01001, "safety": 0, "alarms_1": 0b100, "alarms_2": 0b1}
    tail = {"pressure": 9150, "water": 314}
    ends = {"level": 960, "brush": 320, "dryer": 0xFFF6}  # −1.0 °C
    reply = {"ack": 4, "code": 2, "result": 1, "done": 4}
    for part in (head, tail, ends, reply):
        part.update({key: value for key, value in changed.items() if key in part})
    body = words(*head.values()) + struct.pack(">f", 2.0) + words(*tail.values())
    body += struct.pack(">f", 410.5) + words(*ends.values()) + struct.pack(">If", 70000, 2.0)
    return sealed(body + words(*reply.values()))


def read(transaction: int, address: int, body: bytes) -> tuple[bytes, bytes]:
    count = len(body) // 2
    request = frame(transaction, struct.pack(">BHH", 3, address, count))
    return request, frame(transaction, struct.pack(">BB", 3, len(body)) + body)


def write(transaction: int, address: int, value: int) -> tuple[bytes, bytes]:
    request = frame(transaction, struct.pack(">BHH", 6, address, value))
    return request, request


def tcp(url: str, **more: object) -> WashModbus:
    return WashModbus(
        WashModbusSettings(url=url.replace("socket://", "tcp://"), timeout=0.4, **more)
    )


CONNECT = (read(1, 0, IDENTITY), write(2, 210, 1), read(3, 100, snapshot(1)))


async def test_identity_then_heartbeat_then_snapshot(dialogue):
    script = await dialogue(*CONNECT, write(4, 210, 2), read(5, 100, snapshot(2)))
    washer = tcp(script.url)
    instrument = await washer.connect()
    assert (instrument.maker, instrument.model, instrument.serial, instrument.firmware) == (
        "Acme", "W5", "77", "2.1",
    )  # fmt: skip
    status = await washer.status()
    await washer.close()
    assert status.state is WashState.HELD
    assert {zone for zone, there in status.presence.items() if there} == {Zone.INFEED, Zone.DRY}
    assert status.alarms == ("belt_blocked", "tank_low")
    assert not status.emergency_stop
    assert status.speed == pytest.approx(2.0)
    assert status.spray_pressure == pytest.approx(91.5)
    assert status.water_temperature == pytest.approx(31.4)
    assert status.conductivity == pytest.approx(410.5)
    assert status.tank_level == pytest.approx(96.0)
    assert status.brush_current == pytest.approx(3.2)
    assert status.dryer_temperature == pytest.approx(-1.0)
    assert status.panels_washed == 70000


async def test_command_is_parameters_then_sequence_number(dialogue):
    body = words(3) + struct.pack(">f", 0.0)
    body += struct.pack(">H", crc16(body + words(5)))
    parameters = frame(8, struct.pack(">BHHB", 16, 200, 4, 8) + body)
    taken = snapshot(4, ack=5, code=3, result=1, done=5, state=2)
    script = await dialogue(
        *CONNECT,
        write(4, 210, 2),
        read(5, 100, snapshot(2)),
        write(6, 210, 3),
        read(7, 100, snapshot(3)),
        (parameters, frame(8, struct.pack(">BHH", 16, 200, 4))),
        write(9, 204, 5),
        write(10, 210, 4),
        read(11, 100, taken),
    )
    washer = tcp(script.url)
    await washer.connect()
    await washer.command(WashCommand.STOP)
    await washer.close()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (snapshot(2)[:-1] + b"\0", "CRC"),
        (snapshot(2, tag=0x5A02), "snapshot_tag"),
        (snapshot(2, state=18), "state"),
        (snapshot(2, presence=0b100000), "presence"),
        (snapshot(2, seq=1), "older"),
        (snapshot(2, seq=65000), "older"),
        (snapshot(2, pressure=25001), "spray_pressure"),
        (snapshot(2, level=1001), "tank_level"),
        (snapshot(2)[:-2], "27 registers"),
    ],
)
async def test_snapshot_that_is_not_right_is_refused(dialogue, body, says):
    short = len(body) < 56
    request = frame(5, struct.pack(">BHH", 3, 100, 28))
    answer = read(5, 100, body)[1]
    script = await dialogue(*CONNECT, write(4, 210, 2), (request, answer))
    assert short == (says == "27 registers")
    washer = tcp(script.url, attempts=1)
    await washer.connect()
    with pytest.raises(ProtocolError, match=says):
        await washer.status()
    await washer.close()


async def test_exception_reply_is_a_refusal(dialogue):
    request = frame(1, struct.pack(">BHH", 3, 0, 30))
    script = await dialogue((request, frame(1, bytes([0x83, 2]))))
    with pytest.raises(DeviceRefused, match="exception 2"):
        await tcp(script.url).connect()


async def test_heartbeat_that_confirms_another_value_is_not_believed(dialogue):
    wrong = (write(4, 210, 2)[0], frame(4, struct.pack(">BHH", 6, 210, 1)))
    script = await dialogue(*CONNECT, wrong)
    washer = tcp(script.url, attempts=1)
    await washer.connect()
    with pytest.raises(ProtocolError, match="another write"):
        await washer.status()
    await washer.close()


# --- against a washer ----------------------------------------------------------------------------


@pytest.fixture(params=list(WireKind))
async def plant(request) -> AsyncIterator[SimulatedWasher]:
    """A washer over Modbus TCP, and one over RTU on a pseudo-terminal."""
    washer = SimulatedWasher(REGISTER_MAP, time_scale=50, kind=request.param)
    washer.url = await washer.start()
    yield washer
    await washer.stop()


@pytest.fixture
async def washer(plant) -> AsyncIterator[WashModbus]:
    driver = WashModbus(
        WashModbusSettings(url=plant.url, parity="N", timeout=0.3, command_timeout=5)
    )
    await driver.connect()
    yield driver
    await driver.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def started(washer: WashModbus) -> None:
    await washer.command(WashCommand.RESET)
    await washer.command(WashCommand.START)


async def test_start_and_stop(washer):
    assert (await washer.status()).state is WashState.STOPPED
    await started(washer)
    assert (await washer.status()).state is WashState.EXECUTE
    await washer.command(WashCommand.HOLD)
    assert (await washer.status()).state is WashState.HELD
    await washer.command(WashCommand.UNHOLD)
    await washer.command(WashCommand.STOP)
    assert (await washer.status()).state is WashState.STOPPED


async def test_speed_is_read_back_and_kept_within_range(washer, plant):
    await washer.set_speed(3.5)
    await started(washer)
    assert (await washer.status()).speed == pytest.approx(3.5)
    with pytest.raises(DeviceRefused, match="not within"):
        await washer.set_speed(1000.0)  # the driver's own check
    with pytest.raises(DeviceRefused, match="out of range"):
        await washer.set_speed(0.1)  # the controller's
    assert plant.commands.count(30) == 1


async def test_command_that_the_state_does_not_allow(washer, plant):
    with pytest.raises(DeviceRefused, match=r"START.*present state"):
        await washer.command(WashCommand.START)
    with pytest.raises(DeviceRefused, match="RELEASE"):
        await washer.command(WashCommand.RELEASE)
    assert plant.commands == []


@pytest.mark.parametrize("fault", ["late_reply", "drop_reply", "corrupt"])
@pytest.mark.parametrize("at", ["", "@\x06\x00\xcc", "@\x10\x00\xc8"])
async def test_command_is_carried_out_once_whatever_becomes_of_a_reply(washer, plant, fault, at):
    """``at``: any reply, that to writing command_seq (204), that to the parameters (200)."""
    await started(washer)
    plant.commands.clear()
    plant.faults.once(fault + at)
    await washer.command(WashCommand.HOLD)
    assert plant.commands == [WashCommand.HOLD]
    assert (await washer.status()).state is WashState.HELD


async def test_release_that_was_not_seen_to_end_is_not_given_twice(washer, plant, monkeypatch):
    monkeypatch.setattr("simulators.washer.SHORTEST", 0.1)
    await started(washer)
    first, second = make_panel(1), make_panel(2)
    left: list[str] = []
    plant.on_released = lambda panel: left.append(panel.panel_id)
    plant.load(first)
    await until(lambda: plant.infeed_free)
    plant.load(second)
    await until(lambda: plant.panel_in("outfeed") is first)
    await until(lambda: plant._zones["outfeed"].sensed)
    plant.faults.always("drop_reply@\x03")
    with pytest.raises(DeviceTimeout):
        await washer.command(WashCommand.RELEASE)
    plant.faults.clear()
    await washer.command(WashCommand.RELEASE)
    await until(lambda: plant.panel_in("outfeed") is second)
    assert left == [first.panel_id]
    assert plant.commands.count(RELEASE) <= 1


async def test_stop_does_not_wait_for_another_command(washer, plant):
    await started(washer)
    plant.time_scale = 0.001  # HOLD takes minutes now
    holding = asyncio.create_task(washer.command(WashCommand.HOLD))
    await until(lambda: WashCommand.HOLD in plant.commands)
    stopping = asyncio.create_task(washer.command(WashCommand.STOP))
    await until(lambda: WashCommand.STOP in plant.commands)
    plant.time_scale = 50
    await stopping
    with pytest.raises(DeviceRefused, match="overtaken"):
        await holding
    assert (await washer.status()).state is WashState.STOPPED


async def test_controller_that_stands_still_is_found(washer, plant):
    """Its memory is still served, so only the heartbeats tell."""
    await washer.status()
    plant.faults.always("plc_hangs")
    with pytest.raises(ProtocolError, match="stale: it echoes heartbeat"):
        await washer.status()


@pytest.mark.parametrize("stuck_at", [0, 1, 65535])
async def test_heartbeat_of_the_controller_that_stands_still_is_found(
    washer, plant, stuck_at, monkeypatch
):
    """Its program echoes ours, but its own does not change: high or low is one."""
    washer._map = washer._map.model_copy(
        update={"heartbeat": washer._map.heartbeat.model_copy(update={"timeout": 0.3})}
    )
    plant._plc.heartbeat = stuck_at
    monkeypatch.setattr(plant, "_cycle", _without_heartbeat(plant))
    await washer.status()
    with pytest.raises(ProtocolError, match="stands still"):
        await _ask_for_seconds(washer, 5)


async def _ask_for_seconds(washer: WashModbus, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while True:
            await washer.status()


def _without_heartbeat(plant: SimulatedWasher) -> Callable[[float, float], None]:
    cycle, beat = plant._cycle, plant._plc.heartbeat

    def run(passed: float, now: float) -> None:
        plant._plc.heartbeat = beat - passed
        cycle(passed, now)

    return run


async def test_belt_stops_when_the_station_is_gone(plant):
    plant._timeout = 0.4
    driver = WashModbus(WashModbusSettings(url=plant.url, parity="N", timeout=0.3))
    await driver.connect()
    await started(driver)
    await driver.close()
    await until(lambda: plant._plc.state == WashState.STOPPED)
    await driver.connect()
    assert "heartbeat_lost" in (await driver.status()).alarms
    await started(driver)
    assert (await driver.status()).alarms == ()
    await driver.close()


async def test_heartbeat_goes_on_by_itself(washer, plant):
    plant._timeout = 1.6
    await started(washer)
    before = washer._beat
    await until(lambda: washer._beat >= before + 2)
    assert (await washer.status()).state is WashState.EXECUTE


async def test_torn_snapshot_is_read_again(washer, plant):
    plant.faults.once("torn_snapshot")
    await washer.status()
    plant.faults.always("torn_snapshot")
    with pytest.raises(ProtocolError, match="CRC"):
        await washer.status()


async def test_late_reply_is_not_taken_for_the_next(washer, plant):
    """Over RTU nothing but the echo in the block itself tells one answer from another."""
    for _ in range(3):
        plant.faults.once("late_reply@\x03")
        before = plant._plc.snapshot_seq
        await washer.status()
        assert washer._last["heartbeat_echo"] == washer._beat
        assert washer._last["snapshot_seq"] > before


async def test_emergency_stop(washer, plant):
    await started(washer)
    plant.emergency_stop = True
    await until(lambda: plant._plc.state == WashState.ABORTED)
    status = await washer.status()
    assert status.emergency_stop
    assert status.alarms == ("emergency_stop",)
    with pytest.raises(DeviceRefused, match="CLEAR"):
        await washer.command(WashCommand.CLEAR)
    plant.emergency_stop = False
    await washer.command(WashCommand.CLEAR)
    assert (await washer.status()).alarms == ()


async def test_restart_of_the_controller_in_a_command(washer, plant):
    await started(washer)
    plant.time_scale = 0.001
    holding = asyncio.create_task(washer.command(WashCommand.HOLD))
    await until(lambda: WashCommand.HOLD in plant.commands)
    plant.restart()
    with pytest.raises(DeviceRefused, match="restarted"):
        await holding
    plant.time_scale = 50
    await started(washer)


@pytest.mark.parametrize("plant", [WireKind.TCP], indirect=True)
async def test_lost_link_is_opened_again(washer, plant):
    plant.faults.once("hang_up")
    with pytest.raises(DeviceError):
        await washer.status()
    await washer.connect()
    await washer.status()


async def test_washer_that_is_gone(plant):
    driver = WashModbus(WashModbusSettings(url="tcp://127.0.0.1:1", timeout=0.3))
    with pytest.raises(DeviceUnreachable):
        await driver.connect()
    with pytest.raises(DeviceUnreachable):
        await driver.status()
    await driver.close()


async def test_another_washer_than_expected(plant):
    driver = WashModbus(WashModbusSettings(url=plant.url, parity="N", expected_serial="SW-0002"))
    with pytest.raises(IdentityChanged, match="SW-0001"):
        await driver.connect()
    await driver.close()
