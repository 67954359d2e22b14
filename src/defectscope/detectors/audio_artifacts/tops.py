"""Classical evidence of clipping and of noise: where the peaks lie, how steady the treble is.

    tops    share of the samples near a quarter's highest that lie at its very top: a ceiling
    even    share of short runs whose peaks reach that same height
    steady  how little the power between 6 and 12 kHz moves over a second, dB: noise stands still
    stays   how far the strongest line stands out that never falls in three seconds, dB

Source: Laguna and Lerch 2016, "An Efficient Algorithm for Clipping Detection and Declipping Audio",
AES 141, for the histogram of peaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_BEFORE,
    MELS,
    RATE_HZ,
    Spectra,
)

fft, ndimage = cast("Any", scipy.fft), cast("Any", scipy.ndimage)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
CELLS = 2
_TOP, _NEAR, _LEVEL = 0.985, 0.8, 0.96
# Samples of a run whose peak is looked at: 10 ms.
_SPAN = 320
_FEW = 6.0
_TREBLE_HZ = (6000.0, 12000.0)
_SLOW_HZ, _LOWEST_HZ, _HIGHEST_HZ = 2000, 40.0, 660.0
# A line stands out of what lies up to 24 Hz away.
_AROUND_HZ, _MOST_DB = 24.0, 40.0


def tops(padded: Floats) -> Doubles:
    """Returns tops and even of both quarters of a block, hundredths, (2, 2).

    Args:
        padded: As `spectra.measure` takes it, one block.
    """
    out = np.zeros((CELLS, 2))
    inside = padded[MARGIN_BEFORE : MARGIN_BEFORE + BLOCK].reshape(CELLS, -1)
    for row, own in enumerate(inside):
        for side in (own, -own):
            top = float(side.max())
            if top < 1e-3:
                continue
            near = side[side > _NEAR * top]
            share = float((near > _TOP * top).sum()) / (len(near) + _FEW)
            peaks = side.reshape(-1, _SPAN).max(axis=1)
            reach = float((peaks > _LEVEL * top).mean())
            out[row] = np.maximum(out[row], [share * 100, reach * 100])
    return out


def steady(window: Spectra) -> float:
    """Returns how much the treble's power moves over a window, dB."""
    power = (10.0 ** window.mel[:, _treble(), 0].astype(np.float64)).sum(axis=1)
    groups = power[: len(power) // 4 * 4].reshape(-1, 4).mean(axis=1)
    return float(np.std(10 * np.log10(groups + 1e-12)))


def standing(slow: Floats) -> Doubles:
    """Returns how far each line of half a second at 2 kHz stands out, dB, (lines,)."""
    window = np.hanning(len(slow)).astype(np.float32)
    spectrum = fft.rfft(slow * window)
    step_hz = _SLOW_HZ / len(slow)
    power_db = 10 * np.log10(spectrum.real**2 + spectrum.imag**2 + 1e-9)
    wide = 2 * int(_AROUND_HZ / step_hz) + 1
    around = ndimage.median_filter(power_db, wide, mode="nearest")
    first, last = int(_LOWEST_HZ / step_hz), int(_HIGHEST_HZ / step_hz)
    # A line that sways by its own width is still that line.
    return np.clip(ndimage.maximum_filter1d(power_db - around, 3)[first:last], 0, _MOST_DB)


def stays(blocks: Sequence[Doubles]) -> float:
    """Returns how far the strongest line stands out in all of some blocks, dB."""
    return float(np.min(blocks, axis=0).max()) if blocks else 0.0


@cache
def _treble() -> NDArray[np.int64]:
    def to_mel(hz: float) -> float:
        return 2595 * np.log10(1 + hz / 700)

    points = np.linspace(to_mel(40.0), to_mel(RATE_HZ / 2), MELS + 2)[1:-1]
    centres = 700 * (10 ** (points / 2595) - 1)
    return np.flatnonzero((centres >= _TREBLE_HZ[0]) & (centres <= _TREBLE_HZ[1]))


assert BLOCK % (CELLS * _SPAN) == 0
