"""The small network, run by OpenCV on the processor.

Two ONNX graphs travel as bytes: ``net`` (cell picture → class masks and a defect logit) and
``head`` (measures and that logit → defect logit). Reading them from disk is the caller's job
(``evidence.weights``), so that this room stays pure.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from grading.el.cell_stack import Stack
from grading.errors import ImageError

BATCH = 16  # cells a forward pass: keeps the working set near the processor's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class NetOutput:
    """What the network says of ``n`` cells.

    ``masks`` ``(n, 4, 160, 160)``: probability of sound, crack, inactive, finger interruption;
    ``logit`` ``(n,)``: log-odds that the cell is defective.
    """

    masks: NDArray[np.float32]
    logit: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CellModel:
    """A loaded network; safe to share between threads (OpenCV's nets are not, hence the lock)."""

    _net: cv2.dnn.Net
    _head: cv2.dnn.Net | None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def from_bytes(cls, net: bytes, head: bytes | None = None) -> CellModel:
        """Load ONNX graphs.

        Raises:
            ImageError: the bytes are not a graph that OpenCV can run.
        """
        return cls(_read(net), None if head is None else _read(head))

    @property
    def has_head(self) -> bool:
        """Whether measures can be weighed together with the network's own logit."""
        return self._head is not None

    def predict(self, cells: Stack) -> NetOutput:
        """Run the network on cells ``(n, 160, 160)`` of bright level 1."""
        masks, logits = [], []
        with self._lock:
            for start in range(0, len(cells), BATCH):
                self._net.setInput(np.ascontiguousarray(cells[start : start + BATCH, None]))
                mask, logit = self._net.forward(["masks", "logit"])
                masks.append(mask)
                logits.append(logit.reshape(-1))
        return NetOutput(masks=np.concatenate(masks), logit=np.concatenate(logits))

    def weigh(self, measures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Defect logit ``(n,)`` of rows of measures ``(n, k)``."""
        if self._head is None:
            raise ValueError("this model has no head; check has_head first")
        with self._lock:
            self._head.setInput(np.ascontiguousarray(measures, np.float32))
            return np.array(self._head.forward(), np.float32).reshape(-1)


def _read(graph: bytes) -> cv2.dnn.Net:
    try:
        return cv2.dnn.readNetFromONNX(np.frombuffer(graph, np.uint8))
    except cv2.error as error:
        raise ImageError(
            "model_invalid",
            f"The cell model is not an ONNX graph that can be run ({error.err or error}).",
            "Install the shipped weights again, or train new ones with `zonkeur train-el`.",
        ) from error
