"""An EL camera that OpenCV can open (``cv2.VideoCapture``): a device number, a URL or a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from drivers.errors import DeviceTimeout, DeviceUnreachable, ProtocolError
from grading.values import ELImage, ImageArray, Instrument

T = TypeVar("T")


class CameraVideoSettings(BaseModel):
    """Which camera, and how many frames of it make one picture.

    ``source`` is a device number or what OpenCV opens; ``discard`` frames are thrown away first,
    as they may have been exposed before we asked; ``frames`` are averaged. ``exposure_scale``
    turns seconds into the unit of the camera's own exposure; None leaves it alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["camera_video"] = "camera_video"
    name: str = "camera"
    source: int | str
    discard: Annotated[int, Field(ge=0)] = 3
    frames: Annotated[int, Field(ge=1, le=256)] = 4
    exposure_scale: float | None = None
    maker: str = "unknown"
    model: str = "video camera"
    serial: str = "unknown"


class CameraVideo:
    """The camera of the EL station."""

    def __init__(self, settings: CameraVideoSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"camera-{settings.name}")
        self._video: cv2.VideoCapture | None = None

    async def connect(self) -> Instrument:
        """Open the camera; see the role."""
        await self._run(self._open)
        settings = self._settings
        return Instrument(
            role="camera",
            maker=settings.maker,
            model=settings.model,
            serial=settings.serial,
            firmware="unknown",
        )

    async def close(self) -> None:
        """Let go of the camera."""
        await self._run(self._release)

    async def capture(self, *, exposure: float) -> ELImage:
        """Take one picture with ``exposure`` [s]."""
        pixels = await self._run(lambda: self._take(exposure))
        taken = datetime.now(UTC).isoformat(timespec="milliseconds")
        return ELImage(pixels=pixels, exposure=exposure, captured_at=taken)

    async def dark_frame(self, *, exposure: float) -> ImageArray:
        """Take one picture; the caller has switched the current off."""
        return await self._run(lambda: self._take(exposure))

    # --- in the thread ---------------------------------------------------------------------------

    async def _run(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _open(self) -> None:
        if self._video is not None:
            return
        video = cv2.VideoCapture(self._settings.source)
        if not video.isOpened():
            raise DeviceUnreachable(
                self.name,
                f"OpenCV cannot open the camera {self._settings.source!r}.",
                "Check the cable, and that no other program holds the camera.",
            )
        video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._video = video

    def _release(self) -> None:
        if self._video is not None:
            self._video.release()
        self._video = None

    def _take(self, exposure: float) -> ImageArray:
        self._open()
        if self._video is not None and self._settings.exposure_scale is not None:
            self._video.set(cv2.CAP_PROP_EXPOSURE, exposure * self._settings.exposure_scale)
        for _ in range(self._settings.discard):
            self._frame()
        frames = [self._frame() for _ in range(self._settings.frames)]
        if len({frame.shape for frame in frames}) != 1:
            raise ProtocolError(
                self.name, "Frames of one picture differ in size.", "Start the camera again."
            )
        return np.asarray(np.rint(np.mean(frames, axis=0)), np.uint16)

    def _frame(self) -> NDArray[np.float64]:
        """Return one frame as grey, full scale being 65535."""
        ok, frame = self._video.read() if self._video is not None else (False, None)
        if not ok or frame is None:
            self._release()
            raise DeviceTimeout(
                self.name, "The camera gave no frame.", "Check the cable; the camera is reopened."
            )
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) if frame.ndim == 3 else frame
        return np.asarray(grey, np.float64) * (257 if grey.dtype == np.uint8 else 1)
