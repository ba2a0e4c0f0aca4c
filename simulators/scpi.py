"""A SCPI instrument's end of the wire (IEEE 488.2, SCPI-99): parser, error queue, blocks.

Faults besides those of every wire (``@PART`` picks the question they are shown on):
``spurious_error`` (an entry appears in the error queue), ``not_a_number``, ``babble`` (a line
that nobody asked for comes before the answer).
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from simulators.faults import Faults
from simulators.wire import Stream, Wire, WireKind

Answer = str | bytes | None
Command = Callable[[list[str]], Answer | Awaitable[Answer]]

NOT_A_NUMBER = "9.91E+37"  # SCPI-99, 7.2.1.5
UNDEFINED_HEADER = (-113, "Undefined header")
WRONG_PARAMETER = (-104, "Data type error")
OUT_OF_RANGE = (-222, "Data out of range")
SETTINGS_CONFLICT = (-221, "Settings conflict")
INTERLOCK_OPEN = (-200, "Execution error; interlock open")
NO_DATA = (-230, "Data corrupt or stale")
QUEUE_LENGTH = 20


class ScpiRefusal(Exception):
    """The instrument puts an error into its queue instead of doing what it was told."""

    def __init__(self, error: tuple[int, str]) -> None:
        super().__init__(error[1])
        self.error = error


class ScpiInstrument:
    """A SCPI instrument on a wire.

    Args:
        identity: maker, model, serial, firmware.
        commands: long-form headers, such as ``SYSTem:ERRor?``, to what they do with their
            parameters; raises ScpiRefusal.
        kind: of wire.
        port: of TCP; 0 takes a free one.
        faults: see above.
    """

    def __init__(
        self,
        identity: tuple[str, str, str, str],
        commands: Mapping[str, Command],
        *,
        kind: WireKind = WireKind.TCP,
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        self.faults = faults or Faults()
        self._identity = identity
        self._errors: deque[tuple[int, str]] = deque(maxlen=QUEUE_LENGTH)
        self._event_enable = 0
        common: dict[str, Command] = {
            "*IDN?": lambda _: ",".join(self._identity),
            "*CLS": lambda _: self._errors.clear(),
            "*ESE": self._set_event_enable,
            "*ESE?": lambda _: str(self._event_enable),
            "*OPC?": lambda _: "1",
            "SYSTem:ERRor?": lambda _: self._next_error(),
        }
        self._commands = {**common, **commands}
        self._wire = Wire(self._serve, kind, port=port, faults=self.faults)

    async def start(self) -> str:
        """Listen, and return the address."""
        await self._wire.__aenter__()
        return self._wire.url

    async def stop(self) -> None:
        """Let go of the wire."""
        await self._wire.__aexit__()

    def become(self, serial: str) -> None:
        """Be another instrument of the same kind."""
        maker, model, _, firmware = self._identity
        self._identity = (maker, model, serial, firmware)

    async def _serve(self, stream: Stream) -> None:
        while True:
            line = (await stream.reader.readuntil(b"\n")).strip()
            if line:
                await self._answer(stream, line)

    async def _answer(self, stream: Stream, line: bytes) -> None:
        answer = await self._obey(line.decode("ascii", errors="replace"))
        if self.faults.take_for("spurious_error", line):
            self._errors.append((-310, "System error"))
        if answer is None:
            return
        if self.faults.take_for("not_a_number", line):
            answer = NOT_A_NUMBER
        if self.faults.take_for("babble", line):
            await stream.send(b"0\n")
        raw = answer if isinstance(answer, bytes) else answer.encode("ascii")
        await stream.reply(line, raw + b"\n")

    async def _obey(self, text: str) -> Answer:
        header, _, rest = text.partition(" ")
        act = self._find(header)
        if act is None:
            self._errors.append(UNDEFINED_HEADER)
            return None
        try:
            answer = act([part.strip() for part in rest.split(",")] if rest.strip() else [])
            return await answer if isinstance(answer, Awaitable) else answer
        except ScpiRefusal as refusal:
            self._errors.append(refusal.error)
            return None

    def _find(self, header: str) -> Command | None:
        for known, act in self._commands.items():
            if header.upper() in (known.upper(), _short(known)):
                return act
        return None

    def _next_error(self) -> str:
        code, text = self._errors.popleft() if self._errors else (0, "No error")
        return f'{code},"{text}"'

    def _set_event_enable(self, parameters: list[str]) -> None:
        self._event_enable = int(number(parameters, 0, 255))


def _short(header: str) -> str:
    """Return the short form: of each word only what the manual writes in capitals."""
    return "".join(letter for letter in header if not letter.islower())


def number(parameters: list[str], low: float, high: float, at: int = 0) -> float:
    """Return a parameter as a number within limits; raises ScpiRefusal."""
    try:
        value = float(parameters[at])
    except (ValueError, IndexError) as error:
        raise ScpiRefusal(WRONG_PARAMETER) from error
    if not low <= value <= high:
        raise ScpiRefusal(OUT_OF_RANGE)
    return value


def block(payload: bytes) -> bytes:
    """Return a definite-length block (IEEE 488.2, 8.7.9) of a payload and its CRC-32."""
    data = payload + zlib.crc32(payload).to_bytes(4, "little")
    digits = str(len(data)).encode()
    return b"#%d%s%s" % (len(digits), digits, data)
