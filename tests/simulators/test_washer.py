"""The simulated washer, on its own: belt and controller, without a wire's help."""

from __future__ import annotations

import asyncio
import itertools
import struct
import tomllib
from collections.abc import Callable
from importlib import resources

import pytest

from simulators import washer as washer_module
from simulators.modbus import ModbusRefusal, crc16
from simulators.population import make_panel
from simulators.washer import (
    ABORT,
    ABORTED,
    CLEAR,
    EXECUTE,
    HELD,
    HOLD,
    IDLE,
    RELEASE,
    RESET,
    START,
    STOP,
    STOPPED,
    TRANSITIONS,
    UNHOLD,
    ZONES,
    SimulatedWasher,
)

REGISTER_MAP = tomllib.loads(
    (resources.files("config") / "devices" / "washer.toml").read_text(encoding="utf-8")
)
ADDRESS = {entry["name"]: entry["address"] for entry in REGISTER_MAP["registers"]}


class Plant:
    """A washer whose time passes when told to, and its station's side of the registers."""

    def __init__(self) -> None:
        self.washer = SimulatedWasher(REGISTER_MAP)
        self._seq = itertools.count(1)
        self._beat = itertools.cycle(range(1, 60000))
        self._now = 1000.0
        self.beating = True

    def run(self, seconds: float, step: float = 0.1) -> None:
        for _ in range(round(seconds / step)):
            if self.beating:
                self.washer._write(ADDRESS["heartbeat_station"], [next(self._beat)])
            self._now += step
            self.washer._cycle(step, self._now)

    def order(self, code: int, parameter: float = 0.0, *, seq: int | None = None, spoil: int = 0):
        seq = next(self._seq) if seq is None else seq
        words = [code, *struct.unpack(">2H", struct.pack(">f", parameter))]
        crc = crc16(struct.pack(">4H", *words, seq)) ^ spoil
        self.washer._write(ADDRESS["command_code"], [*words, crc])
        self.washer._write(ADDRESS["command_seq"], [seq])
        self.run(1.0)
        return self.read("result")

    def read(self, name: str) -> int:
        return self.washer._read(ADDRESS[name], 1)[0]

    def start(self) -> None:
        self.order(RESET)
        self.order(START)
        assert self.read("state") == EXECUTE

    def until(self, condition: Callable[[], bool], most: float = 200) -> None:
        for _ in range(round(most)):
            if condition():
                return
            self.run(1.0)
        raise AssertionError("it never came to that")


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(washer_module, "SHORTEST", 0.0)
    monkeypatch.setattr(washer_module, "SHORTEST_GAP", 0.0)


def test_way_of_a_panel(plant):
    plant.start()
    panel, left = make_panel(1), []
    plant.washer.on_released = left.append
    plant.washer.load(panel)
    assert not plant.washer.infeed_free
    seen: list[int] = []
    while not seen or seen[-1] != 1 << 4:
        plant.run(0.5)
        word = plant.read("presence")
        if word and (not seen or seen[-1] != word):
            seen.append(word)
    assert seen == [1 << bit for bit in range(len(ZONES))]
    plant.run(60)
    assert left == []  # it waits for its release
    assert plant.order(RELEASE) == 1
    plant.run(1)
    assert left == [panel]
    assert plant.read("presence") == 0


def test_panels_neither_meet_nor_overtake(plant):
    plant.start()
    panels, left = [make_panel(n) for n in range(4)], []
    plant.washer.on_released = left.append
    waiting = list(panels)
    for _ in range(600):
        if waiting and plant.washer.infeed_free:
            plant.washer.load(waiting.pop(0))
        if plant.washer._zones["outfeed"].sensed:
            plant.order(RELEASE)
        plant.run(0.5)
        held = [zone.panel for zone in plant.washer._zones.values() if zone.panel]
        assert len({panel.panel_id for panel in held}) == len(held)
    assert left == panels


def test_belt_moves_only_in_execute(plant):
    plant.start()
    plant.washer.load(make_panel(1))
    plant.order(HOLD)
    plant.run(60)
    assert plant.read("presence") == 1
    plant.order(UNHOLD)
    plant.until(lambda: plant.read("presence") == 2)


def test_infeed_holds_one(plant):
    plant.washer.load(make_panel(1))
    with pytest.raises(ValueError, match="already"):
        plant.washer.load(make_panel(2))
    assert plant.washer.take_off("infeed").panel_id == make_panel(1).panel_id
    assert plant.washer.infeed_free


@pytest.mark.parametrize("code", TRANSITIONS)
@pytest.mark.parametrize("state", [STOPPED, IDLE, EXECUTE, HELD, ABORTED])
def test_commands_after_packml(plant, state, code):
    plant.washer._plc.state = plant.washer._plc.next_state = state
    allowed, _, end = TRANSITIONS[code]
    assert plant.order(code) == (1 if state in allowed else 3)
    assert plant.read("state") == (end if state in allowed else state)


