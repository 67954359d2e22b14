"""The network: maps damage in two consecutive frames and decides about each.

Two branches look at a frame and at the one before it. One sees measured seams and sudden changes
(`seams`), the other what the frames show (`backbone`, begun from what ImageNet taught it). Both
are fully convolutional, so that any size goes in and a map with one cell per 32 x 32 pixels comes
out: 224 x 224 gives 7 x 7, 1080 x 1920 gives 34 x 60.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from defectscope.detectors.block_corruption import backbone
from defectscope.detectors.block_corruption.seams import SeamNet, measures

# Channels of the first stage of the seams' branch; the released network's is in its detector.json.
DEFAULT_WIDTH = 24
_MIDDLE, _SHOWN, _JOINT = 48, 96, 128
_CONTEXT_FEATURES = 32
_HIDDEN = 32
_TOP_CELLS = 4


class BlockNet(nn.Module):
    """Maps damage in a frame and in the one before it, and decides about each.

    Args:
        width: Channels of the first stage of the seams' branch.
    """

    def __init__(self, width: int = DEFAULT_WIDTH) -> None:
        super().__init__()
        self.seams = SeamNet(width)
        self.backbone = backbone.Backbone()
        self.middle = _layer(2 * backbone.MIDDLE_OUTPUTS, _MIDDLE, 3, 2)
        self.shown = _layer(2 * backbone.OUTPUTS, _SHOWN, 1, 1)
        self.joint = _layer(_MIDDLE + _SHOWN + self.seams.outputs, _JOINT, 3, 1)
        # Two maps: this frame's damage, and the one before's.
        self.to_map = nn.Conv2d(_JOINT, 2, 1)
        self.to_clues = nn.Conv2d(_JOINT, _CONTEXT_FEATURES, 1)
        self.hidden = nn.Linear(2 * _CONTEXT_FEATURES + 6, _HIDDEN)
        self.to_decision = nn.Linear(_HIDDEN, 2)

    def forward(self, now: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Returns logits.

        Args:
            now: (n, 3, height, width), codes 0 to 255, any type.
            before: Likewise, the frame presented before.

        Returns:
            Map logits (n, 2, ceil(height / 32), ceil(width / 32)) and decision logits (n, 2), the
            frame first, the one before it second.
        """
        logits, features, _ = self.mapped(now, before)
        return logits, self.decided(logits, features)

    def mapped(self, now: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns map logits, what they were read from, and logits by block of 8 pixels."""
        now, before = now.float(), before.float()
        seams, blocks = self.seams(measures(now, before))
        middle, shown = (
            layer(torch.cat([seen, seen - earlier], dim=1))
            for layer, (seen, earlier) in zip(
                (self.middle, self.shown),
                (both.chunk(2) for both in self.backbone(torch.cat([now, before]))),
                strict=True,
            )
        )
        features = self.joint(torch.cat([middle, shown, seams], dim=1))
        return self.to_map(features), features, blocks

    def decided(self, logits: Tensor, features: Tensor) -> Tensor:
        """Returns decision logits (n, 2) of what `mapped` gives: whole frames, or parts of any.

        The strongest cells decide, held against what the rest of the frame looks like.
        """
        context = functional.relu(self.to_clues(features))
        flat = logits.flatten(2)
        top = flat.topk(min(_TOP_CELLS, flat.shape[2]), dim=2).values
        joined = [
            context.amax(dim=(2, 3)),
            context.mean(dim=(2, 3)),
            top.amax(dim=2),
            top.mean(dim=2),
            flat.sigmoid().mean(dim=2),
        ]
        return self.to_decision(functional.relu(self.hidden(torch.cat(joined, dim=1))))


def _layer(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
