"""The network on two frames of bytes, as PyTorch runs it and as OpenVINO takes it over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from defectscope.detectors.block_corruption.network import BlockNet
from defectscope.detectors.compiled import traced
from defectscope.detectors.weights import load_weights

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


class _Pair(nn.Module):
    """Takes bytes, so that scaling to the network's range is compiled along."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: torch.Tensor, previous: torch.Tensor) -> Any:
        """Takes (1, height, width, 3) uint8 frames."""
        now, before = rgb.permute(0, 3, 1, 2), previous.permute(0, 3, 1, 2)
        logits, decision = self.network(now, before)
        return logits.sigmoid(), decision


class TorchPair:
    """Runs the network with PyTorch.

    Args:
        network: In evaluation mode, fp32.
        device: PyTorch device.
        reduced: Compute in bfloat16 where the processor has it.
    """

    def __init__(self, network: nn.Module, device: str, *, reduced: bool) -> None:
        self._device = device
        self._pair = _Pair(network).to(device).eval()
        self._reduced = reduced and (device == "cuda" or _has_bf16())
        cast("Any", self._pair).to(memory_format=torch.channels_last)

    def __call__(self, rgb: NDArray[np.uint8], previous: NDArray[np.uint8]) -> Outputs:
        """Returns the maps of damage and the decision logits of two frames."""
        now, before = (
            torch.from_numpy(np.ascontiguousarray(p))[None].to(self._device)
            for p in (rgb, previous)
        )
        with (
            torch.inference_mode(),
            torch.autocast(self._device, torch.bfloat16, enabled=self._reduced),
        ):
            cells, decision = self._pair(now, before)
        return cells[0].float().cpu().numpy(), decision[0].float().cpu().numpy()


def load_network(folder: Path, artifact: Mapping[str, Any]) -> nn.Module:
    """Returns the network of an artifact, ready to analyze.

    Args:
        folder: Of the artifact.
        artifact: Its detector.json.

    Raises:
        ArtifactError: The weights are missing or not the released ones.
    """
    return load_weights(BlockNet(int(artifact["network"]["width"])), folder, artifact)


def converted(network: nn.Module, side_px: int) -> Any:
    """Returns the network as OpenVINO has it, for any size.

    Args:
        network: In evaluation mode.
        side_px: Of the frame that is traced; smaller ones will not do.
    """
    example = torch.zeros((1, side_px, side_px, 3), dtype=torch.uint8)
    free = [1, -1, -1, 3]
    return traced(_Pair(network).eval(), (example, example), [free, free])


def _has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 itself; emulation would be slower than fp32."""
    backend = cast("Any", torch.backends)
    return bool(cast("Any", torch).ops.mkldnn._is_mkldnn_bf16_supported()) and (
        backend.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")
    )
