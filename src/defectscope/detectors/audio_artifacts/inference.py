"""Runs the network on a few windows at a time, always in the same shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.network import EMBEDDING, Network
from defectscope.detectors.audio_artifacts.spectra import Spectra
from defectscope.detectors.audio_artifacts.surroundings import NEAR, REACH

# Windows per run of the network. Fewer are filled up with silence, so that its shape, and with it
# its rounding, never depends on how much sound there was.
BATCH = 16


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

    def embed_windows(self, windows: Sequence[Spectra]) -> NDArray[np.float32]:
        """Returns what at most `BATCH` windows say by themselves, (windows, EMBEDDING)."""
        _check(len(windows))
        mel = np.full(
            (BATCH, spectra.MEL_FRAMES, spectra.MELS, spectra.MEL_LAYERS), -10.0, np.float32
        )
        lines = np.full((BATCH, spectra.LINE_FRAMES, spectra.LINES), -10.0, np.float32)
        fast = np.full((BATCH, spectra.FAST_FRAMES, 4), -10.0, np.float32)
        levels = np.zeros((BATCH, spectra.LEVELS, spectra.LEVEL_LAYERS), np.float32)
        for row, window in enumerate(windows):
            mel[row], lines[row], fast[row] = window.mel, window.lines, window.fast
            levels[row] = window.levels.sum(axis=0)
        tensors = [torch.from_numpy(x).to(self._device) for x in (mel, lines, fast, levels)]
        with (
            torch.inference_mode(),
            torch.autocast(self._device.split(":")[0], torch.bfloat16, enabled=self._bf16),
        ):
            embeddings: Tensor = self._network.embed_windows(*tensors)
        return embeddings[: len(windows)].cpu().numpy()

    def classify(self, near: Sequence[Sequence[NDArray[np.float32] | None]]) -> NDArray[np.float32]:
        """Returns the logits, (windows, 4), of at most `BATCH` windows.

        Args:
            near: Of each window, what `embed_windows` gave of it, in the middle, and of the two on
                either side, None where there is none.
        """
        _check(len(near))
        embeddings = np.zeros((BATCH, NEAR, EMBEDDING), np.float32)
        present = np.zeros((BATCH, NEAR), np.bool_)
        present[:, REACH] = True
        for row, windows in enumerate(near):
            for place, window in enumerate(windows):
                if window is not None:
                    embeddings[row, place], present[row, place] = window, True
        both = [torch.from_numpy(x).to(self._device) for x in (embeddings, present)]
        with torch.inference_mode():
            logits: Tensor = self._network(*both)
        return logits[: len(near)].cpu().numpy()


def _check(count: int) -> None:
    if not 0 < count <= BATCH:
        raise ValueError(f"wants 1 to {BATCH} windows, not {count}")


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
