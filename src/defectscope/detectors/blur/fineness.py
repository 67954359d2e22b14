"""How much of a frame's detail is fine: pure functions on lines.

Power falls from octave to octave of spatial frequency, in sharp frames by so much and in soft ones
by far more, whatever softened them; noise and coding keep it from falling. Second differences say
how much of the finest detail there is, in the calmest places and in the sharpest.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from defectscope.features.lines import Codes, Lines

Floats = NDArray[np.float64]

# Samples of a segment, and its bins by octaves, the uppermost halved: periods of 64 to 32 samples,
# to 16, to 8, to 4, to 2.7 and to 2.
_SEGMENT_PX = 64
_OCTAVES = ((1, 2), (2, 4), (4, 8), (8, 16), (16, 24), (24, 33))
_WINDOW = np.hanning(_SEGMENT_PX).astype(np.float32)
_LEAST_POWER = 1e-3
# Second differences are averaged over so many samples; which of the means are kept.
_PATCH_PX = 16
_QUANTILES = (0.1, 0.5, 0.99)
_LEAST_CODE = 0.05
NAMES = (
    *(f"octave_{number}" for number in range(len(_OCTAVES))),
    *(f"fall_{number}" for number in range(1, len(_OCTAVES))),
    *(f"finest_{round(q * 100)}" for q in _QUANTILES),
)


def fineness_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (14,); zeros where lines are too short.

    Octaves of power (log2 of squared codes), by how much each falls short of the one below, and
    quantiles of mean second differences (log2 of codes); means of both directions.
    """
    known = [_along(codes) for codes in (lines.across, lines.down) if codes.shape[1] >= _SEGMENT_PX]
    return np.mean(known, axis=0) if known else np.zeros(len(NAMES))


def _along(codes: Codes) -> Floats:
    whole = codes.shape[1] // _SEGMENT_PX * _SEGMENT_PX
    segments = codes[:, :whole].reshape(-1, _SEGMENT_PX).astype(np.float32)
    segments -= segments.mean(axis=1, keepdims=True)
    # SciPy keeps to single precision, which is twice as fast.
    bins: NDArray[np.complex64] = np.asarray(cast(Any, fft.rfft(segments * _WINDOW, axis=1)))
    power: Floats = np.asarray(np.mean(bins.real**2 + bins.imag**2, axis=0, dtype=np.float64))
    scale = 2 / (_SEGMENT_PX * float(np.sum(_WINDOW**2)))
    octaves = np.array([power[a:b].sum() * scale for a, b in _OCTAVES])
    logs = np.log2(octaves + _LEAST_POWER)
    bends = np.abs(codes[:, 2:] - 2 * codes[:, 1:-1] + codes[:, :-2])
    kept = bends.shape[1] // _PATCH_PX * _PATCH_PX
    patches = bends[:, :kept].reshape(-1, _PATCH_PX).sum(axis=1, dtype=np.int32) / _PATCH_PX
    finest = np.log2(np.quantile(patches, _QUANTILES) + _LEAST_CODE)
    return np.concatenate([logs, np.diff(logs), finest])
