"""Measures seams and sudden change in two consecutive frames, and what little convolutions see.

What the first layers of a network would have to learn, seams between pixels and sudden change, is
measured at every pixel and pooled by 4 x 4 before the first convolution.

Source: He et al. 2016, Deep Residual Learning for Image Recognition (the 18-layer network: four
stages of two residual blocks, here from a quarter of the frame's size on).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# What is measured is pooled over squares of so many pixels a side.
POOL_PX = 4
# Colours, their change, how much changed, seams across and down in the frame, in the one before
# and in the change, and texture in both frames.
INPUTS = 3 + 3 + 1 + 6 + 2
# Channels as multiples of the width, and by how much each stage reduces the frame.
_STAGES = ((1, 1), (2, 2), (4, 2), (4, 1))
_BLOCKS = 2
# Blocks of 8 pixels in a cell of 32, along a side.
_FINE = 4


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


class SeamNet(nn.Module):
    """Sees what `measures` gives: residual stages that end with a cell per 32 pixels.

    Args:
        width: Channels of the first stage.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(INPUTS, width, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        stages: list[nn.Module] = []
        inputs = width
        for times, stride in _STAGES:
            outputs = width * times
            for block in range(_BLOCKS):
                stages.append(_Residual(inputs, outputs, 1 if block else stride))
                inputs = outputs
        self.stages = nn.Sequential(*stages)
        # The first stage, with one cell per block of 8 pixels, maps as well: early layers then
        # learn from where damage lies exactly, and the map sees what is smaller than its cells.
        self.to_blocks = nn.Conv2d(width, 2, 1)
        self.outputs = inputs + 4

    def forward(self, measured: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features.

        Args:
            measured: (n, INPUTS, rows, columns) from `measures`.

        Returns:
            Features (n, `outputs`, ceil(rows / 8), ceil(columns / 8)) and logits by block of 8
            pixels (n, 2, ceil(rows / 2), ceil(columns / 2)), the frame first.
        """
        fine = self.stages[:_BLOCKS](functional.relu(self.norm(self.stem(scaled(measured)))))
        blocks = self.to_blocks(fine)
        features = self.stages[_BLOCKS:](fine)
        strongest = functional.max_pool2d(blocks, _FINE, _FINE, ceil_mode=True)
        mean_seam = functional.avg_pool2d(
            blocks, _FINE, _FINE, ceil_mode=True, count_include_pad=False
        )
        return torch.cat([features, strongest, mean_seam], dim=1), blocks


def measures(rgb: Tensor, previous: Tensor) -> Tensor:
    """Measures two consecutive frames at every pixel and pools by 4 x 4.

    A seam is a step between two pixels beyond the steps on both of its sides: what the border of a
    block that does not belong looks like. It is averaged along its direction and the strongest is
    kept across it, so that a straight border of four pixels outweighs a dot.

    Args:
        rgb: (n, 3, height, width), codes 0 to 255, any type.
        previous: Likewise, the frame presented before.

    Returns:
        (n, INPUTS, ceil(height / 4), ceil(width / 4)) in codes: RGB of the frame and of the one
        before, how much of luma changed, seams across and down in the frame, in the one before
        and in the change, texture in the frame and in the one before.
    """
    now, before = rgb.float(), previous.float()
    luma, luma_before = _luma(now), _luma(before)
    change = luma - luma_before
    seams: list[Tensor] = []
    textures: list[Tensor] = []
    for plane in (luma, luma_before, change):
        across, down = _steps(plane)
        seams += [_edges(_isolated(across, 3), 2), _edges(_isolated(down, 2), 3)]
        textures.append(_mean(across + down))
    return torch.cat([_mean(now), _mean(before), _mean(change.abs()), *seams, *textures[:2]], dim=1)


def scaled(measured: Tensor) -> Tensor:
    """Returns the network's input from `measures`: about one wide, earlier colours as changes."""
    now, before, rest = measured[:, :3], measured[:, 3:6], measured[:, 6:]
    return torch.cat([now / 64.0 - 2.0, (now - before) / 16.0, rest / 16.0], dim=1)


def _luma(rgb: Tensor) -> Tensor:
    """Source: ITU-R BT.601-7, 2.5.1."""
    return 0.299 * rgb[:, :1] + 0.587 * rgb[:, 1:2] + 0.114 * rgb[:, 2:]


def _mean(plane: Tensor) -> Tensor:
    return functional.avg_pool2d(plane, POOL_PX, POOL_PX, ceil_mode=True, count_include_pad=False)


def _edges(seams: Tensor, along: int) -> Tensor:
    """Averages seams along their direction (2: down, 3: across), then keeps the strongest."""
    first, second = ((POOL_PX, 1), (1, POOL_PX)) if along == 2 else ((1, POOL_PX), (POOL_PX, 1))
    mean = functional.avg_pool2d(seams, first, first, ceil_mode=True, count_include_pad=False)
    return functional.max_pool2d(mean, second, second, ceil_mode=True)


def _steps(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Steps across and down between neighbouring pixels, 0 at the borders of the frame."""
    across = functional.pad((plane[..., 1:] - plane[..., :-1]).abs(), (1, 0, 0, 0))
    down = functional.pad((plane[..., 1:, :] - plane[..., :-1, :]).abs(), (0, 0, 1, 0))
    return across, down


def _isolated(steps: Tensor, dim: int) -> Tensor:
    """How far each step exceeds the larger of the two beside it."""
    length = steps.shape[dim]
    pads = (1, 1, 0, 0) if dim == 3 else (0, 0, 1, 1)
    padded = functional.pad(steps, pads)
    before, after = padded.narrow(dim, 0, length), padded.narrow(dim, 2, length)
    return functional.relu(steps - torch.maximum(before, after))
