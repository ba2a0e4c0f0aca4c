"""A SCPI link (IEEE 488.2, SCPI-99) over a serial line, a pseudo-terminal or ``socket://``.

An instrument answers in order, but does not say to which question; an answer that comes late
must not be taken for that to the next. So input is flushed before each question, and after a
time-out or a damaged answer nothing is asked before two markers came back in a row: all that
was still on its way arrives before them.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, TypeVar

import serial
from pydantic import BaseModel, ConfigDict, Field

from drivers.errors import (
    DeviceRefused,
    DeviceTimeout,
    DeviceUnreachable,
    IdentityChanged,
    ProtocolError,
)
from grading.values import Instrument

T = TypeVar("T")

TERMINATOR = b"\n"
MAX_LINE = 4096  # bytes
MAX_BLOCK = 16_000_000  # bytes
MAX_ERRORS = 30  # that a device's queue may hold
NOT_A_NUMBER = 9.91e37  # SCPI-99, 7.2.1.5
NEXT_ERROR = "SYST:ERR?"
CRC_SIZE = 4
OPERATION_COMPLETE = 1  # bit of the event status register (IEEE 488.2, 11.5.1)
LOOK_EVERY = 0.1  # s
SLOWEST = 3  # times the time-out, that a late answer may still be on its way
BITS_PER_BYTE = 10  # start, eight data, stop
SPARE = 1.5  # times the time that the bytes take on the wire


class ScpiSettings(BaseModel):
    """How to reach a SCPI device; ``url`` is what pyserial opens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    baudrate: Annotated[int, Field(gt=0)] = 115200
    timeout: Annotated[float, Field(gt=0)] = 2.0  # s, for an answer to begin
    expected_serial: str | None = None


