"""Classical evidence of clicks: moments that no prediction foretells and that are over at once.

A click lasts 2 ms at most and leaves nothing behind; a drum hit rings on, a voice has its next
pulse, and neither is much more than what lies around it.

Source: Godsill and Rayner 1998, "Digital Audio Restoration", 5.2, for clicks in the error of linear
prediction.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import BLOCK, MARGIN_AFTER

fft = cast("Any", scipy.fft)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
CELLS = 2
# Samples that are needed before a block.
LEAD = 2000
# The most that a moment counts for where the sound begins or ends, in the file or in the programme:
# a cut has a step, but no click. Silence is a median of less than one step of sixteen bits, or a
# waveform that has no more: a low tone that is cut off is foretold to less than one step as well.
AT_AN_END_DB, _SILENCE = 30.0, 1.0 / 32768
_ORDER, _FFT = 20, 25600
# Part of the power that is added as noise: pure tones would be predicted beyond sense.
_DITHER = 1e-7
# Samples of a moment, 4 ms; how many on either side it is compared with; the nearest may hold the
# rest of the same click. Medians are those of the nearer ones.
_MOMENT, _AROUND, _NEAR = 125, 8, 4
_MOST_DB = 80.0
# Least level that counts, relative to full scale: one step of sixteen bits.
_LEAST = 1.0 / 32768
# Of a moment's peak: what is left beside a cut has as much, what is left beside a click has less.
_CUT = 0.1


def of_quarters(over_db: Doubles) -> Doubles:
    """Returns the most isolated moment of both quarters, dB, (2,)."""
    return over_db.reshape(CELLS, -1).max(axis=1)


def stand_out(padded: Floats) -> tuple[Doubles, NDArray[np.int64]]:
    """Returns how far each moment of a block stands out, dB, and its peak's sample, (128,) each.

    The moment's peak, in the error of linear prediction, over the greatest peak of the 32 ms before
    and after; `AT_AN_END_DB` at most between sound and silence. Samples count from the block's
    first.

    Args:
        padded: (LEAD + BLOCK + MARGIN_AFTER,) mono samples at 32 kHz.
    """
    if padded.shape != (LEAD + BLOCK + MARGIN_AFTER,):
        raise ValueError(f"wants {LEAD + BLOCK + MARGIN_AFTER} samples, not {padded.shape}")
    inside = slice(LEAD // _MOMENT, (LEAD + BLOCK) // _MOMENT)
    if not float(np.abs(padded).max()) > _LEAST:
        return np.zeros(BLOCK // _MOMENT), np.arange(BLOCK // _MOMENT) * _MOMENT
    error = _error(padded)
    moments = np.abs(error[: len(error) // _MOMENT * _MOMENT]).reshape(-1, _MOMENT)
    medians, peaks = np.median(moments, axis=1).astype(np.float64), moments.max(axis=1)
    neighbours = [k for k in range(-_AROUND, _AROUND + 1) if abs(k) > 1]
    before, after = (
        np.max([_moved(medians, sign * k) for k in range(2, _NEAR + 1)], axis=0) for sign in (-1, 1)
    )
    baseline = np.maximum(before, after)
    others = np.max([_moved(peaks, k) for k in neighbours], axis=0)
    least = max(float(np.median(medians)) / 4, _LEAST)
    over = peaks / np.maximum(np.maximum(others, baseline), least)
    is_end = ((before < _SILENCE) != (after < _SILENCE)) | _is_cut(padded, len(moments))
    most_db = np.where(is_end, AT_AN_END_DB, _MOST_DB)
    over_db = np.clip(20 * np.log10(over + 1e-9), 0, most_db)
    at = moments.argmax(axis=1) + np.arange(len(moments)) * _MOMENT - LEAD
    return over_db[inside], at[inside]


def _is_cut(padded: Floats, count: int) -> NDArray[np.bool_]:
    """Returns at which moments the waveform begins or ends, nothing being on the other side.

    What is cut off is no louder than what was cut; a click is far louder than what it leaves.
    """
    loudest = np.abs(padded[: count * _MOMENT]).reshape(-1, _MOMENT).max(axis=1)
    before, after = (
        np.max([_moved(loudest, sign * k) for k in range(2, _NEAR + 1)], axis=0) for sign in (-1, 1)
    )
    is_one_sided = np.minimum(before, after) <= _LEAST
    return is_one_sided & (np.maximum(before, after) >= np.maximum(_CUT * loudest, 2 * _LEAST))


def _error(padded: Floats) -> Floats:
    """Returns what prediction from the twenty samples before leaves of every sample."""
    # By the spectrum: products of long vectors would take every core for nothing.
    spectrum = fft.rfft(padded.astype(np.float64) * _hann(len(padded)), _FFT)
    products: Doubles = fft.irfft(spectrum.real**2 + spectrum.imag**2, _FFT)[: _ORDER + 1]
    products[0] = products[0] * (1 + _DITHER) + 1e-9
    places = np.arange(_ORDER)
    taps = np.linalg.solve(products[np.abs(places[:, None] - places)], products[1:])
    whitening = np.r_[1.0, -taps].astype(np.float32)
    return np.convolve(padded, whitening)[: len(padded)]


def _moved(values: NDArray[np.floating], by: int) -> Doubles:
    """Returns for each moment the value `by` moments later, 0 beyond the ends."""
    out = np.zeros(len(values))
    if by >= 0:
        out[: len(values) - by] = values[by:]
    else:
        out[-by:] = values[:by]
    return out


@cache
def _hann(length: int) -> Doubles:
    return np.hanning(length)


assert LEAD + BLOCK + MARGIN_AFTER + _ORDER <= _FFT
assert BLOCK % (CELLS * _MOMENT) == 0
assert LEAD % _MOMENT == 0
assert LEAD >= _AROUND * _MOMENT
assert MARGIN_AFTER >= _AROUND * _MOMENT
