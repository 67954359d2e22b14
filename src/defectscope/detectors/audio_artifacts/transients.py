"""Classical evidence of clicks and of buffers: what prediction leaves, what repeats, what is empty.

    residue  how far the prediction's error stands out of what lies around it: a click is over at
             once, a drum hit goes on
    clicks   moments at which it does
    repeat   how alike a moment and a later one are, against what is common: a buffer heard twice
    hole     how far the level falls for some milliseconds, between sounds that go on

All in quarters of a second, from a block of half a second and a fixed margin around it.

Source: Godsill and Rayner 1998, "Digital Audio Restoration", 5.2, for clicks in the error of linear
prediction.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.ndimage
import scipy.signal
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    RATE_HZ,
)

fft, linalg = cast("Any", scipy.fft), cast("Any", scipy.linalg)
ndimage, signal = cast("Any", scipy.ndimage), cast("Any", scipy.signal)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
CELLS = 2
_ORDER = 20
# Part of the power that is added as noise, so that pure tones cannot be predicted beyond sense.
_DITHER = 1e-7
# Samples of a moment whose error is compared with that of the moments around it: 4 ms.
_MOMENT = 125
_STANDS_OUT_DB = 24.0
_MOST_DB = 80.0
# At an eighth of the rate: samples that are looked for again, 8 ms every 4 ms, and how much later,
# 3 to 105 ms.
_SLOWER, _FRAME, _HOP, _FIRST_LAG, _LAST_LAG, _SIZE = 8, 32, 16, 12, 420, 512
# Milliseconds that a hole lasts, and of sound on either side.
_HOLES_MS, _AROUND_MS, _MS = (2, 4, 8, 16, 28), 6, 32
# Least level that counts, relative to full scale: one step of sixteen bits.
_LEAST = 1.0 / 32768
_TAPS = 65
# Nearer to equal than this nobody can tell.
_EXACT = 0.003


def transients(padded: Floats) -> Doubles:
    """Returns residue, clicks, repeat and hole of both quarters of a block, (2, 4).

    All in decibels but clicks.

    Args:
        padded: As `spectra.measure` takes it, one block.
    """
    error = _error(padded)
    # Moments before the block belong to the one before it.
    lead = MARGIN_BEFORE % _MOMENT
    standing = _standing(error[lead:])[MARGIN_BEFORE // _MOMENT :]
    own = standing[: BLOCK // _MOMENT].reshape(CELLS, -1)
    repeats = np.array_split(_repeats(error), CELLS)
    return np.stack(
        [
            own.max(axis=1),
            (own > _STANDS_OUT_DB).sum(axis=1),
            [float(part.max()) for part in repeats],
            _holes(padded),
        ],
        axis=1,
    )


def _error(padded: Floats) -> Doubles:
    """Returns what prediction from the samples before leaves of every sample."""
    sound = padded.astype(np.float64)
    shaped = sound * _hann(len(sound))
    products = np.array([np.dot(shaped[: len(shaped) - k], shaped[k:]) for k in range(_ORDER + 1)])
    products[0] = products[0] * (1 + _DITHER) + 1e-9
    taps = linalg.solve_toeplitz(products[:_ORDER], products[1:])
    return np.asarray(signal.lfilter(np.concatenate([[1.0], -taps]), [1.0], sound))


def _standing(error: Doubles) -> Doubles:
    """Returns how far the error of each moment stands out of those beside it, dB."""
    moments = np.abs(error[: len(error) // _MOMENT * _MOMENT]).reshape(-1, _MOMENT)
    baseline = np.median(moments, axis=1)
    # A moment may hold half of a click that the next one holds the rest of.
    padded = np.pad(baseline, 4, mode="edge")
    around = np.max([padded[4 + k : len(padded) - 4 + k] for k in (-4, -3, -2, 2, 3, 4)], axis=0)
    least = max(float(np.median(baseline)) * 0.25, _LEAST)
    return np.clip(
        20 * np.log10(moments.max(axis=1) / np.maximum(around, least) + 1e-9), 0, _MOST_DB
    )


def _repeats(error: Doubles) -> Doubles:
    """Returns of each moment of 8 ms how much nearer a later one comes than is common, dB."""
    inside = error[MARGIN_BEFORE:]
    bound = 4.0 * float(np.median(np.abs(inside))) + _LEAST
    # An eighth of the rate is enough: what is heard twice is alike below 1.8 kHz as well.
    slow = signal.upfirdn(_low(), np.clip(inside, -bound, bound).astype(np.float32), 1, _SLOWER)
    # A symmetric filter delays by half its length.
    slow = slow[_TAPS // 2 // _SLOWER :]
    frames = sliding_window_view(slow, _SIZE)[: BLOCK // _SLOWER : _HOP]
    wanted = frames[:, :_FRAME]
    found = fft.irfft(
        fft.rfft(frames, axis=1) * np.conj(fft.rfft(wanted, _SIZE, axis=1)), _SIZE, axis=1
    )[:, _FIRST_LAG:_LAST_LAG]
    sums = np.pad(np.cumsum(frames.astype(np.float64) ** 2, axis=1), ((0, 0), (1, 0)))
    power = sums[:, _FRAME:] - sums[:, :-_FRAME]
    size = np.sqrt(power[:, :1] * power[:, _FIRST_LAG:_LAST_LAG]) + _FRAME * _LEAST**2
    apart = np.maximum(1 - (found / size).max(axis=1), 0.0) + _EXACT
    return 10 * np.log10(np.median(apart) / apart)


@cache
def _hann(length: int) -> Doubles:
    return np.hanning(length)


@cache
def _low() -> Floats:
    return np.asarray(signal.firwin(_TAPS, 1800.0, fs=RATE_HZ), np.float32)


def _holes(padded: Floats) -> Doubles:
    """Returns the deepest hole that begins in each quarter, dB."""
    steps = padded[MARGIN_BEFORE - 12 * _MS :]
    power = np.square(steps[: len(steps) // _MS * _MS].astype(np.float64)).reshape(-1, _MS)
    level = 10 * np.log10(power.mean(axis=1) + _LEAST**2)
    loud = 10 * np.log10(ndimage.uniform_filter1d(power.mean(axis=1), _AROUND_MS) + _LEAST**2)
    baseline = 10 * np.log10(float(power.mean()) + _LEAST**2)
    count, deepest = BLOCK // _MS, np.zeros(BLOCK // _MS)
    first = 12
    for width in _HOLES_MS:
        most = sliding_window_view(level, width).max(axis=1)[first : first + count]
        before = loud[first - 1 - _AROUND_MS // 2 :][:count]
        after = loud[first + width + 1 + _AROUND_MS // 2 :][:count]
        around = np.minimum(before, after)
        deepest = np.maximum(deepest, np.where(around > baseline - 14, around - most, 0.0))
    return np.clip(deepest.reshape(CELLS, -1).max(axis=1), 0, _MOST_DB)


assert _SIZE - _FRAME >= _LAST_LAG
assert MARGIN_AFTER >= _SIZE * _SLOWER
