"""What the network hears: log-mel power of speech, a hundred frames a second.

Frame k is centred 10 k + 5 ms after the first sample, so four frames lie exactly under one frame
at 25 fps and the twenty frames 4t .. 4t + 19 under the five frames t .. t + 4.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE_HZ = 16000
HOP = 160
FRAME = 400
MELS = 40
FRAMES_PER_VIDEO_FRAME = 4
WINDOW_VIDEO_FRAMES = 5
WINDOW_FRAMES = WINDOW_VIDEO_FRAMES * FRAMES_PER_VIDEO_FRAME

_TRANSFORM = 512
# Below the lowest voices and above what 16 kHz material reliably holds there is nothing to read.
_LOWEST_HZ, _HIGHEST_HZ = 90.0, 7600.0
# 100 dB below a full-scale sine: digital silence must not be minus infinity.
_POWER_FLOOR = 1e-10
_ROWS = 512
Floats = NDArray[np.float32]


def log_mel(samples: Floats) -> Floats:
    """Returns the log-mel frame of mono sound.

    Args:
        samples: (n,) mono samples at 16 kHz, full scale 1.

    Returns:
        (n // 160, 40) natural logarithm of the power in each band; what lies before the first and
        after the last sample counts as silence.
    """
    count = len(samples) // HOP
    if count == 0:
        return np.zeros((0, MELS), np.float32)
    margin = (FRAME - HOP) // 2
    padded = np.pad(np.asarray(samples, np.float32)[: count * HOP], margin)
    frames = sliding_window_view(padded, FRAME)[::HOP]
    # Rows at a time: small enough to stay in the cache, and memory stays bounded.
    parts = [_bands(frames[i : i + _ROWS]) for i in range(0, count, _ROWS)]
    return np.concatenate(parts)


def _bands(frames: Floats) -> Floats:
    spectrum = np.fft.rfft(frames * _hann(), _TRANSFORM, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.log(power @ _mel_bank() + np.float32(_POWER_FLOOR)).astype(np.float32)


@cache
def _hann() -> Floats:
    # Scaled so that a full-scale sine has power 1.
    window = np.hanning(FRAME + 1)[:-1]
    return (window * (2 / window.sum())).astype(np.float32)


@cache
def _mel_bank() -> Floats:
    """Triangles equally wide in mel, (257, 40), each with unit gain at its peak.

    Source: O'Shaughnessy 1987, "Speech Communication": mel = 2595 log10(1 + f / 700).
    """
    edges = np.linspace(_to_mel(_LOWEST_HZ), _to_mel(_HIGHEST_HZ), MELS + 2)
    corners_hz = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    bins_hz = np.arange(_TRANSFORM // 2 + 1) * (RATE_HZ / _TRANSFORM)
    low, peak, high = corners_hz[:-2], corners_hz[1:-1], corners_hz[2:]
    rising = (bins_hz[:, None] - low) / (peak - low)
    falling = (high - bins_hz[:, None]) / (high - peak)
    return np.clip(np.minimum(rising, falling), 0.0, None).astype(np.float32)


def _to_mel(hz: float) -> float:
    return 2595.0 * float(np.log10(1.0 + hz / 700.0))
