from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera_video import CameraVideo, CameraVideoSettings
from drivers.errors import DeviceTimeout, DeviceUnreachable


@pytest.fixture
def frames(tmp_path: Path) -> str:
    """Twelve numbered grey frames, which OpenCV opens as a video."""
    for number in range(12):
        frame = np.full((32, 48), 10 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"frame_{number:02d}.png"), frame)
    return str(tmp_path / "frame_%02d.png")


async def test_frames_after_the_discarded_are_averaged(frames):
    camera = CameraVideo(CameraVideoSettings(source=frames, discard=3, frames=4, serial="V1"))
    assert (await camera.connect()).serial == "V1"
    image = await camera.capture(exposure=0.2)
    await camera.close()
    assert image.pixels.shape == (32, 48)
    assert np.all(image.pixels == 45 * 257)  # frames 3, 4, 5 and 6
    assert image.exposure == 0.2


async def test_dark_frame_is_taken_in_the_same_way(frames):
    camera = CameraVideo(CameraVideoSettings(source=frames, discard=0, frames=1))
    dark = await camera.dark_frame(exposure=0.2)
    await camera.close()
    assert np.all(dark == 0)


async def test_camera_that_stops_is_reopened(frames):
    camera = CameraVideo(CameraVideoSettings(source=frames, discard=0, frames=10))
    await camera.connect()
    await camera.capture(exposure=0.1)
    with pytest.raises(DeviceTimeout, match="no frame"):
        await camera.capture(exposure=0.1)
    assert (await camera.capture(exposure=0.1)).pixels.mean() == 45 * 257
    await camera.close()


async def test_no_camera(tmp_path):
    camera = CameraVideo(CameraVideoSettings(source=str(tmp_path / "none_%02d.png")))
    with pytest.raises(DeviceUnreachable, match="cannot open"):
        await camera.connect()
    await camera.close()
