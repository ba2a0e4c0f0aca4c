"""A barcode scanner on a serial line: each code ends in CR, LF or both."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import serial
from pydantic import BaseModel, ConfigDict, Field

from drivers.errors import DeviceUnreachable
from grading.values import Instrument

MAX_CODE = 128  # characters
_log = logging.getLogger(__name__)


class ScannerSerialSettings(BaseModel):
    """How to reach the scanner. It cannot say who it is, so its label goes here.

    ``prefix`` is what the scanner puts before each code, such as an AIM identifier; a line
    without it is not a code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["scanner_serial"] = "scanner_serial"
    name: str = "scanner"
    url: str
    baudrate: Annotated[int, Field(gt=0)] = 9600
    prefix: str = ""
    maker: str = "unknown"
    model: str = "serial scanner"
    serial: str = "unknown"


class ScannerSerial:
    """A barcode scanner."""

    def __init__(self, settings: ScannerSerialSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._codes: asyncio.Queue[str] = asyncio.Queue()
        self._port: serial.SerialBase | None = None
        self._reader: threading.Thread | None = None
        self._stopping = threading.Event()

    async def connect(self) -> Instrument:
        """Open the line and listen; see the role."""
        if self._reader is None or not self._reader.is_alive():
            await self.close()
            self._port = await asyncio.to_thread(self._open)
            self._reader = threading.Thread(
                target=self._listen,
                args=(self._port, asyncio.get_running_loop()),
                name=f"scanner-{self.name}",
                daemon=True,
            )
            self._stopping.clear()
            self._reader.start()
        settings = self._settings
        return Instrument(
            role="scanner",
            maker=settings.maker,
            model=settings.model,
            serial=settings.serial,
            firmware="unknown",
        )

    async def close(self) -> None:
        """Let go of the line."""
        port, self._port = self._port, None
        self._stopping.set()
        if self._reader is not None:
            await asyncio.to_thread(self._reader.join)
            self._reader = None
        if port is not None:
            port.close()

    async def scans(self) -> AsyncIterator[str]:
        """Yield each code as it is read; goes on when the line was lost and found again."""
        while True:
            yield await self._codes.get()

    def _open(self) -> serial.SerialBase:
        options = {} if "://" in self._settings.url else {"exclusive": True}
        try:
            port = serial.serial_for_url(
                self._settings.url, baudrate=self._settings.baudrate, timeout=0.1, **options
            )
            port.reset_input_buffer()  # what was read while nobody listened is no scan of now
        except (serial.SerialException, OSError, ValueError) as error:
            raise DeviceUnreachable(
                self.name,
                f"No scanner at {self._settings.url}.",
                "Check the cable and the address.",
            ) from error
        return port

    def _listen(self, port: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Read until :meth:`close` or until the line is lost; runs in a thread of its own."""
        line = b""
        while not self._stopping.is_set():
            try:
                byte = port.read(1)
            except (serial.SerialException, OSError, TypeError) as error:
                _log.warning("%s: lost: %s", self.name, error)
                return
            if byte not in (b"\r", b"\n"):
                line = (line + byte)[: MAX_CODE + 1]  # longer is no code, however long
                continue
            code, line = self._code(line), b""
            if code is not None and not loop.is_closed():
                loop.call_soon_threadsafe(self._codes.put_nowait, code)

    def _code(self, line: bytes) -> str | None:
        """Return the code in a line; None for noise, which is no code."""
        text = line.decode("ascii", errors="replace")
        if not text:
            return None
        if not text.isascii() or not text.isprintable() or len(text) > MAX_CODE:
            _log.warning("%s: %r is not a code", self.name, line)
            return None
        if not text.startswith(self._settings.prefix):
            _log.warning("%s: %r does not begin with %s", self.name, line, self._settings.prefix)
            return None
        return text.removeprefix(self._settings.prefix).strip() or None
