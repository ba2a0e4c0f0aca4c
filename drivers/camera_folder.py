"""An EL camera behind another program that drops its pictures into a folder.

``trigger = "request"``: we write ``ID.request.json`` with the exposure, and the program answers
with ``ID.png`` or ``ID.tif``; a dark frame is ``ID_dark.png``. Whose picture it is, is then
certain. ``trigger = "free"``: the program takes pictures by itself, and the first one that is
new since we asked is taken; the names of dark frames end in ``_dark``. See docs/devices.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from drivers.errors import DeviceTimeout, DeviceUnreachable, IdentityChanged, ProtocolError
from evidence.images import SUFFIXES, read_image
from grading.errors import ImageError
from grading.values import ELImage, ImageArray, Instrument

IDENTITY = "camera.json"
POLL = 0.05  # s


class CameraFolderSettings(BaseModel):
    """Where pictures appear.

    ``maker``, ``model`` and ``serial`` hold where no ``camera.json`` there says who takes them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["camera_folder"] = "camera_folder"
    name: str = "camera"
    path: Path
    trigger: Literal["request", "free"] = "request"
    timeout: Annotated[float, Field(gt=0)] = 15.0  # s, after the exposure
    settle: Annotated[float, Field(gt=0)] = 0.2  # s, for which a file must not grow
    keep: bool = False  # leave the pictures in the folder
    maker: str = "unknown"
    model: str = "camera"
    serial: str | None = None
    expected_serial: str | None = None


class CameraFolder:
    """The camera of the EL station."""

    def __init__(self, settings: CameraFolderSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._folder = settings.path
        self._turn = asyncio.Lock()

    async def connect(self) -> Instrument:
        """Look for the folder, and return whose pictures it holds; see the role."""
        if not await asyncio.to_thread(os.access, self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise DeviceUnreachable(
                self.name,
                f"The folder {self._folder} is not there, or cannot be read and written.",
                "Start the camera's program, and check the folder's name and rights.",
            )
        return await asyncio.to_thread(self._identify)

    async def close(self) -> None:
        """Nothing is held open."""

    async def capture(self, *, exposure: float) -> ELImage:
        """Take one picture with ``exposure`` [s]."""
        pixels = await self._take(exposure, dark=False)
        try:
            return ELImage(pixels=pixels, exposure=exposure, captured_at=_now())
        except ValueError as error:
            raise self._distrusted(str(error)) from error

    async def dark_frame(self, *, exposure: float) -> ImageArray:
        """Take one picture of which the program knows that no current flows."""
        return await self._take(exposure, dark=True)

    # --- who takes the pictures ------------------------------------------------------------------

    def _identify(self) -> Instrument:
        says = self._read_identity()
        serial = says.get("serial", self._settings.serial or "unknown")
        expected = self._settings.expected_serial
        if expected not in (None, serial):
            raise IdentityChanged(
                self.name,
                f"The camera with serial {serial} drops pictures, not {expected}.",
                "Correct its serial in the configuration, or the folder.",
            )
        return Instrument(
            role="camera",
            maker=says.get("maker", self._settings.maker),
            model=says.get("model", self._settings.model),
            serial=serial,
            firmware=says.get("firmware", "unknown"),
        )

    def _read_identity(self) -> dict[str, str]:
        path = self._folder / IDENTITY
        if not path.exists():
            return {}
        try:
            says: Any = json.loads(path.read_text(encoding="utf-8"))
            return {str(key): str(value) for key, value in says.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise self._distrusted(f"{IDENTITY} cannot be read: {error}") from error

    # --- one picture -----------------------------------------------------------------------------

    async def _take(self, exposure: float, *, dark: bool) -> ImageArray:
        async with self._turn:
            if self._settings.trigger == "request":
                return await self._request(exposure, dark=dark)
            known = {path: _stamp(path) for path in self._pictures()}
            return await self._wait_for(
                lambda: self._first_new(known, dark=dark), self._settings.timeout + exposure
            )

    async def _request(self, exposure: float, *, dark: bool) -> ImageArray:
        name = uuid.uuid4().hex
        request = self._folder / f"{name}.request.json"
        stem = f"{name}_dark" if dark else name
        body = json.dumps({"id": name, "exposure": exposure, "dark": dark})
        await asyncio.to_thread(_write_whole, request, body, self._unwritable)
        try:
            return await self._wait_for(
                lambda: self._named(stem), self._settings.timeout + exposure
            )
        finally:
            request.unlink(missing_ok=True)

    async def _wait_for(self, find: Callable[[], Path | None], timeout: float) -> ImageArray:  # noqa: ASYNC109
        """Wait for a file that has stopped growing and is a whole picture."""
        deadline = _loop_time() + timeout
        seen: tuple[Path, tuple[int, int]] | None = None
        since, trouble = _loop_time(), "no picture came"
        while _loop_time() < deadline:
            path = await asyncio.to_thread(find)
            look = None if path is None else (path, _stamp(path))
            if look != seen:
                seen, since = look, _loop_time()
            elif path is not None and _loop_time() - since >= self._settings.settle:
                try:
                    return await asyncio.to_thread(self._read, path)
                except ImageError as error:
                    trouble = error.detail  # it may still be written to
            await asyncio.sleep(POLL)
        if seen is None:
            raise DeviceTimeout(
                self.name,
                f"No picture came within {timeout:g} s.",
                "Look whether the camera's program runs, and drops into this folder.",
            )
        raise self._distrusted(trouble)

    def _read(self, path: Path) -> ImageArray:
        pixels = read_image(path)
        if not self._settings.keep:
            path.unlink(missing_ok=True)
        return pixels

    def _pictures(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.suffix.lower() in SUFFIXES]

    def _named(self, stem: str) -> Path | None:
        return next((path for path in self._pictures() if path.stem == stem), None)

    def _first_new(self, known: dict[Path, tuple[int, int]], *, dark: bool) -> Path | None:
        """Return the oldest picture that is not as it was when we asked."""
        fresh = [
            path
            for path in self._pictures()
            if known.get(path) != _stamp(path) and path.stem.endswith("_dark") == dark
        ]
        return min(fresh, key=_stamp, default=None)

    def _unwritable(self, error: OSError) -> DeviceUnreachable:
        return DeviceUnreachable(
            self.name,
            f"The folder {self._folder} cannot be written: {error}.",
            "Check the folder's rights and the space left.",
        )

    def _distrusted(self, what: str) -> ProtocolError:
        return ProtocolError(
            self.name, f"The picture cannot be trusted: {what}.", "Take the picture again."
        )


def _write_whole(path: Path, text: str, failed: Callable[[OSError], DeviceUnreachable]) -> None:
    """Write a file that nobody sees in part."""
    part = path.with_suffix(".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise failed(error) from error


def _stamp(path: Path) -> tuple[int, int]:
    """Time of change and size, that tell whether a file is as it was; (0, 0) where it is gone."""
    try:
        state = path.stat()
    except OSError:
        return (0, 0)
    return (state.st_mtime_ns, state.st_size)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
