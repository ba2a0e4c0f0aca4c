from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera_folder import CameraFolder, CameraFolderSettings
from drivers.errors import DeviceTimeout, DeviceUnreachable, IdentityChanged, ProtocolError
from simulators.camera import SimulatedCamera
from simulators.population import Condition, make_panel
from simulators.world import World

PICTURE = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20


def driver(folder: Path, **more: object) -> CameraFolder:
    settings = {"timeout": 1.0, "settle": 0.05, **more}
    return CameraFolder(CameraFolderSettings(path=folder, **settings))


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def _asked(folder: Path) -> dict | None:
    for request in folder.glob("*.request.json"):
        return json.loads(request.read_text())
    return None


def program(folder: Path, answer) -> asyncio.Task[None]:
    """Answers the first request as ``answer(name)`` says: a dict of files to drop, in order."""

    async def run() -> None:
        while (asked := _asked(folder)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for name, raw in answer(asked).items():
            (folder / name).write_bytes(raw)
            await asyncio.sleep(0.02)

    return asyncio.create_task(run())


async def captured(folder: Path, answer, **more: object):
    task = program(folder, answer)
    try:
        return await driver(folder, **more).capture(exposure=0.1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# --- by request, after docs/devices.md -----------------------------------------------------------


async def test_request_says_what_is_wanted(tmp_path):
    asked: list[dict] = []

    def answer(request: dict) -> dict[str, bytes]:
        asked.append(request)
        return {f"{request['id']}.png": encoded(PICTURE)}

    image = await captured(tmp_path, answer)
    assert asked[0]["exposure"] == 0.1
    assert asked[0]["dark"] is False
    assert np.array_equal(image.pixels, PICTURE)
    assert image.exposure == 0.1
    assert image.captured_at is not None
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".PNG"])
async def test_formats(tmp_path, suffix):
    raw = encoded(PICTURE, suffix.lower())
    image = await captured(tmp_path, lambda asked: {asked["id"] + suffix: raw})
    assert np.array_equal(image.pixels, PICTURE)


async def test_eight_bits_fill_the_scale(tmp_path):
    raw = encoded((PICTURE >> 8).astype(np.uint8))
    image = await captured(tmp_path, lambda asked: {f"{asked['id']}.png": raw})
    assert np.array_equal(image.pixels, (PICTURE >> 8) * 257)