def test_states_follow_packml(plant):
    ends = []
    for code in (RESET, START, HOLD, UNHOLD, STOP, RESET, ABORT, CLEAR):
        plant.order(code)
        ends.append(plant.read("state"))
    assert ends == [IDLE, EXECUTE, HELD, EXECUTE, STOPPED, IDLE, ABORTED, STOPPED]


def test_same_sequence_number_is_carried_out_once(plant):
    plant.order(RESET, seq=7)
    for _ in range(5):
        plant.order(START, seq=7)
    assert plant.washer.commands == [RESET]
    assert plant.read("state") == IDLE
    assert (plant.read("ack_seq"), plant.read("done_seq")) == (7, 7)


def test_damaged_or_unknown_command_is_refused(plant):
    assert plant.order(RESET, spoil=1) == 5
    assert plant.order(42) == 2
    assert plant.order(30, 99.0) == 4
    assert plant.washer.commands == []
    assert plant.read("state") == STOPPED


def test_release_only_of_a_panel_and_into_a_free_cabinet(plant):
    plant.start()
    assert plant.order(RELEASE) == 3
    plant.washer.load(make_panel(1))
    plant.until(lambda: plant.read("presence") == 16)
    plant.washer.may_release = lambda: False
    assert plant.order(RELEASE) == 3
    plant.washer.may_release = lambda: True
    assert plant.order(RELEASE) == 1


def test_heartbeat_that_stands_still_stops_the_belt(plant):
    plant.start()
    plant.beating = False
    plant.run(2.5)
    assert plant.read("state") == EXECUTE
    plant.run(1.0)
    assert plant.read("state") == STOPPED
    assert plant.read("alarms_1") == 0b10
    plant.beating = True
    plant.start()
    assert plant.read("alarms_1") == 0


def test_emergency_stop_aborts_and_is_not_cleared_while_pressed(plant):
    plant.start()
    plant.washer.emergency_stop = True
    plant.run(0.2)
    assert plant.read("state") == ABORTED
    assert plant.read("safety") == 1
    assert plant.order(CLEAR) == 3
    plant.washer.emergency_stop = False
    assert plant.order(CLEAR) == 1


def test_sensor_that_sticks(plant):
    plant.washer.faults.always("stuck_dry_on")
    plant.run(0.2)
    assert plant.read("presence") == 0b01000
    plant.washer.faults.clear()
    plant.washer.load(make_panel(1))
    plant.washer.faults.always("stuck_infeed_off")
    plant.run(0.2)
    assert plant.read("presence") == 0


def test_restart_keeps_what_the_map_says(plant):
    plant.order(30, 3.0)
    plant.washer.restart()
    plant.run(0.2)
    assert plant.read("boot_count") == 2
    assert (plant.read("state"), plant.read("ack_seq"), plant.read("command_seq")) == (2, 0, 0)
    words = plant.washer._read(ADDRESS["speed_setpoint"], 2)
    assert struct.unpack(">f", struct.pack(">2H", *words)) == (3.0,)


def test_registers_that_are_not_there_or_not_to_be_written(plant):
    with pytest.raises(ModbusRefusal):
        plant.washer._read(50, 1)
    with pytest.raises(ModbusRefusal):
        plant.washer._write(ADDRESS["state"], [6])


def test_station_that_looks_five_times_a_second_sees_every_panel_come_and_go(monkeypatch):
    """At any speed; without that it could take one panel for another."""
    monkeypatch.setattr(washer_module, "SHORTEST", 0.5)
    monkeypatch.setattr(washer_module, "SHORTEST_GAP", 0.3)
    plant = Plant()
    plant.washer.time_scale = 1e6
    plant.start()
    waiting = [make_panel(n) for n in range(3)]
    seen: dict[int, list[bool]] = {bit: [] for bit in range(len(ZONES))}
    for _ in range(60):
        if waiting and plant.washer.infeed_free:
            plant.washer.load(waiting.pop())
        if plant.washer._zones["outfeed"].sensed:
            plant.washer._plc.released = True
        plant.run(0.2)
        for bit, states in seen.items():
            states.append(bool(plant.read("presence") >> bit & 1))
    for states in seen.values():
        assert sum(not a and b for a, b in itertools.pairwise([False, *states])) == 3


async def test_speed_up_and_real_time(monkeypatch):
    """At a hundred times the speed a panel still stands at each sensor for a while."""
    monkeypatch.setattr(washer_module, "SHORTEST", 0.1)
    washer = SimulatedWasher(REGISTER_MAP, time_scale=1000)
    await washer.start()
    washer._plc.state = washer._plc.next_state = EXECUTE
    washer._timeout = float("inf")
    loop = asyncio.get_running_loop()
    washer.load(make_panel(1))
    began = loop.time()
    async with asyncio.timeout(8):
        while not washer._zones["outfeed"].sensed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert loop.time() - began >= 0.4
    await washer.stop()
