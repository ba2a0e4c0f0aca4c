"""The washer conveyor over Modbus TCP or RTU; registers and handshake: docs/devices.md.

Modbus/TCP carries no checksum of the payload, an RTU reply that comes late is taken for the
answer to the next question, and a write that is repeated is executed twice. So each snapshot
carries a tag, a CRC, a sequence number and the echo of a heartbeat that was written just before
it; and a command is a sequence number that the controller takes up once, however often it is
written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from drivers.errors import (
    DeviceError,
    DeviceRefused,
    DeviceTimeout,
    IdentityChanged,
    ProtocolError,
)
from drivers.modbus_link import ModbusLink, ModbusSettings
from drivers.registers import RegisterError, Value, bits_set, crc16, load_map
from drivers.roles import WashCommand, WashState, WashStatus, Zone
from drivers.tasks import end
from grading.values import Instrument

Snapshot = Mapping[str, Value]

SET_SPEED = 30
# These do not wait for the end of another command; they take its place.
URGENT = frozenset({WashCommand.STOP, WashCommand.HOLD, WashCommand.ABORT})
ACCEPTED, WRONG_CRC = 1, 5
REFUSALS = {
    2: "it does not know the command",
    3: "that is not possible in its present state",
    4: "the parameter is out of range",
}
_log = logging.getLogger(__name__)


class WashModbusSettings(ModbusSettings):
    """How to reach the washer; ``register_map`` replaces the map that ships."""

    kind: Literal["wash_modbus"] = "wash_modbus"
    name: str = "washer"
    command_timeout: Annotated[float, Field(gt=0)] = 30.0  # s, until a command is done
    attempts: Annotated[int, Field(ge=1)] = 3  # at reading one snapshot
    register_map: Path | None = None
    expected_serial: str | None = None


@dataclass(eq=False, slots=True)
class _Job:
    """A command that was given and of which the end is not known yet."""

    code: int
    parameter: float
    seq: int
    boot: Value


class WashModbus:
    """The washer conveyor."""

    def __init__(self, settings: WashModbusSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._map = load_map("washer", settings.register_map)
        self._link = ModbusLink(settings.name, settings, self._map)
        self._instrument: Instrument | None = None
        self._connecting = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._heartbeat: asyncio.Task[None] | None = None
        self._beat = 0
        self._last: Snapshot | None = None
        self._plc_beat_at = 0.0  # loop time at which the controller's heartbeat last changed
        self._seq = 0
        self._job: _Job | None = None

    # --- life ------------------------------------------------------------------------------------

    async def connect(self) -> Instrument:
        """Open the link, check who answers, and start the heartbeat; see the role."""
        async with self._connecting:
            if self._instrument is not None and self._link.connected:
                return self._instrument
            await self._let_go()
            await self._link.open()
            try:
                instrument = await self._identify()
                self._seq = int((await self._snapshot())["ack_seq"])
            except DeviceError:
                await self._let_go()
                raise
            self._instrument = instrument
            self._heartbeat = asyncio.create_task(self._keep_beating(), name="washer heartbeat")
            return instrument

    async def close(self) -> None:
        """Let go of the link; without our heartbeat the washer stops its belt by itself."""
        async with self._connecting:
            await self._let_go()

    async def _let_go(self) -> None:
        if self._heartbeat is not None:
            await end([self._heartbeat])
        self._link.close()
        self._instrument = self._heartbeat = self._last = None

    async def _identify(self) -> Instrument:
        values = await self._link.read_block("identity")
        instrument = Instrument(
            role="washer",
            maker=str(values["maker"]),
            model=str(values["model"]),
            serial=str(values["serial"]),
            firmware=str(values["firmware"]),
        )
        expected = self._settings.expected_serial
        if expected not in (None, instrument.serial):
            raise IdentityChanged(
                self.name,
                f"The washer with serial {instrument.serial} answers, not {expected}.",
                "Correct its serial in the configuration, or its address.",
            )
        return instrument

    async def _keep_beating(self) -> None:
        """Change our heartbeat once a second; status and commands change it too."""
        while True:
            await asyncio.sleep(self._map.heartbeat.period)
            try:
                await self._snapshot()
            except DeviceError as error:
                _log.warning("heartbeat: %s", error)

    # --- verbs -----------------------------------------------------------------------------------

    async def status(self) -> WashStatus:
        """Read one snapshot; raises ProtocolError where it is stale, torn or out of range."""
        values = await self._snapshot()
        try:
            present = bits_set(self._map["presence"], values["presence"])
            alarms = [
                code for name in ("alarms_1", "alarms_2") for code in self._bits(name, values)
            ]
            return WashStatus(
                state=WashState(int(values["state"])),
                presence={zone: zone.value in present for zone in Zone},
                emergency_stop="emergency_stop" in self._bits("safety", values),
                alarms=tuple(dict.fromkeys(alarms)),
                speed=float(values["speed"]),
                spray_pressure=float(values["spray_pressure"]),
                water_temperature=float(values["water_temperature"]),
                conductivity=float(values["conductivity"]),
                tank_level=float(values["tank_level"]),
                brush_current=float(values["brush_current"]),
                dryer_temperature=float(values["dryer_temperature"]),
                panels_washed=int(values["panels_washed"]),
            )
        except ValueError as error:
            raise self._link.distrusted(str(error)) from error

    async def command(self, command: WashCommand) -> None:
        """Give a command and return when the washer says that it is done.

        A command whose end was not seen (the link was lost) is not given again when asked for
        again; its end is waited for. STOP, HOLD and ABORT take the place of one under way.
        """
        if command in URGENT:
            await self._perform(command, 0.0)
        else:
            async with self._turn:
                await self._perform(command, 0.0)

    async def set_speed(self, speed: float) -> None:
        """Set the conveyor's speed [m/min]; the value is read back."""
        async with self._turn:
            await self._perform(SET_SPEED, speed)
        setpoint = float((await self._snapshot())["speed_setpoint"])
        if abs(setpoint - speed) > 1e-3:
            raise self._link.distrusted(
                f"the speed was set to {speed:g} and reads {setpoint:g} m/min"
            )

    def _bits(self, name: str, values: Snapshot) -> tuple[str, ...]:
        return bits_set(self._map[name], values[name])

    # --- commands --------------------------------------------------------------------------------

    async def _perform(self, code: int, parameter: float) -> None:
        job = await self._new_or_unfinished(code, parameter)
        deadline = _now() + self._settings.command_timeout
        while not self._is_done(job, await self._snapshot()):
            if _now() > deadline:
                raise DeviceTimeout(
                    self.name,
                    f"Command {_label(code)} was not done within "
                    f"{self._settings.command_timeout:g} s.",
                    "Look at the washer's own panel.",
                )
            if self._last is not None and self._last["ack_seq"] != job.seq:
                await self._offer(job)
            await asyncio.sleep(0.02)
        self._job = None

    async def _new_or_unfinished(self, code: int, parameter: float) -> _Job:
        boot = (await self._snapshot())["boot_count"]
        job = self._job
        if job is None or (job.code, job.parameter, job.boot) != (code, parameter, boot):
            self._seq = self._seq % 65535 + 1
            job = self._job = _Job(code, parameter, self._seq, boot)
        return job

    async def _offer(self, job: _Job) -> None:
        """Write parameters, then the sequence number; a lost reply shows in the next snapshot."""
        try:
            words = [*self._encode("command_code", job.code)]
            words += self._encode("command_parameter", job.parameter)
        except RegisterError as error:
            self._job = None
            raise DeviceRefused(self.name, f"{error}.", "Give a value within range.") from error
        words.append(crc16([*words, job.seq]))
        with contextlib.suppress(DeviceTimeout, ProtocolError):
            await self._link.write(self._map["command_code"].address, words)
            await self._link.write(self._map["command_seq"].address, [job.seq])

    def _is_done(self, job: _Job, values: Snapshot) -> bool:
        """Whether the washer has carried ``job`` out; raises where it never will."""
        if self._job is not job:
            raise DeviceRefused(
                self.name,
                f"Command {_label(job.code)} was overtaken by another.",
                "Give it again when that one is done.",
            )
        if values["boot_count"] != job.boot:
            self._job = None
            raise DeviceRefused(
                self.name,
                f"The washer restarted during command {_label(job.code)}.",
                "Look where the panels are, then reset and start the line.",
            )
        if values["ack_seq"] != job.seq:
            return False
        self._check_result(job, values)
        return values["done_seq"] == job.seq

    def _check_result(self, job: _Job, values: Snapshot) -> None:
        result = int(values["result"])
        if result == ACCEPTED and values["ack_code"] == job.code:
            return
        if result == 0:
            return
        self._job = None
        if result in REFUSALS:
            raise DeviceRefused(
                self.name,
                f"The washer refused {_label(job.code)}: {REFUSALS[result]}.",
                "Look at the washer's state, and give the command again.",
            )
        raise self._link.distrusted(f"command {_label(job.code)} arrived damaged (result {result})")

    def _encode(self, name: str, value: Value) -> list[int]:
        return self._map.encode(name, value)

    # --- snapshots -------------------------------------------------------------------------------

    async def _snapshot(self) -> Snapshot:
        """Beat, and read the snapshot that answers it; the last of some failed attempts raises."""
        async with self._reading:
            for _ in range(self._settings.attempts - 1):
                try:
                    return await self._snapshot_once()
                except (DeviceTimeout, ProtocolError) as error:
                    _log.info("reading again: %s", error)
                    await self._link.let_late_replies_pass()
            return await self._snapshot_once()

    async def _snapshot_once(self) -> Snapshot:
        self._beat = self._beat % 65535 + 1
        await self._link.write(self._map["heartbeat_station"].address, [self._beat])
        deadline = _now() + self._settings.timeout
        while True:
            values = await self._link.read_block("snapshot")
            if values["heartbeat_echo"] == self._beat:
                break
            if _now() > deadline:
                raise self._link.distrusted(
                    f"its snapshot is stale: it echoes heartbeat {values['heartbeat_echo']}, "
                    f"not {self._beat}"
                )
            await asyncio.sleep(0.01)
        self._check_progress(values)
        self._last = values
        return values

    def _check_progress(self, values: Snapshot) -> None:
        """Raise where the controller's program stands still, or the snapshot is an old one."""
        last, now = self._last, _now()
        if last is None or last["boot_count"] != values["boot_count"]:
            self._plc_beat_at = now
            self._seq = int(values["ack_seq"]) if last is not None else self._seq
            return
        age = (int(values["snapshot_seq"]) - int(last["snapshot_seq"])) % 65536
        if not 0 < age < 32768:
            raise self._link.distrusted("its snapshot is older than the one before")
        if values["heartbeat_plc"] != last["heartbeat_plc"]:
            self._plc_beat_at = now
        elif now - self._plc_beat_at > self._map.heartbeat.timeout:
            raise self._link.distrusted(
                f"its heartbeat stands still at {values['heartbeat_plc']}; the controller's "
                "program does not run"
            )


def _label(code: int) -> str:
    return "SET_SPEED" if code == SET_SPEED else WashCommand(code).name


def _now() -> float:
    return asyncio.get_running_loop().time()