async def test_dark_frame_has_its_own_name(tmp_path):
    bright, dark = encoded(PICTURE), encoded(PICTURE // 9)
    task = program(
        tmp_path, lambda asked: {f"{asked['id']}.png": bright, f"{asked['id']}_dark.png": dark}
    )
    frame = await driver(tmp_path).dark_frame(exposure=0.1)
    await task
    assert np.array_equal(frame, PICTURE // 9)


async def test_pictures_of_others_are_ignored(tmp_path):
    (tmp_path / "stale.png").write_bytes(encoded(PICTURE // 2))
    raw = encoded(PICTURE)
    image = await captured(
        tmp_path, lambda asked: {"other.png": encoded(PICTURE // 3), f"{asked['id']}.png": raw}
    )
    assert np.array_equal(image.pixels, PICTURE)
    assert {path.name for path in tmp_path.iterdir()} == {"stale.png", "other.png"}


async def test_picture_is_kept_where_the_site_wants_it(tmp_path):
    await captured(tmp_path, lambda asked: {f"{asked['id']}.png": encoded(PICTURE)}, keep=True)
    assert len(list(tmp_path.glob("*.png"))) == 1


async def test_no_picture(tmp_path):
    with pytest.raises(DeviceTimeout, match="No picture"):
        await driver(tmp_path, timeout=0.2).capture(exposure=0.05)
    assert list(tmp_path.iterdir()) == []  # the request is taken back


WHOLE = encoded(PICTURE)
FLOATS = encoded(np.zeros((4, 4), np.float32), ".tiff")


@pytest.mark.parametrize("raw", [WHOLE[: len(WHOLE) // 2], b"", b"not a picture", FLOATS])
async def test_damaged_picture_is_refused(tmp_path, raw):
    with pytest.raises(ProtocolError):
        await captured(tmp_path, lambda asked: {f"{asked['id']}.png": raw}, timeout=0.4)


# --- free running --------------------------------------------------------------------------------


async def free(folder: Path, drop, **more: object):
    camera = driver(folder, trigger="free", **more)
    taking = asyncio.create_task(camera.capture(exposure=0.05))
    await asyncio.sleep(0.1)
    drop()
    return await taking


async def test_first_picture_since_we_asked_is_taken(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(PICTURE // 2))
    image = await free(tmp_path, lambda: (tmp_path / "b.png").write_bytes(encoded(PICTURE)))
    assert np.array_equal(image.pixels, PICTURE)


async def test_picture_that_is_overwritten_counts_as_new(tmp_path):
    path = tmp_path / "live.png"
    path.write_bytes(encoded(PICTURE // 2))
    os.utime(path, (1, 1))
    image = await free(tmp_path, lambda: path.write_bytes(encoded(PICTURE)))
    assert np.array_equal(image.pixels, PICTURE)


async def test_dark_frame_is_no_picture(tmp_path):
    def drop() -> None:
        (tmp_path / "x_dark.png").write_bytes(encoded(PICTURE // 9))

    with pytest.raises(DeviceTimeout):
        await free(tmp_path, drop, timeout=0.3)


# --- who takes the pictures ----------------------------------------------------------------------


async def test_identity_is_what_the_program_says(tmp_path):
    says = {"maker": "Acme", "model": "EL20", "serial": "C7", "firmware": "3"}
    (tmp_path / "camera.json").write_text(json.dumps(says))
    instrument = await driver(tmp_path).connect()
    assert (instrument.maker, instrument.model, instrument.serial, instrument.firmware) == tuple(
        says.values()
    )
    with pytest.raises(IdentityChanged, match="C7"):
        await driver(tmp_path, expected_serial="C8").connect()


@pytest.mark.parametrize("text", ["[1]", "{", ""])
async def test_identity_that_is_none(tmp_path, text):
    (tmp_path / "camera.json").write_text(text)
    with pytest.raises(ProtocolError, match=r"camera\.json"):
        await driver(tmp_path).connect()


async def test_identity_from_the_settings(tmp_path):
    camera = driver(tmp_path, maker="Acme", model="EL20", serial="C9")
    assert (await camera.connect()).serial == "C9"


async def test_no_folder(tmp_path):
    with pytest.raises(DeviceUnreachable, match="not there"):
        await driver(tmp_path / "none").connect()
    with pytest.raises(DeviceUnreachable):
        await driver(tmp_path / "none").capture(exposure=0.1)


# --- against the simulated camera ----------------------------------------------------------------


@contextlib.asynccontextmanager
async def bench(folder: Path, world: World) -> AsyncIterator[SimulatedCamera]:
    camera = SimulatedCamera(world, folder)
    await camera.start()
    yield camera
    await camera.stop()


async def test_panel_glows_only_with_current(tmp_path):
    world = World(panel=make_panel(1, condition=Condition.SOUND), injected_current=8.0)
    async with bench(tmp_path, world):
        camera = driver(tmp_path, timeout=15)
        assert (await camera.connect()).model == "SimCam"
        lit = await camera.capture(exposure=0.05)
        world.injected_current = 0.0
        dark = await camera.dark_frame(exposure=0.05)
    assert lit.pixels.shape == dark.shape
    assert lit.pixels.mean() > 5 * dark.mean()


async def test_faults_of_the_camera(tmp_path):
    async with bench(tmp_path, World()) as simulated:
        camera = driver(tmp_path, timeout=1.5, settle=0.1)
        simulated.faults.once("no_picture")
        with pytest.raises(DeviceTimeout):
            await camera.capture(exposure=0.0)
        simulated.faults.once("cut_short")
        with pytest.raises(ProtocolError, match="cut short"):
            await camera.capture(exposure=0.0)
        for harmless in ("slow_copy", "eight_bits"):
            simulated.faults.once(harmless)
            assert (await camera.capture(exposure=0.0)).pixels.mean() < 2000