class ScpiLink:
    """One device at the other end. Every call is one job of one thread, so none overlap.

    ``at_rest`` is the command given whenever the link was opened: what a station that died, or
    a link that was lost, left switched on does not stay on.
    """

    def __init__(
        self, device: str, role: str, settings: ScpiSettings, *, at_rest: str | None = None
    ) -> None:
        self._device = device
        self._role = role
        self._settings = settings
        self._at_rest = at_rest
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"scpi-{device}")
        self._port: serial.SerialBase | None = None
        self._unsure = True
        self._markers = itertools.cycle(range(1, 255))
        self._instrument: Instrument | None = None

    # --- life ------------------------------------------------------------------------------------

    async def connect(self) -> Instrument:
        """Open the link and ask who answers; does nothing when that is done."""
        if self._instrument is None or self._port is None:
            await self._run(self._open)
            instrument = self._identify(await self.query("*IDN?"))
            if self._at_rest is not None:
                await self.write(self._at_rest)
            self._instrument = instrument
        return self._instrument

    async def close(self) -> None:
        """Let go of the link."""
        await self._run(self._shut)

    def _identify(self, answer: str) -> Instrument:
        fields = [part.strip() for part in answer.split(",")]
        if len(fields) != 4 or not all(fields[:3]):
            raise self.distrusted(f"it identifies itself as {answer!r}")
        maker, model, serial_number, firmware = fields
        expected = self._settings.expected_serial
        if expected not in (None, serial_number):
            self._shut()
            raise IdentityChanged(
                self._device,
                f"{maker} {model} with serial {serial_number} answers, not {expected}.",
                "Correct its serial in the configuration, or its address.",
            )
        return Instrument(
            role=self._role, maker=maker, model=model, serial=serial_number, firmware=firmware
        )

    # --- questions -------------------------------------------------------------------------------

    async def write(self, *commands: str) -> None:
        """Send commands, each with its error queue read; raises DeviceRefused."""
        for command in commands:
            await self._run(partial(self._write, command))

    async def query(self, question: str, *, within: float | None = None) -> str:
        """Return the line that answers ``question``, begun ``within`` [s]."""
        return await self._run(lambda: self._ask(question, self._line, within))

    async def numbers(
        self, question: str, count: int, *, within: float | None = None
    ) -> list[float]:
        """Return ``count`` numbers, separated by commas; ProtocolError where one is none."""
        answer = await self.query(question, within=within)
        try:
            values = [float(part) for part in answer.split(",")]
        except ValueError as error:
            raise self.distrusted(f"it answers {question} with {answer!r}") from error
        if len(values) != count or any(v != v or abs(v) == NOT_A_NUMBER for v in values):
            raise self.distrusted(f"it answers {question} with {answer!r}")
        return values

    async def block(self, question: str, *, within: float | None = None) -> bytes:
        """Return the payload of a definite-length block whose last four bytes are its CRC-32."""
        return await self._run(lambda: self._ask(question, self._checked_block, within))

    async def complete(self, *, within: float) -> None:
        """Wait until what was begun is done (``*OPC?``); raises DeviceTimeout."""
        answer = await self.query("*OPC?", within=within)
        if answer != "1":
            raise self.distrusted(f"it answers *OPC? with {answer!r}")

    async def finished(self, *, within: float) -> int:
        """Wait as :meth:`complete` does, but by looking (``*OPC``, ``*ESR?``; IEEE 488.2, 12.5.2).

        The device stays free to be told to stop, as it must be while a high voltage is on. Returns
        the event status register as it was in the end.
        """
        await self.write("*OPC")
        deadline = time.monotonic() + within
        while True:
            status = await self.query("*ESR?")
            if not status.isdigit() or int(status) > 255:
                raise self.distrusted(f"it answers *ESR? with {status!r}")
            if int(status) & OPERATION_COMPLETE:
                return int(status)
            if time.monotonic() > deadline:
                raise self._silent(within)
            await asyncio.sleep(LOOK_EVERY)

    def distrusted(self, what: str) -> ProtocolError:
        """Return the error for an answer that the manual does not allow."""
        return ProtocolError(
            self._device,
            f"{self._device} cannot be trusted: {what}.",
            "Check the cable and the device's manual.",
        )

    # --- in the thread ---------------------------------------------------------------------------

    async def _run(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _open(self) -> None:
        if self._port is not None:
            return
        url = self._settings.url
        options = {} if "://" in url else {"exclusive": True}
        try:
            self._port = serial.serial_for_url(
                url, baudrate=self._settings.baudrate, timeout=self._settings.timeout, **options
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise self._unreachable() from error
        self._unsure = True

    def _shut(self) -> None:
        port, self._port, self._instrument = self._port, None, None
        if port is not None:
            port.close()

    def _write(self, command: str) -> None:
        """Send a command together with the first look into the error queue.

        In one packet: TCP would hold a second small one back for 40 ms.
        """
        answers = [self._ask(f"{command}\n{NEXT_ERROR}", self._line, None)]
        while self._is_error(answers[-1]) and len(answers) < MAX_ERRORS:
            answers.append(self._ask(NEXT_ERROR, self._line, None))
        if self._is_error(answers[0]):
            errors = [answer for answer in answers if self._is_error(answer)]
            raise DeviceRefused(
                self._device,
                f"{self._device} refused {command}: {'; '.join(errors)}.",
                "Look at the device.",
            )

    def _is_error(self, answer: str) -> bool:
        """Whether an entry of the error queue is one (SCPI-99, 21.8): all but ``0,"No error"``."""
        code = answer.partition(",")[0]
        if not code.lstrip("+-").isdigit():
            raise self.distrusted(f"its error queue holds {answer!r}")
        return int(code) != 0

    def _ask(self, question: str, read: Callable[[float], T], within: float | None) -> T:
        self._ready()

        def exchange() -> T:
            self._send(question)
            return read(within or self._settings.timeout)

        return self._guard(exchange)

    def _guard(self, exchange: Callable[[], T]) -> T:
        """Do one exchange; what goes wrong leaves the link unsure, or shut."""
        self._unsure = True
        try:
            result = exchange()
        except (serial.SerialException, OSError) as error:
            self._shut()
            raise self._unreachable() from error
        self._unsure = False
        return result

    def _ready(self) -> None:
        """Make sure that the next answer is that to the next question."""
        if self._port is None:
            raise self._unreachable()
        if self._unsure:
            self._guard(self._synchronise)

    def _synchronise(self) -> None:
        """Throw away what still comes, up to two markers in a row (``*ESE``, IEEE 488.2, 10.10)."""
        port = self._require_port()
        markers = [str(next(self._markers)), str(next(self._markers))]
        port.reset_input_buffer()
        for marker in markers:
            port.write(f"*ESE {marker}\n*ESE?\n".encode("ascii"))
        seen = ["", ""]
        deadline = time.monotonic() + SLOWEST * self._settings.timeout
        while seen != markers:
            if time.monotonic() > deadline:
                raise DeviceTimeout(
                    self._device,
                    f"{self._device} answers other questions than were asked.",
                    "Check that no other program talks to it, and switch it off and on.",
                )
            seen = [seen[1], self._noise(deadline)]

    def _noise(self, deadline: float) -> str:
        """Return the next line, whatever it may be: late answers, or the rest of a block."""
        port = self._require_port()
        port.timeout = max(deadline - time.monotonic(), 0.0)
        raw = bytes(port.read_until(TERMINATOR))
        if not raw:
            raise self._silent(SLOWEST * self._settings.timeout)
        return raw.strip().decode("ascii", errors="replace")

    def _send(self, text: str) -> None:
        port = self._require_port()
        port.reset_input_buffer()
        port.write(text.encode("ascii") + TERMINATOR)

    def _line(self, within: float) -> str:
        """Read up to the terminator; the first byte ``within`` [s]."""
        raw = self._read(1, within)
        while not raw.endswith(TERMINATOR):
            if len(raw) > MAX_LINE:
                raise self.distrusted("its answer has no end")
            raw += self._read(1, self._settings.timeout)
        try:
            return raw.strip().decode("ascii")
        except UnicodeDecodeError as error:
            raise self.distrusted(f"it answers {raw!r}") from error

    def _checked_block(self, within: float) -> bytes:
        """Read ``#<n><length><payload><crc>`` (IEEE 488.2, 8.7.9), the CRC-32 little-endian."""
        head = self._read(2, within)
        if head[:1] != b"#" or not head[1:].isdigit() or head[1:] == b"0":
            raise self.distrusted(f"a block begins with {head!r}")
        digits = self._read(int(head[1:]), self._settings.timeout)
        length = int(digits) if digits.isdigit() else -1
        if not CRC_SIZE <= length <= MAX_BLOCK:
            raise self.distrusted(f"a block has the length {digits!r}")
        raw = self._read(length, self._settings.timeout)
        if self._read(1, self._settings.timeout) != TERMINATOR:
            raise self.distrusted("a block does not end where it says")
        payload, crc = raw[:-CRC_SIZE], int.from_bytes(raw[-CRC_SIZE:], "little")
        if zlib.crc32(payload) != crc:
            raise self.distrusted(f"the CRC of a block of {length} bytes is wrong")
        return payload

    def _read(self, count: int, within: float) -> bytes:
        """Read ``count`` bytes; the time for them on the wire is added to ``within`` [s]."""
        port = self._require_port()
        port.timeout = within + SPARE * BITS_PER_BYTE * count / self._settings.baudrate
        raw = bytes(port.read(count))
        if len(raw) == count:
            return raw
        if raw:
            raise self.distrusted(f"{len(raw)} of {count} bytes came")
        raise self._silent(within)

    def _require_port(self) -> serial.SerialBase:
        if self._port is None:
            raise self._unreachable()
        return self._port

    def _silent(self, within: float) -> DeviceTimeout:
        return DeviceTimeout(
            self._device,
            f"{self._device} did not answer within {within:g} s.",
            "Check its power and the cable.",
        )

    def _unreachable(self) -> DeviceUnreachable:
        return DeviceUnreachable(
            self._device,
            f"No connection to {self._device} at {self._settings.url}.",
            "Check its power, the cable and the address.",
        )
