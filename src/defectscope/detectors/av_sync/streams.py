"""The two streams of the network, each by itself, as OpenVINO takes them over from PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from defectscope.detectors.av_sync.layout import HEIGHT, WIDTH
from defectscope.detectors.av_sync.network import SyncNet
from defectscope.detectors.av_sync.sound import MELS
from defectscope.detectors.compiled import traced

# Frames that are traced; any number from five on may come later.
_TRACED_FRAMES = 50


class _Mouth(nn.Module):
    def __init__(self, network: SyncNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return self.network.mouth(crops)


class _Sound(nn.Module):
    def __init__(self, network: SyncNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor) -> Tensor:
        return self.network.sound(mel)


def converted_mouth(network: SyncNet) -> Any:
    """Returns the frame stream as OpenVINO has it, for any number of frames."""
    example = torch.zeros((1, _TRACED_FRAMES, HEIGHT, WIDTH), dtype=torch.uint8)
    return traced(_Mouth(network).eval(), (example,), [[1, -1, HEIGHT, WIDTH]])


def converted_sound(network: SyncNet, frames: int) -> Any:
    """Returns the sound stream as OpenVINO has it, for one number of log-mel frames."""
    example = torch.zeros((1, frames, MELS))
    return traced(_Sound(network).eval(), (example,), [[1, frames, MELS]])
