"""A washer conveyor as its controller shows it: written from docs/devices.md.

Each zone has its own drive; a panel goes on when its treatment is over and the next zone is
free, so panels neither touch nor overtake. What a controller must do for safety it does alone:
an emergency stop, or a station whose heartbeat stands still, stops the belt.

Faults: those of every wire, and ``plc_hangs`` (the program stands still, the registers are still
served), ``stuck_ZONE_on`` and ``stuck_ZONE_off`` (a presence sensor), ``torn_snapshot``.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from simulators.faults import Faults
from simulators.modbus import ILLEGAL_ADDRESS, ModbusRefusal, ModbusServer, crc16
from simulators.wire import Wire, WireKind
from simulators.world import TruePanel

ZONES = ("infeed", "wash", "rinse", "dry", "outfeed")
SECONDS = {"infeed": 4.0, "wash": 20.0, "rinse": 12.0, "dry": 30.0, "outfeed": 4.0}
GAP = 2.0  # s, between the sensors of two zones
# Real time, however fast the belt: a station looks five times a second, and must see each panel
# come and go.
SHORTEST = 0.5  # s at each sensor
SHORTEST_GAP = 0.3  # s between two sensors
NOMINAL_SPEED = 2.0  # m/min, to which SECONDS belong
CYCLE = 0.02  # s of real time, of the controller's program
LONGEST_STEP = 0.1  # s; a simulation that was held up does not make the belt jump

STOPPED, STARTING, IDLE, EXECUTE, ABORTED, HELD = 2, 3, 4, 6, 9, 11
ACCEPTED, UNKNOWN_CODE, NOT_POSSIBLE, OUT_OF_RANGE, WRONG_CRC = 1, 2, 3, 4, 5
RESET, START, STOP, HOLD, UNHOLD, ABORT, CLEAR, RELEASE, SET_SPEED = 1, 2, 3, 4, 5, 8, 9, 20, 30
# PackML: what a command needs, what it passes through, where it ends (ISA-TR88.00.02).
ANY = frozenset(range(1, 18)) - {8, ABORTED}
TRANSITIONS: Mapping[int, tuple[frozenset[int], int, int]] = {
    RESET: (frozenset({STOPPED, 17}), 15, IDLE),
    START: (frozenset({IDLE}), STARTING, EXECUTE),
    STOP: (ANY - {STOPPED, 7}, 7, STOPPED),
    HOLD: (frozenset({EXECUTE}), 10, HELD),
    UNHOLD: (frozenset({HELD}), 12, EXECUTE),
    ABORT: (ANY, 8, ABORTED),
    CLEAR: (frozenset({ABORTED}), 1, STOPPED),
}
FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f"}


@dataclass(slots=True)
class _Zone:
    """``remaining`` is what is left of the treatment, ``arriving`` of the way in [s].

    ``unseen_for`` and ``seen_for`` are real time [s] before and at the sensor.
    """

    panel: TruePanel | None = None
    remaining: float = 0.0
    arriving: float = 0.0
    unseen_for: float = 0.0
    seen_for: float = 0.0

    @property
    def sensed(self) -> bool:
        arrived = self.arriving <= 0 and self.unseen_for >= SHORTEST_GAP
        return self.panel is not None and arrived


@dataclass(slots=True)
class _Program:
    """What the controller's program remembers."""

    state: int = STOPPED
    next_state: int = STOPPED
    state_left: float = 0.0  # s, of a state that passes
    speed_setpoint: float = NOMINAL_SPEED
    washed: int = 0
    boots: int = 1
    snapshot_seq: int = 0
    heartbeat: float = 0.0
    echo: int = 0
    station_beat: int = 0
    station_beat_at: float = 0.0
    alarms: set[str] = field(default_factory=set)
    seq: int = 0
    code: int = 0
    result: int = 0
    done: int = 0
    released: bool = False


