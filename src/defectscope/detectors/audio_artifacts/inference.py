"""Runs the network with PyTorch on a few windows at a time, always in the same shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from defectscope.detectors.audio_artifacts.layout import (
    NEAR_SHAPE,
    WINDOW_SHAPES,
    Floats,
    batch_of_near,
    batch_of_windows,
)
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.detectors.audio_artifacts.spectra import Spectra
from defectscope.detectors.compiled import traced
from defectscope.detectors.weights import load_weights


class Scorer:
    """Embeds windows, and evaluates each among those around it; one instance serves many streams.

    Args:
        network: With its weights, in evaluation mode.
        device: PyTorch device; None takes CUDA when there is one.
        bf16: Hear in bfloat16; None where the processor has instructions for it.
    """

    def __init__(
        self, network: Network, device: str | None = None, bf16: bool | None = None
    ) -> None:
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        fused: Any = _fused(network)
        fused = fused.to(self._device, memory_format=torch.channels_last).eval()
        self._network = fused.requires_grad_(False)
        self._bf16 = _has_bf16(self._device) if bf16 is None else bf16

    def embed_windows(self, windows: Sequence[Spectra]) -> Floats:
        """Returns what at most `BATCH` windows say by themselves, (windows, EMBEDDING)."""
        batch = batch_of_windows(windows)
        tensors = [torch.from_numpy(x).to(self._device) for x in batch]
        with (
            torch.inference_mode(),
            torch.autocast(self._device.split(":")[0], torch.bfloat16, enabled=self._bf16),
        ):
            embeddings: Tensor = self._network.embed_windows(*tensors)
        return embeddings[: len(windows)].cpu().numpy()

    def classify(self, near: Sequence[Sequence[Floats | None]]) -> Floats:
        """Returns the logits, (windows, 4), of at most `BATCH` windows, see `WindowScorer`."""
        both = [torch.from_numpy(x).to(self._device) for x in batch_of_near(near)]
        with torch.inference_mode():
            logits: Tensor = self._network(*both)
        return logits[: len(near)].cpu().numpy()


def _fused(network: Network) -> Network:
    """Returns a copy whose normalisations are folded into the convolutions before them."""
    copy = Network(network.widths)
    copy.load_state_dict(network.state_dict())
    copy.eval()
    for stage in [m for m in copy.modules() if isinstance(m, torch.nn.Sequential)]:
        convolution, normalisation = cast("Any", stage[0]), cast("Any", stage[1])
        if isinstance(normalisation, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            stage[0] = fuse_conv_bn_eval(convolution, normalisation)
            stage[1] = torch.nn.Identity()
    return copy


def _has_bf16(device: str) -> bool:
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    return bool(torch.backends.cpu.get_cpu_capability().startswith("AVX512")) and (
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


class _Windows(torch.nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, mel: Tensor, lines: Tensor, fast: Tensor, levels: Tensor) -> Tensor:
        return self.network.embed_windows(mel, lines, fast, levels)


def load_network(folder: Path, artifact: Mapping[str, Any]) -> Network:
    """Returns the network of an artifact, ready to analyze.

    Args:
        folder: Of the artifact; holds the weights.
        artifact: Its detector.json.

    Raises:
        ArtifactError: The weights are missing, changed, or belong to another network.
    """
    a, b, c, d = (int(width) for width in artifact["network"]["widths"])
    return cast("Network", load_weights(Network((a, b, c, d)), folder, artifact))


def converted_windows(network: Network) -> Any:
    """Returns what embeds windows as OpenVINO has it, for `BATCH` of them."""
    example = tuple(torch.zeros(shape) for shape in WINDOW_SHAPES)
    return traced(_Windows(_fused(network)).eval(), example, WINDOW_SHAPES)


def converted_near(network: Network) -> Any:
    """Returns what evaluates windows among those around them, for `BATCH` of them."""
    shapes = (NEAR_SHAPE, NEAR_SHAPE[:2])
    example = (torch.zeros(shapes[0]), torch.ones(shapes[1], dtype=torch.bool))
    return traced(_fused(network).eval(), example, shapes)
