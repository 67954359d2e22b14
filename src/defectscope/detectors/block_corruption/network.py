"""The network: a fully convolutional ResNet-18 that maps damage in two consecutive pictures.

Source: He et al. 2016, Deep Residual Learning for Image Recognition (the 18-layer network). Its
pooling and linear layer give way to a 1x1 convolution, so that any size goes in and a map with one
cell per 32 x 32 pixels comes out: 224 x 224 gives 7 x 7, 1080 x 1920 gives 34 x 60.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# One cell of the map covers so many pixels a side.
CELL_PX = 32
# Colours, their change, and seams across and down in the picture, the one before, the change.
INPUTS = 3 + 3 + 6
# Published width is 64; the released network's is in its detector.json.
FULL_WIDTH = 64
_BLOCKS = (2, 2, 2, 2)
_CLUES = 16
_TOP_CELLS = 4


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        return functional.relu(out + self.shortcut(x))


class BlockNet(nn.Module):
    """Maps damage in a picture and in the one before it, and decides about each.

    Args:
        width: Channels of the first stage; 64 is ResNet-18 as published.
    """

    def __init__(self, width: int = FULL_WIDTH) -> None:
        super().__init__()
        self.stem = nn.Conv2d(INPUTS, width, 7, 2, 3, bias=False)
        self.norm = nn.BatchNorm2d(width)
        stages: list[nn.Module] = []
        inputs = width
        for index, blocks in enumerate(_BLOCKS):
            outputs = width << index
            for block in range(blocks):
                stages.append(_Residual(inputs, outputs, 2 if index and not block else 1))
                inputs = outputs
        self.stages = nn.Sequential(*stages)
        # In training, the stage with one cell per block of 8 pixels is asked, too: the early layers
        # then learn from where the damage lies exactly, not only from what comes back through ten
        # more layers.
        self.to_blocks = nn.Conv2d(width << 1, 2, 1)
        # Two maps: this picture's damage, and the one before's.
        self.to_map = nn.Conv2d(inputs, 2, 1)
        self.to_clues = nn.Conv2d(inputs, _CLUES, 1)
        self.to_decision = nn.Linear(_CLUES + 4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Gives logits.

        Args:
            x: (n, INPUTS, height, width) from `network_input`.

        Returns:
            Map logits (n, 2, ceil(height / 32), ceil(width / 32)) and decision logits (n, 2), the
            picture first, the one before it second.
        """
        logits, decision, _ = self.both(x)
        return logits, decision

    def both(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gives what `forward` gives, and logits by block of 8 pixels (n, 2, rows, columns)."""
        x = functional.relu(self.norm(self.stem(x)))
        x = functional.max_pool2d(x, 3, 2, 1)
        fine = self.stages[: 2 * _BLOCKS[0]](x)
        features = self.stages[2 * _BLOCKS[0] :](fine)
        logits = self.to_map(features)
        # What the decision sees does not depend on the picture's size: the strongest cells only.
        clues = functional.relu(self.to_clues(features)).amax(dim=(2, 3))
        flat = logits.flatten(2)
        strongest = flat.topk(min(_TOP_CELLS, flat.shape[2]), dim=2).values
        peaks = torch.cat([strongest.amax(dim=2), strongest.mean(dim=2)], dim=1)
        decision = self.to_decision(torch.cat([clues, peaks], dim=1))
        return logits, decision, self.to_blocks(fine)


def network_input(rgb: Tensor, previous: Tensor) -> Tensor:
    """Gives what the network takes: the picture, what changed, and seams.

    A seam is a step between two pixels beyond the steps on both of its sides: what the border of a
    block that does not belong looks like. Seams need every pixel, and the first layer sees every
    second one, so they are computed before it: across and down, in the picture, in the one before
    it, and in what changed between the two.

    Args:
        rgb: (n, 3, height, width), codes 0 to 255, any type.
        previous: Likewise, the picture presented before.

    Returns:
        (n, INPUTS, height, width).
    """
    now, before = rgb.float(), previous.float()
    luma, luma_before = _luma(now), _luma(before)
    change = luma - luma_before
    seams = [seam for plane in (luma, luma_before, change) for seam in _seams(plane)]
    return torch.cat([now / 64.0 - 2.0, (now - before) / 32.0, torch.cat(seams, 1) / 16.0], dim=1)


def _luma(rgb: Tensor) -> Tensor:
    """Source: ITU-R BT.601-7, 2.5.1."""
    return 0.299 * rgb[:, :1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:]


def _seams(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Isolated steps across and down, 0 at the borders of the picture."""
    across = functional.pad((plane[..., 1:] - plane[..., :-1]).abs(), (1, 0, 0, 0))
    down = functional.pad((plane[..., 1:, :] - plane[..., :-1, :]).abs(), (0, 0, 1, 0))
    return _isolated(across, 3), _isolated(down, 2)


def _isolated(steps: Tensor, dim: int) -> Tensor:
    """How far each step exceeds the larger of the two beside it."""
    length = steps.shape[dim]
    pads = (1, 1, 0, 0) if dim == 3 else (0, 0, 1, 1)
    padded = functional.pad(steps, pads)
    before, after = padded.narrow(dim, 0, length), padded.narrow(dim, 2, length)
    return functional.relu(steps - torch.maximum(before, after))