class SimulatedWasher:
    """The washer conveyor, its controller and its wire.

    Args:
        register_map: the contents of ``config/devices/washer.toml``.
        time_scale: how much faster than real the belt runs; heartbeats stay real.
        kind: Modbus TCP, or RTU over a pseudo-terminal.
        port: of Modbus TCP; 0 takes a free one.
        faults: see above.
    """

    def __init__(
        self,
        register_map: Mapping[str, Any],
        *,
        time_scale: float = 1.0,
        kind: WireKind = WireKind.TCP,
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self.time_scale = time_scale
        self.emergency_stop = False
        self.commands: list[int] = []  # the codes that were carried out
        self.on_released: Callable[[TruePanel], None] = lambda panel: None
        self.may_release: Callable[[], bool] = lambda: True  # whether the cabinet is free
        self._registers = {entry["name"]: entry for entry in register_map["registers"]}
        self._blocks = register_map["blocks"]
        self._timeout = float(register_map["heartbeat"]["timeout"])
        self._memory: dict[int, int] = {}
        self._writable: set[int] = set()
        self._zones = {name: _Zone() for name in ZONES}
        self._plc = _Program()
        self._kind = kind
        server = ModbusServer(self._read, self._write, device_id=register_map["device_id"])
        handler = server.serve_tcp if kind is WireKind.TCP else server.serve_rtu
        self._wire = Wire(handler, kind, port=port, faults=self.faults)
        self._running: asyncio.Task[None] | None = None
        self._lay_out()

    # --- life ------------------------------------------------------------------------------------

    async def start(self) -> str:
        """Power up, and return the address."""
        await self._wire.__aenter__()
        self._running = asyncio.create_task(self._run(), name="simulated washer")
        if self._kind is WireKind.PTY:
            return self._wire.url
        return f"tcp://{self._wire.host}:{self._wire.port}"

    async def stop(self) -> None:
        """Cut the power."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self._wire.__aexit__()

    def restart(self) -> None:
        """Restart the controller; the panels stay where they are."""
        old = self._plc
        self._plc = _Program(
            washed=old.washed, boots=old.boots + 1, speed_setpoint=old.speed_setpoint
        )
        for name in ("command_code", "command_parameter", "command_crc", "command_seq"):
            self._put(name, 0)
        self._put("heartbeat_station", 0)

    # --- what people and machines do at it -------------------------------------------------------

    @property
    def infeed_free(self) -> bool:
        """Whether there is room on the infeed."""
        return self._zones["infeed"].panel is None

    def load(self, panel: TruePanel) -> None:
        """Put a panel on the infeed; raises ValueError where one lies there."""
        if not self.infeed_free:
            raise ValueError("a panel lies on the infeed already")
        self._zones["infeed"] = _Zone(panel, remaining=SECONDS["infeed"], unseen_for=SHORTEST_GAP)

    def take_off(self, zone: str) -> TruePanel | None:
        """Lift the panel off a zone by hand."""
        panel = self._zones[zone].panel
        self._zones[zone] = _Zone()
        return panel

    def panel_in(self, zone: str) -> TruePanel | None:
        """Return the panel that is really in ``zone``."""
        return self._zones[zone].panel

    # --- the controller's program ----------------------------------------------------------------

    async def _run(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(CYCLE)
            now = time.monotonic()
            if not self.faults.take("plc_hangs"):
                self._cycle(now - before, now)
            before = now

    def _cycle(self, passed: float, now: float) -> None:
        plc = self._plc
        plc.heartbeat += passed
        self._watch_station(now)
        self._take_command()
        self._pass_state(passed * self.time_scale)
        if plc.state == EXECUTE:
            self._move(min(passed, LONGEST_STEP))
        self._publish()

    def _watch_station(self, now: float) -> None:
        plc, beat = self._plc, self._get("heartbeat_station")
        if beat != plc.station_beat:
            plc.station_beat, plc.station_beat_at = beat, now
        lost = now - plc.station_beat_at > self._timeout
        if self.emergency_stop:
            plc.alarms.add("emergency_stop")
            plc.state = plc.next_state = ABORTED
        elif lost and plc.state in (STARTING, EXECUTE, 12):
            plc.alarms.add("heartbeat_lost")
            plc.state = plc.next_state = STOPPED
        plc.echo = beat

    def _pass_state(self, seconds: float) -> None:
        plc = self._plc
        if plc.state == plc.next_state:
            return
        plc.state_left -= seconds
        if plc.state_left <= 0:
            plc.state = plc.next_state
            plc.done = plc.seq

    # --- commands --------------------------------------------------------------------------------

    def _take_command(self) -> None:
        plc, seq = self._plc, self._get("command_seq")
        if seq in (0, plc.seq):
            return
        words = [self._memory[self._address("command_code") + i] for i in range(3)]
        plc.seq, plc.code = seq, words[0]
        if crc16(struct.pack(">4H", *words, seq)) != self._get("command_crc"):
            plc.result = WRONG_CRC
            return
        plc.result = self._obey(words[0], struct.unpack(">f", struct.pack(">2H", *words[1:]))[0])
        if plc.result == ACCEPTED:
            self.commands.append(words[0])
            if plc.state == plc.next_state:
                plc.done = seq

    def _obey(self, code: int, parameter: float) -> int:
        if code == SET_SPEED:
            return self._set_speed(parameter)
        if code == RELEASE:
            return self._release()
        if code not in TRANSITIONS:
            return UNKNOWN_CODE
        return self._change_state(code)

    def _set_speed(self, speed: float) -> int:
        limits = self._registers["speed_setpoint"]
        if not limits["low"] <= speed <= limits["high"]:
            return OUT_OF_RANGE
        self._plc.speed_setpoint = speed
        return ACCEPTED

    def _release(self) -> int:
        if not self._zones["outfeed"].sensed or not self.may_release():
            return NOT_POSSIBLE
        self._plc.released = True
        return ACCEPTED

    def _change_state(self, code: int) -> int:
        plc = self._plc
        allowed, through, end = TRANSITIONS[code]
        if plc.state not in allowed or (code == CLEAR and self.emergency_stop):
            return NOT_POSSIBLE
        if code in (CLEAR, RESET):
            plc.alarms.clear()
        plc.state, plc.next_state, plc.state_left = through, end, 0.5
        return ACCEPTED

    # --- the belt --------------------------------------------------------------------------------

    def _move(self, passed: float) -> None:
        """Let time pass on the belt, furthest zone first; ``passed`` [s] is real."""
        seconds = passed * self.time_scale * self._plc.speed_setpoint / NOMINAL_SPEED
        self._leave_outfeed()
        for name, onward in reversed(list(pairwise(ZONES))):
            zone = self._zones[name]
            ready = zone.remaining <= 0 and zone.seen_for >= SHORTEST
            if zone.panel is not None and ready and self._zones[onward].panel is None:
                self._zones[onward] = _Zone(zone.panel, SECONDS[onward], arriving=GAP)
                self._zones[name] = _Zone()
                self._plc.washed += name == "dry"
        for zone in self._zones.values():
            if zone.sensed:
                zone.remaining -= seconds
                zone.seen_for += passed
            zone.unseen_for += passed
            zone.arriving -= seconds

    def _leave_outfeed(self) -> None:
        zone = self._zones["outfeed"]
        if self._plc.released and zone.panel is not None and zone.seen_for >= SHORTEST:
            panel, self._zones["outfeed"] = zone.panel, _Zone()
            self._plc.released = False
            self.on_released(panel)

    # --- registers -------------------------------------------------------------------------------

    def _publish(self) -> None:
        """Make the next snapshot."""
        plc = self._plc
        moves = plc.state == EXECUTE
        plc.snapshot_seq = (plc.snapshot_seq + 1) % 65536
        wet = moves and self._zones["wash"].sensed
        values: dict[str, float] = {
            "snapshot_seq": plc.snapshot_seq,
            "boot_count": plc.boots,
            "heartbeat_plc": int(plc.heartbeat) % 65536,
            "heartbeat_echo": plc.echo,
            "state": plc.state,
            "presence": self._presence(),
            "safety": int(self.emergency_stop),
            "alarms_1": self._alarm_word("alarms_1"),
            "alarms_2": self._alarm_word("alarms_2"),
            "speed": plc.speed_setpoint if moves else 0.0,
            "spray_pressure": 92.0 + 0.4 * (plc.snapshot_seq % 5) if wet else 0.0,
            "water_temperature": 31.4,
            "conductivity": 410.0 + 0.9 * (plc.washed % 150),
            "tank_level": 96.0 - 0.1 * (plc.washed % 150),
            "brush_current": 3.2 + 0.05 * (plc.snapshot_seq % 7) if wet else 0.0,
            "dryer_temperature": 58.0 if moves else 24.0,
            "panels_washed": plc.washed,
            "speed_setpoint": plc.speed_setpoint,
            "ack_seq": plc.seq,
            "ack_code": plc.code,
            "result": plc.result,
            "done_seq": plc.done,
        }
        for name, value in values.items():
            self._put(name, value)
        self._seal("snapshot")

    def _presence(self) -> int:
        word = 0
        for bit, name in enumerate(ZONES):
            sensed = self._zones[name].sensed or self.faults.take(f"stuck_{name}_on")
            if sensed and not self.faults.take(f"stuck_{name}_off"):
                word |= 1 << bit
        return word

    def _alarm_word(self, name: str) -> int:
        names = self._registers[name]["bits"]
        return sum(1 << bit for bit, code in enumerate(names) if code in self._plc.alarms)

    def raise_alarm(self, code: str) -> None:
        """Show an alarm of the map until it is reset."""
        self._plc.alarms.add(code)

    def _lay_out(self) -> None:
        for entry in self._registers.values():
            words = entry.get("length") or struct.calcsize(FORMATS[entry["type"]]) // 2
            addresses = range(entry["address"], entry["address"] + words)
            self._memory.update(dict.fromkeys(addresses, 0))
            if entry["access"] == "write":
                self._writable.update(addresses)
        texts = {"maker": "Zonkeur", "model": "SimWash 5", "serial": "SW-0001", "firmware": "1.0"}
        for name, text in texts.items():
            raw = text.encode().ljust(2 * self._registers[name]["length"], b"\0")
            words = struct.unpack(f">{len(raw) // 2}H", raw)
            self._memory.update(enumerate(words, start=self._address(name)))
        self._put("map_version", 1)
        self._put("snapshot_tag", self._registers["snapshot_tag"]["low"])
        self._seal("identity")
        self._publish()

    def _address(self, name: str) -> int:
        return int(self._registers[name]["address"])

    def _get(self, name: str) -> int:
        return self._memory[self._address(name)]

    def _put(self, name: str, value: float) -> None:
        entry = self._registers[name]
        raw_value = value if entry["type"] == "f32" else round(value / entry.get("scale", 1))
        raw = struct.pack(FORMATS[entry["type"]], raw_value)
        words = struct.unpack(f">{len(raw) // 2}H", raw)
        self._memory.update(enumerate(words, start=entry["address"]))

    def _seal(self, block: str) -> None:
        """Put the CRC of a block into its last register."""
        first, last = (self._address(self._blocks[block][end]) for end in ("first", "last"))
        words = [self._memory.get(address, 0) for address in range(first, last)]
        self._memory[last] = crc16(struct.pack(f">{len(words)}H", *words))

    def _read(self, address: int, count: int) -> Sequence[int]:
        wanted = range(address, address + count)
        if any(a not in self._memory for a in wanted):
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        words = [self._memory[a] for a in wanted]
        if count > 1 and self.faults.take("torn_snapshot"):
            words[3] = (words[3] + 1) % 65536
        return words

    def _write(self, address: int, words: Sequence[int]) -> None:
        if any(address + i not in self._writable for i in range(len(words))):
            raise ModbusRefusal(ILLEGAL_ADDRESS)
        self._memory.update(enumerate(words, start=address))
