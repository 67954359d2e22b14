"""Starved coders, for training: AAC and MP3 at their lowest rates, which leave holes and warbles.

Perceptual coders that run out of bits zero whole bands from frame to frame ("birdies") and smear
what is sudden. Source: Erne, "Perceptual Audio Coders: What to Listen For", AES 111th Convention,
2001, preprint 5489. Opus is not among them: it is kept for measuring.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.training.audio_artifacts.coding import PEAK, through_codec

Mono = NDArray[np.float64]
Rng = np.random.Generator

# Encoder, its rate, and bits per second by severity, 1 to 5.
_CODERS: tuple[tuple[str, int, tuple[int, int, int, int, int]], ...] = (
    ("aac", 32000, (32000, 28000, 24000, 20000, 12000)),
    ("aac", 24000, (28000, 24000, 20000, 16000, 10000)),
    ("libmp3lame", 24000, (32000, 24000, 24000, 16000, 8000)),
    ("libmp3lame", 16000, (24000, 16000, 16000, 8000, 8000)),
)


def starved(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound through a coder with too few bits, at level 5 twice."""
    peak = float(np.abs(sound).max(initial=0.0))
    if peak < 1e-4:
        return sound
    codec, coded_hz, bits = _CODERS[int(rng.integers(len(_CODERS)))]
    out = (sound * (PEAK / peak)).astype(np.float32)
    for _ in range(2 if level == 5 else 1):
        out = through_codec(out, rate_hz, codec, bits[level - 1], coded_hz)
    return out.astype(np.float64) * (peak / PEAK)
