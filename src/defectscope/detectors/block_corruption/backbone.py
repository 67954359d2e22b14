"""What frames show, by a network that has seen many: the first stages of EfficientNet-Lite0.

Source: Tan and Le 2019, EfficientNet (the scaling), and TensorFlow's EfficientNet-Lite0 (no squeeze
and excitation, ReLU6; the table of stages). The stages that reduce frames further, and the
classifier, are left out: damage is a matter of texture and edges.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

# Expansion, channels, stride, kernel and blocks of each stage.
_STAGES = (
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 2, 3, 3),
    (6, 112, 1, 5, 3),
)
_STEM = 32
# The stage whose features are given beside the last one's, at half its coarseness.
_MIDDLE = 2
MIDDLE_OUTPUTS, OUTPUTS = _STAGES[_MIDDLE][1], _STAGES[-1][1]
# Frames are halved first: what they show is told at 180 lines as well, for a quarter of the time.
_HALVED = 2
# Source: EfficientNet-Lite's preprocessing, codes about 127 in units of 128.
_MEAN_CODE, _SPAN_CODE = 127.0, 128.0
_EPSILON = 1e-3
# These stages keep what they learned from ImageNet: edges and textures of general use. Leaving them
# alone saves much of the training.
_KEPT_STAGES = 2


class _Inverted(nn.Module):
    """Widens, filters every channel by itself, and narrows again."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        inner = inputs * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [
                nn.Conv2d(inputs, inner, 1, bias=False),
                nn.BatchNorm2d(inner, eps=_EPSILON),
                nn.ReLU6(),
            ]
        layers += [
            nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner, bias=False),
            nn.BatchNorm2d(inner, eps=_EPSILON),
            nn.ReLU6(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=_EPSILON),
        ]
        self.layers = nn.Sequential(*layers)
        self._adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        seen = self.layers(x)
        return x + seen if self._adds else seen


class Backbone(nn.Module):
    """Returns features of single frames, one set for every 32 x 32 pixels, and finer ones.

    Its normalisation always is what ImageNet taught it: a crop's or a small batch's own would be
    noise. So a network in training sees what a released one sees.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, _STEM, 3, 2, 1, bias=False),
            nn.BatchNorm2d(_STEM, eps=_EPSILON),
            nn.ReLU6(),
        )
        stages: list[nn.Module] = []
        inputs = _STEM
        for expansion, outputs, stride, kernel, blocks in _STAGES:
            first = _Inverted(inputs, outputs, expansion, stride, kernel)
            rest = [_Inverted(outputs, outputs, expansion, 1, kernel) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(first, *rest))
            inputs = outputs
        self.stages = nn.ModuleList(stages)

    def train(self, mode: bool = True) -> Backbone:
        """Sets the mode; layers stay as in evaluation, gradients reach the later stages alone."""
        super().train(False)
        self.training = mode
        for k, stage in enumerate([self.stem, *self.stages]):
            stage.requires_grad_(k > _KEPT_STAGES)
        return self

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features.

        Args:
            rgb: (n, 3, height, width), codes 0 to 255.

        Returns:
            (n, MIDDLE_OUTPUTS, ceil(height / 16), ceil(width / 16)) and
            (n, OUTPUTS, ceil(height / 32), ceil(width / 32)).
        """
        x = functional.avg_pool2d(rgb, _HALVED, ceil_mode=True, count_include_pad=False)
        x = (x - _MEAN_CODE) / _SPAN_CODE
        if not self.training:
            return self._late(self._early(x))
        with torch.no_grad():
            x = self._early(x)
        # Gradients of filters by channel are faster in fp32 than in bf16 on CPUs.
        with torch.autocast(x.device.type, enabled=x.device.type != "cpu"):
            return self._late(x.float())

    def _early(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages[:_KEPT_STAGES]:
            x = stage(x)
        return x

    def _late(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for stage in self.stages[_KEPT_STAGES : _MIDDLE + 1]:
            x = stage(x)
        middle = x
        for stage in self.stages[_MIDDLE + 1 :]:
            x = stage(x)
        return middle, x
