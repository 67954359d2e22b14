"""The network: two streams that give lips and speech of the same moment the same vector.

    frame  (T, 48, 64)  each frame on its own -> 96, then five frames together -> 128
    sound    (M, 40)      twenty log-mel frames together                         -> 128

Both are normalised over the fragment they are given (light, skin and voice fall out), so a fragment
is embedded whole; two to five seconds are what it was trained on. The cosine of two vectors is
what `offsets` averages. Two of the 128 numbers are kept for "nothing to tell" (a pause, a turned
head): the longer a vector is there, the less its window says at any offset, since the two streams
keep it in different places. So plain means over windows are weighted means.

Source: Chung and Zisserman 2016, "Out of time: automated lip sync in the wild", for the two
streams of five frames and a fifth of a second of sound; sizes, normalisation and the reserved
numbers are ours, see docs/results/av_sync.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from defectscope.detectors.av_sync.layout import EMBEDDING, HEIGHT, WIDTH
from defectscope.detectors.av_sync.sound import (
    FRAMES_PER_VIDEO_FRAME,
    WINDOW_FRAMES,
    WINDOW_VIDEO_FRAMES,
)
from defectscope.detectors.weights import load_weights

_FRAME_FEATURES = 96
# Natural-log power: what lies further than this under the fragment's loud frames is its floor.
_RANGE = 10.0
_LOUD_SHARE = 0.95
Floats = NDArray[np.float32]


class SyncNet(nn.Module):
    """Returns the vectors of mouth frames and of sound.

    Args:
        widths: Channels of the four stages of the frame stream.
        drop_out: Before the last layer of each stream.
    """

    def __init__(
        self, widths: tuple[int, int, int, int] = (12, 24, 48, 96), drop_out: float = 0.2
    ) -> None:
        super().__init__()
        self.widths = widths
        a, b, c, d = widths
        self.frames = nn.Sequential(
            _plane(3, a, 5, 2), _plane(a, b, 3, 2), _plane(b, c, 3, 2), _plane(c, d, 3, 2),
        )  # fmt: skip
        self.frame_features = nn.Linear(d * 3 * 4, _FRAME_FEATURES)
        self.motion = nn.Sequential(
            _strip(_FRAME_FEATURES, 160, 3), _strip(160, 160, 3), nn.Dropout(drop_out)
        )
        self.picture_head = nn.Conv1d(160, EMBEDDING, 1)
        self.bands = nn.Sequential(_plane(1, 16, 5, (2, 1)), _plane(16, 32, 3, (2, 1)))
        self.speech = nn.Sequential(
            _strip(32 * 10, 128, 1), _strip(128, 128, 4, FRAMES_PER_VIDEO_FRAME),
            _strip(128, 160, 3), _strip(160, 160, 3), nn.Dropout(drop_out),
        )  # fmt: skip
        self.sound_head = nn.Conv1d(160, EMBEDDING, 1)

    def mouth(self, crops: Tensor) -> Tensor:
        """Returns the vectors of mouth frames, (n, T - 4, 128), each of length one.

        Args:
            crops: (n, T, 48, 64) luma, 0 to 255.
        """
        return unit(self.mouth_raw(crops), 0)

    def mouth_raw(self, crops: Tensor) -> Tensor:
        """Returns the vectors before `unit`; training reads the gestures off them."""
        n, count = crops.shape[:2]
        planes = _mouth_planes(crops).reshape(n * count, 3, HEIGHT, WIDTH)
        maps = self.frames(planes.to(memory_format=torch.channels_last))
        flat = self.frame_features(maps.flatten(1)).reshape(n, count, -1).transpose(1, 2)
        return self.picture_head(self.motion(flat)).transpose(1, 2).float()

    def sound(self, mel: Tensor) -> Tensor:
        """Returns the vectors of sound, (n, (M - 20) // 4 + 1, 128), each of length one.

        Args:
            mel: (n, M, 40) log-mel power, see `sound.log_mel`.
        """
        return unit(self.sound_raw(mel), 1)

    def sound_raw(self, mel: Tensor) -> Tensor:
        """Returns the vectors before `unit`."""
        level = _level(mel)[:, None].transpose(2, 3)  # (n, 1, 40, M)
        maps = self.bands(level)  # (n, 32, 10, M)
        return self.sound_head(self.speech(maps.flatten(1, 2))).transpose(1, 2).float()

    def forward(self, crops: Tensor, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the vectors of both."""
        return self.mouth(crops), self.sound(mel)

    def embed_mouth(self, crops: NDArray[np.uint8]) -> Floats:
        """Returns the vectors of mouth frames, as `layout.Embedder` describes."""
        if len(crops) < WINDOW_VIDEO_FRAMES:
            return np.zeros((0, EMBEDDING), np.float32)
        with torch.inference_mode():
            return self.mouth(torch.tensor(crops)[None])[0].numpy()

    def embed_sound(self, mel: Floats) -> Floats:
        """Returns the vectors of sound, as `layout.Embedder` describes."""
        if len(mel) < WINDOW_FRAMES:
            return np.zeros((0, EMBEDDING), np.float32)
        with torch.inference_mode():
            return self.sound(torch.tensor(mel)[None])[0].numpy()


def load_network(folder: Path, artifact: Mapping[str, Any]) -> SyncNet:
    """Returns the network of an artifact, ready to analyze.

    Args:
        folder: Of the artifact; holds the weights.
        artifact: Its detector.json.

    Raises:
        ArtifactError: The weights are missing, changed, or belong to another network.
    """
    return cast("SyncNet", load_weights(SyncNet(), folder, artifact))


def _mouth_planes(crops: Tensor) -> Tensor:
    """Returns what the frame stream sees: the mouth, how it differs from its mean, how it moves.

    The mean over the fragment is the speaker; what is left is mostly speech.
    """
    luma = crops.float()
    mean = luma.mean(dim=(1, 2, 3), keepdim=True)
    spread = luma.std(dim=(1, 2, 3), keepdim=True).clamp_min(4.0)
    luma = (luma - mean) / spread
    still = luma.mean(dim=1, keepdim=True)
    step = luma - torch.cat([luma[:, :1], luma[:, :-1]], dim=1)
    return torch.stack([luma, 2 * (luma - still), 3 * step], dim=2)


def _level(mel: Tensor) -> Tensor:
    """Returns band levels relative to the fragment's own: loudness and room colour fall out."""
    mel = mel.float()
    loud = _quantile(mel.amax(dim=2), _LOUD_SHARE)[:, None, None]
    level = torch.maximum(mel - loud, torch.full_like(loud, -_RANGE)).clamp_max(2.0)
    return (level - level.mean(dim=1, keepdim=True)) / 3


def _quantile(rows: Tensor, share: float) -> Tensor:
    """Returns `torch.quantile` along the last axis, made of what OpenVINO knows."""
    ordered = rows.sort(dim=-1).values
    place = share * (rows.shape[-1] - 1)
    low = int(place)
    high = min(low + 1, rows.shape[-1] - 1)
    return torch.lerp(ordered[..., low], ordered[..., high], place - low)


def unit(rows: Tensor, stream: int) -> Tensor:
    """Returns vectors of length one whose other stream's reserved number is zero.

    Args:
        rows: (n, T, 128); the last two say, for video and sound, how little there is to tell.
        stream: 0 for frames, 1 for sound.
    """
    shared, reserved = rows[..., :-2], functional.softplus(rows[..., -2 + stream :][..., :1])
    # Measured against vectors of the shared numbers' usual length.
    nothing = reserved * shared.shape[-1] ** 0.5 / 4
    empty = torch.zeros_like(nothing)
    tail = (nothing, empty) if stream == 0 else (empty, nothing)
    return functional.normalize(torch.cat([shared, *tail], dim=-1), dim=-1)


def _plane(inputs: int, outputs: int, width: int, step: int | tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, width, stride=step, padding=width // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _strip(inputs: int, outputs: int, width: int, step: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, width, stride=step, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
    )
