"""Classical evidence of buffers heard again: sound that equals what was heard just before.

A driver that runs out of data plays its last buffer once more, or an older one. At both ends of
such a buffer the waveform breaks, and inside it equals, sample by sample, what sounded some
milliseconds before. A held note equals its own past as well, but does so on both sides of a break;
a voice with a steady pitch does so too, at a period that drifts from one side to the other; a note
that sets in over a held one leaves the past equal to its own before it, and more power after it; a
tone that ends has repeated more than once before; a drum that a machine plays again begins after
silence, not amid sound.

Source: Godsill and Rayner 1998, "Digital Audio Restoration", 5.2, for breaks in the error of linear
prediction; the normalised difference is that of de Cheveigne and Kawahara 2002, "YIN", JASA 111.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import BLOCK, MARGIN_AFTER

fft = cast("Any", scipy.fft)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
CELLS = 2
# Samples that are compared, 6 ms: no buffer of a driver is shorter. How far back the same may lie,
# 4 to 132 ms: three buffers of 44 ms.
_SPAN, _NEAREST, _FARTHEST = 192, 128, 4224
# Samples on either side of a break that belong to it.
_BREAK = 24
# Samples that are needed before a block.
LEAD = 8000
_FFT = fft.next_fast_len(_FARTHEST + _SPAN, real=True)
# Breaks that are looked at in a quarter of a second: those that stand out most.
_BREAKS = 4
# Share of a lag by which the period of a voice may drift from one side of a break to the other, and
# from which value on that is looked at, dB: below, no rule asks for it.
_DRIFT, _SUSPECT_DB = 0.03, 20.0
# A span is compared where it has this share of the usual power, or where there is any at all; the
# other side must sound as well, or the break is where something begins.
_SHARE, _LEAST, _OTHER_SHARE = 0.05, 1e-7, 0.03
# What sets in over a held note differs from the past by as much power as the note has, or more: so
# much louder than before the break at least. Of 48 notes that had 26 dB and more the least had 4.7.
_SETS_IN_DB = 3.0
# How well the past before a break equals its own past, dB, from which on a tone ends there. Of 81
# buffers heard again the most had 5.4, of 15 such tones the least 10.0.
_HELD_DB = 8.0
MOST_DB = 60.0
_NOTHING, _SETS_IN = 10.0 ** (-MOST_DB / 10), 10.0 ** (_SETS_IN_DB / 10)


def repeated(padded: Floats, over_db: Doubles, at: NDArray[np.int64]) -> Doubles:
    """Returns how much better one side of a break equals its past than the other, dB, (2,).

    Of the breaks of both quarters of a block the one that shows it best; 0 where none does. Each is
    the ratio of power to the power of the difference, of the waveform's first difference.

    Args:
        padded: (LEAD + BLOCK + MARGIN_AFTER,) mono samples at 32 kHz.
        over_db: (n,) how far each moment of the block stands out.
        at: (n,) its sample, counted from the block's first.
    """
    if padded.shape != (LEAD + BLOCK + MARGIN_AFTER,):
        raise ValueError(f"wants {LEAD + BLOCK + MARGIN_AFTER} samples, not {padded.shape}")
    steps = np.diff(padded, prepend=padded[:1])
    power = np.concatenate([[0.0], np.cumsum(np.square(steps, dtype=np.float64))])
    least = max(_SHARE * float(power[-1]) / len(steps) * _SPAN, _LEAST)
    out = np.zeros(CELLS)
    half = len(over_db) // CELLS
    for cell in range(CELLS):
        own = slice(cell * half, (cell + 1) * half)
        for moment in np.argsort(-over_db[own], kind="stable")[:_BREAKS]:
            place = LEAD + int(at[own][moment])
            after, before = place + _BREAK, place - _BREAK - _SPAN
            for first, other in ((after, before), (before, after)):
                out[cell] = max(out[cell], _equals(steps, power, first, other, least))
    return out


def _equals(steps: Floats, power: Doubles, first: int, other: int, least: float) -> float:
    """Returns how much better the span at `first` equals its past than that at `other`, dB."""
    own, beyond = (float(power[k + _SPAN] - power[k]) for k in (first, other))
    if own < least or beyond < _OTHER_SHARE * own:
        return 0.0
    if other > first and beyond > _SETS_IN * own:
        return 0.0
    past = steps[first - _FARTHEST : first - _NEAREST + _SPAN]
    spectrum = fft.rfft(past, _FFT) * np.conj(fft.rfft(steps[first : first + _SPAN], _FFT))
    products = fft.irfft(spectrum, _FFT)[: _FARTHEST - _NEAREST + 1].astype(np.float64)
    starts = np.arange(first - _FARTHEST, first - _NEAREST + 1)
    similarity = 2 * products / (own + power[starts + _SPAN] - power[starts] + _LEAST)
    best = int(similarity.argmax())
    lag = _FARTHEST - best
    if other < lag:
        return 0.0
    inside_db = -10 * np.log10(max(1 - _peak(similarity, best), _NOTHING))
    over_db = inside_db - _equal_db(steps, other, other - lag)
    if over_db < _SUSPECT_DB:
        return over_db
    # What repeats after a longer time than half of the lead is no tone.
    is_short = other > first and 2 * lag <= first
    if is_short and _equal_db(steps, first - lag, first - 2 * lag) >= _HELD_DB:
        return 0.0
    return min(over_db, inside_db - _drifting_db(steps, other, lag))


def _equal_db(steps: Floats, first: int, second: int) -> float:
    """Returns how well one span equals another, dB, 0 at least."""
    own, other = (steps[k : k + _SPAN].astype(np.float64) for k in (first, second))
    both = float(own @ own + other @ other)
    differ = float((own - other) @ (own - other)) / max(both, 1e-12)
    return max(-10 * float(np.log10(max(differ, _NOTHING))), 0.0)


def _drifting_db(steps: Floats, first: int, lag: int) -> float:
    """Returns how well the span at `first` equals what sounded about a lag before, dB.

    At the best of all lags that a drift of the period allows: there a voice equals its past on this
    side as well, a buffer that was put in does not.
    """
    reach = round(_DRIFT * lag) + 1
    nearest, farthest = max(lag - reach, _NEAREST // 2), min(lag + reach, first)
    own = steps[first : first + _SPAN].astype(np.float64)
    past = steps[first - farthest : first - nearest + _SPAN].astype(np.float64)
    products = np.correlate(past, own, "valid")
    power = np.convolve(np.square(past), np.ones(_SPAN), "valid")
    similarity = 2 * products / (float(own @ own) + power + _LEAST)
    best = _peak(similarity, int(similarity.argmax()))
    return max(-10 * float(np.log10(max(1 - best, _NOTHING))), 0.0)


def _peak(values: Doubles, place: int) -> float:
    """Returns the top of the parabola through a greatest value and those beside it."""
    top = float(values[place])
    if not 0 < place < len(values) - 1:
        return top
    before, after = float(values[place - 1]), float(values[place + 1])
    bend = before - 2 * top + after
    # Between two samples a lag is no whole number: the peak lies a little higher.
    return top - (before - after) ** 2 / (8 * bend) if bend < 0 and top < 0.9999 else top
