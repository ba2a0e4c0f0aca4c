from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from drivers.errors import DeviceUnreachable
from drivers.scanner_keyboard import ScannerKeyboard, ScannerKeyboardSettings
from drivers.scanner_serial import ScannerSerial, ScannerSerialSettings
from simulators.scanner import SimulatedScanner
from simulators.wire import WireKind


@contextlib.asynccontextmanager
async def bench(
    kind: WireKind, **more: str
) -> AsyncIterator[tuple[ScannerSerial, SimulatedScanner]]:
    simulated = SimulatedScanner(kind=kind)
    scanner = ScannerSerial(ScannerSerialSettings(url=await simulated.start(), **more))
    await scanner.connect()
    async with asyncio.timeout(5):
        while not simulated._streams:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield scanner, simulated
    await scanner.close()
    await simulated.stop()


async def read(scanner: ScannerSerial | ScannerKeyboard, count: int) -> list[str]:
    scans = scanner.scans()
    async with asyncio.timeout(5):
        return [await anext(scans) for _ in range(count)]


@pytest.mark.parametrize("kind", list(WireKind))
async def test_codes_in_their_order(kind):
    async with bench(kind, maker="Acme", serial="B1") as (scanner, simulated):
        for code in ("ZK00000001", "(8004)874000123/7", "ZK00000003"):
            simulated.emit(code)
        assert await read(scanner, 3) == ["ZK00000001", "(8004)874000123/7", "ZK00000003"]
        assert (await scanner.connect()).serial == "B1"


async def test_noise_is_no_code():
    async with bench(WireKind.PTY) as (scanner, simulated):
        simulated.faults.once("noise")
        simulated.emit("ZK00000001")
        simulated.emit("X" * 200)
        simulated.emit("   ")
        simulated.emit("ZK00000002")
        assert await read(scanner, 2) == ["ZK00000001", "ZK00000002"]


async def test_prefix_of_the_symbology_is_taken_off():
    async with bench(WireKind.PTY, prefix="]C1") as (scanner, simulated):
        simulated.emit("]C1ZK00000001")
        assert await read(scanner, 1) == ["ZK00000001"]


async def test_scans_go_on_when_the_line_was_lost():
    async with bench(WireKind.TCP) as (scanner, simulated):
        scans = scanner.scans()
        simulated.faults.once("hang_up")
        simulated.emit("LOST")
        async with asyncio.timeout(5):
            while scanner._reader.is_alive():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await scanner.connect()
            while not simulated._streams:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            simulated.emit("ZK00000002")
            assert await anext(scans) == "ZK00000002"


async def test_no_scanner():
    scanner = ScannerSerial(ScannerSerialSettings(url="/dev/does-not-exist"))
    with pytest.raises(DeviceUnreachable, match="No scanner"):
        await scanner.connect()
    await scanner.close()


async def test_scanner_that_types():
    scanner = ScannerKeyboard(ScannerKeyboardSettings(serial="K1"))
    assert (await scanner.connect()).serial == "K1"
    for typed in ("ZK00000001\n", "  ", "ZK00000002"):
        scanner.push(typed)
    assert await read(scanner, 2) == ["ZK00000001", "ZK00000002"]
    await scanner.close()
