"""A Modbus link over TCP or RTU, with blocks of registers that carry their CRC."""

from __future__ import annotations

import asyncio
import termios
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU

from drivers.errors import DeviceRefused, DeviceTimeout, DeviceUnreachable, ProtocolError
from drivers.registers import RegisterError, RegisterMap, Value, crc16

Client = AsyncModbusTcpClient | AsyncModbusSerialClient
READ, WRITE_ONE, WRITE_SEVERAL = 3, 6, 16


class ModbusSettings(BaseModel):
    """How to reach a Modbus device.

    ``url`` is ``tcp://HOST:PORT``, ``rtu+tcp://HOST:PORT`` (RTU frames through a gateway), or a
    serial device such as ``/dev/ttyUSB0``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    baudrate: Annotated[int, Field(gt=0)] = 19200
    parity: Literal["N", "E", "O"] = "E"
    timeout: Annotated[float, Field(gt=0)] = 1.0  # s, of one request


class ModbusLink:
    """One device at the other end.

    pymodbus neither repeats a request, which might be carried out twice, nor connects again by
    itself, since a new connection may reach another device that must first say who it is.
    """

    def __init__(self, device: str, settings: ModbusSettings, registers: RegisterMap) -> None:
        self._device = device
        self._settings = settings
        self._map = registers
        self._client: Client | None = None

    @property
    def connected(self) -> bool:
        """Whether the link is open."""
        return self._client is not None and bool(self._client.connected)

    async def open(self) -> None:
        """Open the link; raises DeviceUnreachable."""
        self._client = _client(self._settings)
        try:
            reached = await self._client.connect()
        except termios.error as error:  # which is no OSError
            self.close()
            raise DeviceUnreachable(
                self._device,
                f"{self._settings.url} cannot do parity {self._settings.parity}: {error}.",
                "Set device and parity to what the line can do; a pty has none (N).",
            ) from error
        if not reached:
            self.close()
            raise self.unreachable()

    def close(self) -> None:
        """Let go of the link."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def read_block(self, name: str) -> Mapping[str, Value]:
        """Read a block whose last register is the CRC of the others; raises ProtocolError."""
        block, client = self._map.block(name), self._require_client()
        response = await self._exchange(
            lambda: client.read_holding_registers(
                block.address, count=block.count, device_id=self._map.device_id
            ),
            function=READ,
        )
        words = list(response.registers)
        if len(words) != block.count:
            raise self.distrusted(f"{len(words)} registers came instead of {block.count}")
        if crc16(words[:-1]) != words[-1]:
            raise self.distrusted(f"the CRC of its {name} is wrong")
        try:
            return self._map.decode_block(block, words)
        except RegisterError as error:
            raise self.distrusted(str(error)) from error

    async def write(self, address: int, words: list[int]) -> None:
        """Write registers once; raises ProtocolError where another write is confirmed."""
        client, device = self._require_client(), self._map.device_id
        if len(words) == 1:
            response = await self._exchange(
                lambda: client.write_register(address, words[0], device_id=device),
                function=WRITE_ONE,
            )
            echo = list(response.registers) == words
        else:
            response = await self._exchange(
                lambda: client.write_registers(address, words, device_id=device),
                function=WRITE_SEVERAL,
            )
            echo = response.count == len(words)
        if not echo or response.address != address:
            raise self.distrusted("it confirmed another write than was sent")

    async def let_late_replies_pass(self) -> None:
        """Over RTU a late reply is taken for the next one's, and so on, until nothing is asked."""
        if not self._settings.url.startswith("tcp:"):
            await asyncio.sleep(self._settings.timeout)

    async def _exchange(
        self, request: Callable[[], Awaitable[ModbusPDU]], *, function: int
    ) -> ModbusPDU:
        try:
            response = await request()
        except (ConnectionException, OSError) as error:
            raise self.unreachable() from error
        except ModbusException as error:
            if not self.connected:
                raise self.unreachable() from error
            raise DeviceTimeout(
                self._device,
                f"{self._device} did not answer within {self._settings.timeout:g} s.",
                "Check the cable and the controller.",
            ) from error
        if response.isError():
            raise DeviceRefused(
                self._device,
                f"{self._device} refused a request: Modbus exception {response.exception_code}.",
                "Check that the register map is that of this device.",
            )
        if response.function_code != function:
            raise self.distrusted(f"it answered function {response.function_code}")
        return response

    def _require_client(self) -> Client:
        if self._client is None or not self._client.connected:
            raise self.unreachable()
        return self._client

    def unreachable(self) -> DeviceUnreachable:
        """Return the error for a link that is not there."""
        return DeviceUnreachable(
            self._device,
            f"No connection to {self._device} at {self._settings.url}.",
            "Check the cable, the address and the controller's power.",
        )

    def distrusted(self, what: str) -> ProtocolError:
        """Return the error for an answer that the map does not allow."""
        return ProtocolError(
            self._device,
            f"{self._device} cannot be trusted: {what}.",
            "Check the cable and the register map.",
        )


def _client(settings: ModbusSettings) -> Client:
    url = urlsplit(settings.url)
    if url.scheme in ("tcp", "rtu+tcp") and url.hostname and url.port:
        return AsyncModbusTcpClient(
            url.hostname,
            port=url.port,
            framer=FramerType.SOCKET if url.scheme == "tcp" else FramerType.RTU,
            timeout=settings.timeout,
            retries=0,
            reconnect_delay=0,
        )
    return AsyncModbusSerialClient(
        settings.url,
        baudrate=settings.baudrate,
        parity=settings.parity,
        timeout=settings.timeout,
        retries=0,
        reconnect_delay=0,
    )
