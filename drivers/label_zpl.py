"""A label printer that speaks ZPL II over TCP (port 9100).

Host status (``~HS``), host identification (``~HI``) and the label's commands after Zebra's "ZPL
II Programming Guide". The printer says when paper or ribbon is out, or its head is open; a label
that it has not taken is an error.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from drivers.errors import DeviceRefused, DeviceTimeout, DeviceUnreachable, ProtocolError
from drivers.roles import Label
from grading.values import Instrument

STX, ETX = b"\x02", b"\x03"
ESCAPED = re.compile(rb"[\^~_\\\x00-\x1f]")
TITLE_HEIGHT, LINE_HEIGHT = 60, 32  # dots


class LabelZplSettings(BaseModel):
    """How to reach the printer: ``url`` is ``tcp://HOST:PORT``. Sizes are in dots."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["label_zpl"] = "label_zpl"
    name: str = "printer"
    url: str
    timeout: Annotated[float, Field(gt=0)] = 3.0  # s
    width: Annotated[int, Field(gt=0)] = 812
    maker: str = "unknown"
    serial: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    paper_out: bool
    paused: bool
    head_open: bool
    ribbon_out: bool

    @property
    def trouble(self) -> str | None:
        names = {
            "paper_out": "The labels are used up.",
            "head_open": "The print head is open.",
            "ribbon_out": "The ribbon is used up.",
            "paused": "The printer is paused.",
        }
        return next((text for name, text in names.items() if getattr(self, name)), None)


class LabelZpl:
    """The label printer. Printing a label twice gives two equal labels."""

    def __init__(self, settings: LabelZplSettings) -> None:
        self.name = settings.name
        self._settings = settings
        url = urlsplit(settings.url)
        self._host, self._port = url.hostname or "", url.port or 9100
        self._turn = asyncio.Lock()
        self._instrument: Instrument | None = None

    async def connect(self) -> Instrument:
        """Ask who answers; each job opens a connection of its own, as printers expect."""
        async with self._turn, _Connection(self, self._settings) as printer:
            (answer,) = await printer.ask(b"~HI", strings=1)
        fields = answer.split(",")
        if len(fields) < 2 or not fields[0]:
            raise self.distrusted(f"it identifies itself as {answer!r}")
        return Instrument(
            role="printer",
            maker=self._settings.maker,
            model=fields[0],
            serial=self._settings.serial,
            firmware=fields[1],
        )

    async def close(self) -> None:
        """Nothing is held open."""

    async def print(self, label: Label) -> None:
        """Print one label and return when the printer has taken it."""
        async with self._turn, _Connection(self, self._settings) as printer:
            self._require_ready(await self._status(printer))
            await printer.send(zpl(label, width=self._settings.width))
            self._require_ready(await self._status(printer))

    async def _status(self, printer: _Connection) -> _Status:
        """Read the host status: three strings, of which the first two have what we need."""
        first, second, _ = [answer.split(",") for answer in await printer.ask(b"~HS", strings=3)]
        flags = (first[1:3], second[2:4])
        if len(first) != 12 or len(second) != 11 or any(f not in "01" for p in flags for f in p):
            raise self.distrusted(f"its status is {','.join(first)} / {','.join(second)}")
        return _Status(
            paper_out=first[1] == "1",
            paused=first[2] == "1",
            head_open=second[2] == "1",
            ribbon_out=second[3] == "1",
        )

    def _require_ready(self, status: _Status) -> None:
        if status.trouble is not None:
            raise DeviceRefused(self.name, status.trouble, "See to the printer and print again.")

    def unreachable(self) -> DeviceUnreachable:
        """Return the error for a printer that cannot be reached."""
        return DeviceUnreachable(
            self.name,
            f"No connection to the printer at {self._settings.url}.",
            "Check its power, the cable and the address.",
        )

    def distrusted(self, what: str) -> ProtocolError:
        """Return the error for an answer that the manual does not allow."""
        return ProtocolError(
            self.name, f"The printer cannot be trusted: {what}.", "Check that it speaks ZPL."
        )


class _Connection:
    """One connection to the printer."""

    def __init__(self, printer: LabelZpl, settings: LabelZplSettings) -> None:
        self._printer = printer
        self._settings = settings
        url = urlsplit(settings.url)
        self._address = (url.hostname, url.port or 9100)

    async def __aenter__(self) -> _Connection:
        try:
            async with asyncio.timeout(self._settings.timeout):
                self._reader, self._writer = await asyncio.open_connection(*self._address)
        except (OSError, TimeoutError) as error:
            raise self._printer.unreachable() from error
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def send(self, data: bytes) -> None:
        """Send; raises DeviceError."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise self._printer.unreachable() from error

    async def ask(self, question: bytes, *, strings: int) -> list[str]:
        """Return the strings, each between STX and ETX, that answer ``question``."""
        await self.send(question)
        try:
            async with asyncio.timeout(self._settings.timeout):
                return [await self._string() for _ in range(strings)]
        except TimeoutError as error:
            raise DeviceTimeout(
                self._printer.name,
                f"The printer did not answer within {self._settings.timeout:g} s.",
                "Check whether it is on and shows no fault.",
            ) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise self._printer.unreachable() from error

    async def _string(self) -> str:
        before = await self._reader.readuntil(STX)
        if before.strip(STX + b"\r\n"):
            raise self._printer.distrusted(f"{before!r} came before its answer")
        text = (await self._reader.readuntil(ETX))[:-1]
        return text.decode("ascii", errors="replace")


def zpl(label: Label, *, width: int = 812) -> bytes:
    """Return the ZPL of a label: a QR code of the panel's identity, a title, and lines."""
    rows = [(TITLE_HEIGHT, label.title), (LINE_HEIGHT, label.panel_id)]
    rows += [(LINE_HEIGHT, line) for line in label.lines if line]
    parts = [b"^XA^CI28^PW%d^LH0,0" % width]
    parts.append(b"^FO30,30^BQN,2,6^FH_^FDQA," + _field(label.panel_id) + b"^FS")
    top = 30
    for height, text in rows:
        parts.append(b"^FO260,%d^A0N,%d^FH_^FD" % (top, height) + _field(text) + b"^FS")
        top += height + 12
    return b"".join(parts) + b"^PQ1^XZ\n"


def _field(text: str) -> bytes:
    """Return field data in which nothing is a command (``^FH``: hexadecimal after ``_``)."""
    return ESCAPED.sub(lambda found: b"_%02X" % found[0][0], text.encode())
