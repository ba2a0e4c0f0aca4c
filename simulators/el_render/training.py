"""Train the cell network on rendered cells; go on training on a site's own labels.

Seeded, on one processor thread, resumable: every epoch leaves a checkpoint, and a run that was
broken off goes on from the last one. PyTorch is imported only here and in ``torch_net``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from grading.el.cell_stack import SIDE
from simulators.el_render.dataset import SCALE, CellSet

if TYPE_CHECKING:
    from simulators.el_render.torch_net import CellNet

Report = Callable[[str], None]
UNKNOWN = 255  # truth of a pixel that nobody drew
TARGET = np.full(256, UNKNOWN, np.uint8)  # truth code → class of the network
TARGET[:6] = (0, 1, 2, 3, 0, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """How to train. Every number that a result depends on."""

    epochs: int = 12
    batch: int = 24
    rate: float = 3e-3
    decay: float = 1e-4
    seed: int = 1
    threads: int = 1
    turns: float = 0.15  # share of cells shown with busbars upright


def train(
    cells: CellSet,
    plan: TrainingPlan,
    *,
    folder: Path,
    start: CellNet | None = None,
    report: Report = print,
) -> CellNet:
    """Train a network; checkpoints go to ``folder``."""
    import torch

    from simulators.el_render.torch_net import CellNet

    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    net: CellNet = (start or CellNet()).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=plan.decay)
    steps = plan.epochs * -(-len(cells.images) // plan.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.rate, total_steps=steps)
    state = folder / "checkpoint.pt"
    first = _resume(state, net, optimiser, schedule)
    for epoch in range(first, plan.epochs):
        losses = _epoch(net, optimiser, schedule, cells, plan, epoch)
        _save(state, net, optimiser, schedule, epoch + 1)
        report(f"epoch {epoch + 1}/{plan.epochs} masks {losses[0]:.4f} defect {losses[1]:.4f}")
    net.eval()
    return net


def _epoch(
    net: Any, optimiser: Any, schedule: Any, cells: CellSet, plan: TrainingPlan, epoch: int
) -> tuple[float, float]:
    """One pass over the cells; mean losses of masks and defect logit."""
    import torch

    from simulators.el_render.torch_net import mask_loss

    net.train()
    sums = np.zeros(2)
    count = 0
    for images, truth, defective in _batches(cells, plan, epoch):
        masks, logit = net(torch.from_numpy(images).to(memory_format=torch.channels_last))
        of_masks = mask_loss(masks, torch.from_numpy(truth).long())
        target = torch.from_numpy(0.02 + 0.96 * defective.astype(np.float32))
        of_defect = torch.nn.functional.binary_cross_entropy_with_logits(logit[:, 0], target)
        loss = of_masks + of_defect
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        sums += of_masks.item(), of_defect.item()
        count += 1
    return float(sums[0] / count), float(sums[1] / count)


def _batches(
    cells: CellSet, plan: TrainingPlan, epoch: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]]:
    rng = np.random.default_rng((plan.seed, epoch))
    order = rng.permutation(len(cells.images))
    for start in range(0, len(order), plan.batch):
        chosen = order[start : start + plan.batch]
        images, truth = vary(rng, cells.images[chosen], TARGET[cells.labels[chosen]], plan.turns)
        yield images[:, None], truth, cells.defective[chosen]


def vary(
    rng: np.random.Generator,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    turns: float,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Flip, turn, shift and re-expose cells: what must not change the answer."""
    seen = images.astype(np.float32) / np.float32(SCALE)
    labels = labels.copy()
    for index in range(len(seen)):
        for axis in (0, 1):
            if rng.random() < 0.5:
                seen[index] = np.flip(seen[index], axis)
                labels[index] = np.flip(labels[index], axis)
        if rng.random() < turns:
            seen[index], labels[index] = seen[index].T.copy(), labels[index].T.copy()
    n = len(seen)
    gain = np.exp(rng.normal(0, 0.06, (n, 1, 1)))
    offset = rng.normal(0, 0.03, (n, 1, 1))
    power = np.exp(rng.normal(0, 0.12, (n, 1, 1)))
    seen = np.clip(gain * np.maximum(seen, 0) ** power + offset, 0, 1.6).astype(np.float32)
    return seen, labels


def _save(state: Path, net: Any, optimiser: Any, schedule: Any, epoch: int) -> None:
    import torch

    state.parent.mkdir(parents=True, exist_ok=True)
    fresh = state.with_suffix(".new")
    torch.save(
        {
            "net": net.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
            "epoch": epoch,
        },
        fresh,
    )
    fresh.replace(state)


def _resume(state: Path, net: Any, optimiser: Any, schedule: Any) -> int:
    """Load a checkpoint where there is one; the number of the next epoch."""
    import torch

    if not state.is_file():
        return 0
    saved = torch.load(state, weights_only=True)
    net.load_state_dict(saved["net"])
    optimiser.load_state_dict(saved["optimiser"])
    schedule.load_state_dict(saved["schedule"])
    return int(saved["epoch"])


def export_onnx(net: CellNet, path: Path) -> None:
    """Write the network as ONNX, any number of cells at a time, batch norms folded."""
    import torch

    from simulators.el_render.torch_net import ExportNet, fold_norms

    path.parent.mkdir(parents=True, exist_ok=True)
    plain = fold_norms(net).to(memory_format=torch.contiguous_format)
    with warnings.catch_warnings():
        # The exporter of today needs one more package and writes the same graph.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            ExportNet(plain).eval(),
            (torch.zeros(1, 1, SIDE, SIDE),),
            str(path),
            input_names=["cells"],
            output_names=["masks", "logit"],
            dynamic_axes={"cells": {0: "n"}, "masks": {0: "n"}, "logit": {0: "n"}},
            dynamo=False,
        )


def import_onnx(graph: bytes) -> CellNet:
    """The network that ``export_onnx`` wrote, to be trained further."""
    import onnx
    import torch

    from simulators.el_render.torch_net import CellNet

    arrays = {
        tensor.name.removeprefix("net."): onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load_from_string(graph).graph.initializer
    }
    net = CellNet(norm=False)
    names = net.state_dict()
    net.load_state_dict({name: torch.from_numpy(arrays[name].copy()) for name in names})
    return net
