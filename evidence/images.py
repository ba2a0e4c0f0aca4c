"""EL pictures as files: 8- and 16-bit PNG, TIFF and JPEG, to uint16 of one channel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from grading.errors import ImageError
from grading.values import ELImage, ImageArray

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
MAX_PIXELS = 64_000_000
_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_PLAIN = 1  # TIFF 6.0, section 3: no compression
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


def decode_image(raw: bytes, name: str) -> ImageArray:
    """Return an encoded picture as uint16, shape ``(height, width)``.

    8-bit pictures are scaled by 257, so that full scale is 65535; colour becomes grey.

    Raises:
        ImageError: not a picture, cut short, or too large to judge.
    """
    if _cut_short(raw):
        raise ImageError(
            "truncated", f"{name} is cut short.", "Copy it again, or take the picture again."
        )
    try:
        pixels = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
    except cv2.error as error:
        pixels = None
        reason: Exception | None = error
    else:
        reason = None
    if pixels is None:
        raise ImageError(
            "not_an_image",
            f"{name} is not a picture that can be read, or it is cut short.",
            "Give a PNG or TIFF of 8 or 16 bits.",
        ) from reason
    return _as_uint16(pixels, name)


def encode_tiff(pixels: ImageArray) -> bytes:
    """Return a uint16 picture as a plain TIFF file.

    A fifth more than PNG on the disk, since a camera's noise does not compress, but written eight
    times and read four times as fast: the line waits for both.
    """
    ok, buffer = cv2.imencode(".tif", pixels, [cv2.IMWRITE_TIFF_COMPRESSION, _PLAIN])
    if not ok:
        raise ImageError("encode", "The picture cannot be encoded.", "Take it again.")
    return buffer.tobytes()


def read_image(path: Path) -> ImageArray:
    """Read one picture as uint16; raises ImageError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ImageError(
            "unreadable", f"{path.name} cannot be read: {error}.", "Check the file and its rights."
        ) from error
    return decode_image(raw, path.name)


def read_el_image(path: Path) -> ELImage:
    """Read a picture with the frames ``NAME_dark`` and ``NAME_flat`` that lie beside it.

    Raises:
        ImageError: one of them cannot be read, or they differ in size.
    """
    pixels, dark, flat = read_image(path), _companion(path, "dark"), _companion(path, "flat")
    try:
        return ELImage(pixels=pixels, dark=dark, flat=flat)
    except ValueError as error:
        raise ImageError(
            "frame_size",
            f"A frame beside {path.name} does not fit it: {error}.",
            "Take dark and flat frames with the camera settings of the picture.",
        ) from error


def is_companion(path: Path) -> bool:
    """Whether ``path`` is a dark or flat frame that belongs to a picture beside it."""
    stem, _, kind = path.stem.rpartition("_")
    return kind in ("dark", "flat") and any(
        path.with_name(stem + suffix).exists() for suffix in SUFFIXES
    )


def _companion(path: Path, kind: str) -> ImageArray | None:
    for suffix in SUFFIXES:
        candidate = path.with_name(f"{path.stem}_{kind}{suffix}")
        if candidate.exists():
            return read_image(candidate)
    return None


def _cut_short(raw: bytes) -> bool:
    """A decoder fills what is missing with grey; that would be a guess."""
    return (raw.startswith(_PNG) and _PNG_END not in raw[-64:]) or (
        raw.startswith(_JPEG) and _JPEG_END not in raw[-64:]
    )


def _as_uint16(pixels: np.ndarray, name: str) -> ImageArray:
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise ImageError(
            "too_large",
            f"{name} has {pixels.shape[0] * pixels.shape[1] / 1e6:.0f} megapixels.",
            f"Give at most {MAX_PIXELS / 1e6:.0f} megapixels.",
        )
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(
            pixels, cv2.COLOR_BGRA2GRAY if pixels.shape[2] == 4 else cv2.COLOR_BGR2GRAY
        )
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * np.uint16(257)
    if pixels.dtype == np.uint16:
        return pixels
    raise ImageError(
        "depth", f"{name} has pixels of type {pixels.dtype}.", "Give a picture of 8 or 16 bits."
    )
