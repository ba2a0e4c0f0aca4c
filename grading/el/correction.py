"""From raw counts to a signal proportional to the light: dark level, hot pixels, flat field."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.errors import ImageError
from grading.values import ELImage

FloatImage = NDArray[np.float32]

# Full scale of 8, 10, 12, 14 and 16 bit converters, as stored low or moved up in 16 bits.
_FULL_SCALES = np.array([1023, 4095, 16383, 255 * 257, 1023 << 6, 4095 << 4, 16383 << 2, 65535])
_HOT = 2600  # counts above the median of its neighbours
_ROUNDING = 0.29  # standard deviation of rounding, in steps: 1/√12
_FAINTEST = 0.004  # of full scale: less light than this is no picture
_SATURATED = 0.05  # share of the pixels that may be clipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A picture proportional to the light.

    ``signal`` (h, w), counts above the dark level; ``noise`` its standard deviation per pixel in
    the dark, at least that of rounding; ``step`` of the converter [counts]; ``saturated`` the
    share of clipped pixels.
    """

    signal: FloatImage
    noise: float
    step: float
    saturated: float


def correct(image: ELImage) -> Corrected:
    """Subtract the dark frame (or the darkest level seen), mend hot pixels, divide by the flat.

    Raises:
        ImageError: the picture is black, or clipped over a large part.
    """
    pixels = np.asarray(image.pixels)
    calm = np.asarray(cv2.medianBlur(pixels, 3), dtype=np.uint16)
    saturated = _saturated(calm)
    mended = _without_hot_pixels(pixels, calm)
    noise, step = _dark_noise(mended, calm), _step(calm)
    _refuse_unusable(calm, saturated, noise)
    if image.dark is None:
        signal = mended.astype(np.float32)
        signal -= _dark_level(signal)
    else:
        dark = cv2.medianBlur(np.asarray(image.dark), 3)
        signal = np.asarray(cv2.subtract(mended, dark, dtype=cv2.CV_32F), dtype=np.float32)
    if image.flat is not None:
        flat = np.asarray(image.flat, dtype=np.float32)
        flat /= max(float(flat.max()), 1.0)
        signal /= np.maximum(flat, 0.05)
    return Corrected(
        signal=signal, noise=max(noise, _ROUNDING * step), step=step, saturated=saturated
    )


def shrink(signal: FloatImage, factor: float) -> FloatImage:
    """Resize by ``factor`` ≤ 1, averaging areas."""
    if factor >= 1.0:
        return signal
    height, width = signal.shape
    size = (round(width * factor), round(height * factor))
    while size[0] <= width // 2 and not (width % 2 or height % 2):
        # Fours of pixels are averaged several times as fast as other areas.
        height, width = height // 2, width // 2
        halved = cv2.resize(signal, (width, height), interpolation=cv2.INTER_AREA)
        signal = np.asarray(halved, dtype=np.float32)
    return np.asarray(cv2.resize(signal, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _without_hot_pixels(pixels: NDArray[np.uint16], calm: NDArray[np.uint16]) -> NDArray[np.uint16]:
    above = cv2.subtract(pixels, calm)
    _, hot = cv2.threshold(above, _HOT, 255, cv2.THRESH_BINARY)
    mended = pixels.copy()
    cv2.copyTo(calm, hot.astype(np.uint8), mended)
    return mended


def _saturated(calm: NDArray[np.uint16]) -> float:
    top = int(calm.max())
    if top not in _FULL_SCALES:
        return 0.0
    return float(np.count_nonzero(calm >= int(top * 0.998)) / calm.size)


def _dark_noise(pixels: NDArray[np.uint16], calm: NDArray[np.uint16]) -> float:
    """Standard deviation of one pixel in the darkest fifth of the picture."""
    rows = pixels[:: max(1, pixels.shape[0] // 200)].astype(np.float32)
    level = calm[:: max(1, pixels.shape[0] // 200), 1:-1]
    bend = (rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]) / np.sqrt(6.0)
    dark = level <= np.percentile(level, 20)
    return max(float(1.4826 * np.median(np.abs(bend[dark]))), 1.0)


def _step(calm: NDArray[np.uint16]) -> float:
    """Counts from one code of the converter to the next."""
    codes = np.unique(calm[::8, ::8]).astype(np.int64)
    return float(np.gcd.reduce(np.diff(codes))) if len(codes) > 1 else 1.0


def _dark_level(signal: FloatImage) -> float:
    blocks = shrink(np.ascontiguousarray(signal[::2, ::2]), 0.25)
    return float(np.percentile(blocks, 1))


def _refuse_unusable(calm: NDArray[np.uint16], saturated: float, noise: float) -> None:
    if saturated > _SATURATED:
        raise ImageError(
            "saturated",
            f"{saturated:.0%} of the picture is clipped at full scale.",
            "Shorten the exposure or close the aperture, and repeat.",
        )
    low, high = np.percentile(calm[::8, ::8], [1.0, 99.5])
    if high - low < max(_FAINTEST * 65535, 8.0 * noise):
        raise ImageError(
            "black",
            "The picture is black, or of one even tone: no cell shines.",
            "Check that current flows and the lens is open, lengthen the exposure, and repeat.",
        )
