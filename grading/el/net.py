"""The small network, run by ONNX Runtime on one thread of the processor.

The ONNX graph (cell picture → class masks and a defect logit) travels as bytes. Reading it from
disk is the caller's job (``evidence.weights``), so that this room stays pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.capi import onnxruntime_pybind11_state as broken

from grading.el.cell_stack import Stack
from grading.errors import ImageError

CEILING = 1.6  # of the bright level; the network was trained up to this
IN_DOUBT = 1.5  # log-odds within which one look is not enough
MIRRORED = ((1,), (2,), (1, 2))  # axes
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
    """A loaded network; safe to share between threads."""

    _session: InferenceSession

    @classmethod
    def from_bytes(cls, graph: bytes) -> CellModel:
        """Load an ONNX graph.

        Raises:
            ImageError: the bytes are not a graph that ONNX Runtime can run.
        """
        options = SessionOptions()
        # Panels are what runs in parallel, and one thread sums in one order: the same to the bit.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            return cls(InferenceSession(graph, options, providers=["CPUExecutionProvider"]))
        except (broken.InvalidArgument, broken.InvalidProtobuf, broken.InvalidGraph) as error:
            raise ImageError(
                "model_invalid",
                "The cell model is not an ONNX graph that can be run.",
                "Install the shipped weights again, or train new ones with `zonkeur train-el`.",
            ) from error

    def predict(self, cells: Stack) -> NetOutput:
        """Run the network on cells ``(n, 160, 160)`` of bright level 1, busbars horizontal.

        Every cell is looked at once; those in doubt in their mirror images too, for the mean.
        """
        masks, logit = self._forward(cells, ())
        doubt = np.flatnonzero(np.abs(logit) < IN_DOUBT)
        if len(doubt):
            for flip in MIRRORED:
                again = self._forward(cells[doubt], flip)
                masks[doubt] += again[0]
                logit[doubt] += again[1]
            masks[doubt] /= 1 + len(MIRRORED)
            logit[doubt] /= 1 + len(MIRRORED)
        return NetOutput(masks=masks, logit=logit)

    def _forward(
        self, cells: Stack, flip: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        seen = np.clip(np.flip(cells, flip), 0, CEILING)
        masks = np.empty((len(cells), 5, *cells.shape[1:]), np.float32)
        logit = np.empty(len(cells), np.float32)
        name = self._session.get_inputs()[0].name
        for start in range(0, len(cells), BATCH):
            part = slice(start, start + BATCH)
            batch = np.ascontiguousarray(seen[part, None], np.float32)
            found, odds = self._session.run(["masks", "logit"], {name: batch})
            masks[part], logit[part] = found, odds.reshape(-1)
        return np.flip(masks, tuple(axis + 1 for axis in flip)), logit
