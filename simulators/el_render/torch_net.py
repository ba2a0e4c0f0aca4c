"""The network in PyTorch: a small U-net with a class head. Import it only where one trains.

Every layer is one that OpenCV's ``dnn`` runs; batch norms fold into the convolutions on export.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

CLASSES = 5  # sound, crack, inactive, finger interruption, outside the wafer
WIDTHS = (16, 32, 64, 96)
UNKNOWN = 255  # truth of a pixel that nobody drew


class CellNet(nn.Module):  # type: ignore[misc]
    """Cells ``(n, 1, 160, 160)`` → mask logits ``(n, 5, 160, 160)``, defect logit ``(n, 1)``.

    It works at half resolution, 2 × 2 pixels being four channels, and puts the masks back
    together at full resolution with the input beside. ``norm=False`` is the same network with
    its batch norms folded into the convolutions, as it ships and as it is trained further.
    """

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS, *, norm: bool = True) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
            return _conv(inputs, outputs, stride, norm=norm)

        a, b, c, d = widths
        self.down1 = conv(4, a)
        self.down2 = nn.Sequential(conv(a, b, 2), conv(b, b))
        self.down3 = nn.Sequential(conv(b, c, 2), conv(c, c))
        self.down4 = nn.Sequential(conv(c, d, 2), conv(d, d))
        self.across = nn.ModuleList([nn.Conv2d(d, c, 1), nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)])
        self.up = nn.ModuleList([conv(c, c), conv(b, b), conv(a, a)])
        self.out = nn.Conv2d(a + 4, CLASSES * 4, 3, padding=1)
        self.fc = nn.Sequential(
            nn.Linear(2 * d + 4, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1)
        )

    def forward(self, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask logits and defect logit of a batch."""
        quads = functional.pixel_unshuffle(cells - 0.8, 2)
        steps = [self.down1(quads)]
        for down in (self.down2, self.down3, self.down4):
            steps.append(down(steps[-1]))
        up = steps[3]
        for index, level in enumerate((2, 1, 0)):
            wide = functional.interpolate(self.across[index](up), scale_factor=2.0, mode="nearest")
            up = self.up[index](functional.relu(wide + steps[level]))
        masks = functional.pixel_shuffle(self.out(torch.cat([up, quads], 1)), 2)
        return masks, self.fc(self._summary(steps[3], masks))

    @staticmethod
    def _summary(deep: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """Mean and peak of the deepest layer, and of the crack and inactive masks."""
        damage = masks[:, 1:3] - masks[:, 0:1]
        smooth = functional.avg_pool2d(damage, 5, 5)
        return torch.cat(
            [
                deep.mean((2, 3)),
                deep.amax((2, 3)),
                torch.sigmoid(damage).mean((2, 3)) * 10,
                0.2 * smooth.amax((2, 3)),
            ],
            1,
        )


def _conv(inputs: int, outputs: int, stride: int, *, norm: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norm),
        nn.BatchNorm2d(outputs) if norm else nn.Identity(),
        nn.ReLU(inplace=True),
    )


def fold_norms(net: CellNet) -> CellNet:
    """The same network without batch norms."""
    folded: CellNet = copy.deepcopy(net).eval()
    for module in list(folded.modules()):
        if isinstance(module, nn.Sequential) and isinstance(module[1], nn.BatchNorm2d):
            module[0] = fuse_conv_bn_eval(module[0], module[1])
            module[1] = nn.Identity()
    return folded


class ExportNet(nn.Module):  # type: ignore[misc]
    """The network as it ships: masks as probabilities."""

    def __init__(self, net: CellNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, cells: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask probabilities and defect logit of a batch."""
        masks, logit = self.net(cells)
        return torch.softmax(masks, 1), logit


def mask_loss(masks: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross entropy, cracks and fingers weighted up, and Dice of cracks and inactive area.

    Pixels whose truth is ``UNKNOWN`` do not count.
    """
    known = truth != UNKNOWN
    if not bool(known.any()):
        return 0.0 * masks.sum()
    weight = torch.tensor([0.5, 2.0, 1.5, 1.0, 0.5])
    entropy = functional.cross_entropy(masks, truth, weight=weight, ignore_index=UNKNOWN)
    share = torch.softmax(masks, 1) * known[:, None]
    dice = torch.zeros(())
    for code in (1, 2):
        hit = (share[:, code] * (truth == code)).sum()
        dice = dice + 1 - (2 * hit + 50) / (share[:, code].sum() + (truth == code).sum() + 50)
    return entropy + 0.3 * dice
