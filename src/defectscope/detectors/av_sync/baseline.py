"""The floor that everything learned must beat: the open mouth against the loudness of speech.

Nothing here is learned. The area between the lips follows the level of the voice, roughly; their
correlation is highest, sometimes, where both are in step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.av_sync.crops import Mouth
from defectscope.detectors.av_sync.sound import log_mel
from defectscope.detectors.av_sync.tracks import OUTER_LIPS

Floats = NDArray[np.float64]

# Mel bands in which voices are strongest: about 300 Hz to 3.4 kHz.
_SPEECH = slice(4, 28)
_SLOW_FRAMES = 12.0
_DEPTH = 9.0


def opening(mouth: Mouth) -> Floats:
    """Returns (T, 1) how far a mouth is open: the root of the area within the inner lips."""
    inner = mouth.shapes[:, len(OUTER_LIPS) :]
    x, y = inner[..., 0], inner[..., 1]
    # Source: the shoelace formula.
    area = np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)) / 2
    return _scaled(np.sqrt(area)[:, None])


def envelope(samples: NDArray[np.float32]) -> Floats:
    """Returns (N, 1) the level of speech in mono sound at 16 kHz, row k centred on frame k."""
    mel = log_mel(samples).astype(np.float64)
    count = len(mel) // 4
    if not count:
        return np.zeros((0, 1))
    level = np.log(np.exp(mel[:, _SPEECH]).mean(axis=1))
    level = np.maximum(level, level.max() - _DEPTH)
    padded = np.pad(level, 2, mode="edge")
    return _scaled(padded[: 4 * count].reshape(count, 4).mean(axis=1)[:, None])


def _scaled(values: Floats) -> Floats:
    fast = values - ndimage.gaussian_filter1d(values, _SLOW_FRAMES, axis=0, mode="nearest")
    return (fast - fast.mean(axis=0)) / (fast.std(axis=0) + 1e-9)
