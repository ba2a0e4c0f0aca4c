"""The small network, run by OpenCV on the processor.

The ONNX graph (cell picture → class masks and a defect logit) travels as bytes. Reading it from
disk is the caller's job (``evidence.weights``), so that this room stays pure.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_stack import Stack
from grading.errors import ImageError

CEILING = 1.6  # of the bright level; the network was trained up to this
BATCH = 4  # cells a forward pass: keeps the working set near the processor's cache
SOUND_CHANNEL, CRACK_CHANNEL, INACTIVE_CHANNEL, FINGER_CHANNEL, OUTSIDE_CHANNEL = range(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetOutput:
    """What the network says of ``n`` cells.

    ``masks`` ``(n, 5, 160, 160)``: probability of sound, crack, inactive, finger interruption,
    outside the wafer; ``logit`` ``(n,)``: log-odds that the cell is defective.
    """

    masks: NDArray[np.float32]
    logit: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CellModel:
    """A loaded network; safe to share between threads (OpenCV's nets are not, hence the lock)."""

    _net: cv2.dnn.Net
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def from_bytes(cls, graph: bytes) -> CellModel:
        """Load an ONNX graph.

        Raises:
            ImageError: the bytes are not a graph that OpenCV can run.
        """
        try:
            return cls(cv2.dnn.readNetFromONNX(np.frombuffer(graph, np.uint8)))
        except cv2.error as error:
            raise ImageError(
                "model_invalid",
                "The cell model is not an ONNX graph that can be run.",
                "Install the shipped weights again, or train new ones with `zonkeur train-el`.",
            ) from error

    def predict(self, cells: Stack, *, views: int = 1) -> NetOutput:
        """Run the network on cells ``(n, 160, 160)`` of bright level 1.

        Args:
            cells: the cells, busbars preferably horizontal.
            views: 1, or 4 for the mean over a cell's mirror images.
        """
        flips: list[tuple[int, ...]] = [(), (1,), (2,), (1, 2)]
        seen = [self._forward(cells, flip) for flip in flips[:views]]
        return NetOutput(
            masks=np.mean([masks for masks, _ in seen], axis=0, dtype=np.float32),
            logit=np.mean([logit for _, logit in seen], axis=0, dtype=np.float32),
        )

    def _forward(
        self, cells: Stack, flip: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        seen = np.clip(np.flip(cells, flip), 0, CEILING)
        masks = np.empty((len(cells), 5, *cells.shape[1:]), np.float32)
        logit = np.empty(len(cells), np.float32)
        with self._lock:
            for start in range(0, len(cells), BATCH):
                part = slice(start, start + BATCH)
                self._net.setInput(np.ascontiguousarray(seen[part, None], np.float32))
                found, odds = self._net.forward(["masks", "logit"])
                masks[part], logit[part] = found, odds.reshape(-1)
        return np.flip(masks, tuple(axis + 1 for axis in flip)), logit
