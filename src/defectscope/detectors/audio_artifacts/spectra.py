"""What the network hears: four spectrograms of the sound, on the absolute half-second grid.

Sound at 32 kHz is cut into blocks of half a second. Each block is measured on its own, from its
samples and a fixed margin around them, so nothing depends on how the sound arrived:

    mel     50 x 64 x 2  log-mel power, frames of 32 ms every 10 ms: timbre; and how flat each
                         band is inside, from single lines to noise: hiss, holes of a coder
    lines   10 x 128     log power of single lines, 3.9 Hz apart, frames of 256 ms: the mains
    fast   200 x 4       peak and RMS of the sound and of its second difference every 2.5 ms: clicks
    levels  10 x 96 x 3  how often samples lie at each level, half a decibel apart, and how the
                         waveform bends there (sum and power of its second difference): clipping

A window of one second is two blocks; frames that would reach past its end are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray

from defectscope.temporal.filters import low_pass

# SciPy annotates its results with arrays of other libraries as well.
fft = cast("Any", scipy.fft)
sparse = cast("Any", scipy.sparse)

RATE_HZ = 32000
BLOCK = 16000
# Samples that a block needs before its first and after its last: the filters' and frames' reach.
MARGIN_BEFORE = 400
MARGIN_AFTER = 7200

MEL_FRAME, MEL_HOP, MELS = 1024, 320, 64
LINE_DECIMATION, LINE_FRAME, LINE_HOP, LINES = 16, 512, 100, 128
FAST_HOP = 80
LEVEL_STEP_DB, LEVELS, LEVEL_CHUNK = 0.5, 96, 1600
MEL_LAYERS, LEVEL_LAYERS = 2, 3

# Frames of a one-second window that lie wholly inside it.
MEL_FRAMES = (2 * BLOCK - MEL_FRAME) // MEL_HOP + 1  # 97
LINE_FRAMES = (2 * BLOCK // LINE_DECIMATION - LINE_FRAME) // LINE_HOP + 1  # 15
FAST_FRAMES = 2 * BLOCK // FAST_HOP  # 400
LEVEL_CHUNKS = 2 * BLOCK // LEVEL_CHUNK  # 20

# 100 dB below a full-scale sine: digital silence must not be minus infinity.
_POWER_FLOOR = 1e-10
_DECIMATION_TAPS = 385
_ROWS = 512
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spectra:
    """The four spectrograms of an interval of sound, time first, all float32."""

    mel: Floats
    lines: Floats
    fast: Floats
    levels: Floats

    def window(self, at_s: float) -> Spectra:
        """Returns the one-second window that begins there, a multiple of 50 ms."""
        tick = round(at_s * 20)
        mel, lines, fast, levels = 5 * tick, tick, 20 * tick, tick
        return Spectra(
            self.mel[mel : mel + MEL_FRAMES],
            self.lines[lines : lines + LINE_FRAMES],
            self.fast[fast : fast + FAST_FRAMES],
            self.levels[levels : levels + LEVEL_CHUNKS],
        )

    @staticmethod
    def join(first: Spectra, second: Spectra) -> Spectra:
        """Returns two blocks as one interval."""
        return Spectra(
            np.concatenate([first.mel, second.mel]),
            np.concatenate([first.lines, second.lines]),
            np.concatenate([first.fast, second.fast]),
            np.concatenate([first.levels, second.levels]),
        )


def measure(padded: Floats, blocks: int = 1) -> Spectra:
    """Returns the spectrograms of some consecutive blocks.

    Args:
        padded: (MARGIN_BEFORE + blocks * BLOCK + MARGIN_AFTER,) mono samples at 32 kHz.
        blocks: How many blocks it holds.
    """
    wanted = MARGIN_BEFORE + blocks * BLOCK + MARGIN_AFTER
    if padded.shape != (wanted,):
        raise ValueError(f"wants {wanted} samples, not {padded.shape}")
    samples = np.ascontiguousarray(padded, np.float32)
    bend = _bend(samples, blocks)
    return Spectra(
        _mel(samples, blocks),
        _lines(samples, blocks),
        _fast(samples, bend, blocks),
        _levels(samples, bend, blocks),
    )


def _mel(samples: Floats, blocks: int) -> Floats:
    frames = sliding_window_view(samples[MARGIN_BEFORE:], MEL_FRAME)[::MEL_HOP]
    frames = frames[: blocks * BLOCK // MEL_HOP] * _hann(MEL_FRAME)
    spectrum = fft.rfft(frames, axis=1)
    # Lines first from here on: that is how the sparse banks want them.
    parts = np.ascontiguousarray(spectrum.view(np.float32).T)
    parts *= parts
    power = parts[::2] + parts[1::2] + np.float32(_POWER_FLOOR)
    out = np.empty((power.shape[1], MELS, MEL_LAYERS), np.float32)
    bank, mean = _mel_banks()
    bands = np.log10(bank @ power)
    # Mean of the logarithms under the logarithm of the mean: -0.25 for noise, far less for a tone.
    out[:, :, 0], out[:, :, 1] = bands.T, (mean @ np.log10(power) - bands + _band_log()).T
    return out


def _lines(samples: Floats, blocks: int) -> Floats:
    count = (blocks * BLOCK // LINE_DECIMATION) + LINE_FRAME - LINE_HOP
    # A symmetric filter delays by half its length: start that much early.
    slow = _decimate(samples[MARGIN_BEFORE - _DECIMATION_TAPS // 2 :], count)
    frames = sliding_window_view(slow, LINE_FRAME)[::LINE_HOP] * _hann(LINE_FRAME)
    spectrum = fft.rfft(frames, axis=1)[:, :LINES]
    power = spectrum.real**2 + spectrum.imag**2
    return np.log10(power + np.float32(_POWER_FLOOR))


def slow_block(padded: Floats) -> Floats:
    """Returns one block at 2 kHz, (1000,).

    Args:
        padded: As `measure` takes it, one block.
    """
    return _decimate(padded[MARGIN_BEFORE - _DECIMATION_TAPS // 2 :], BLOCK // LINE_DECIMATION)


def _decimate(samples: Floats, count: int) -> Floats:
    """Returns `count` samples at a sixteenth of the rate, each filtered from 385 of `samples`.

    Rows of sixteen samples times the filter's rows of sixteen taps, summed along diagonals: the
    same sums as a polyphase filter's, ten times as fast.
    """
    taps = _decimator()
    rows = samples[: (count + len(taps) - 1) * LINE_DECIMATION].reshape(-1, LINE_DECIMATION)
    # Pieces small enough for BLAS not to wake its threads, which costs more than it gains.
    parts = [rows[i : i + _ROWS] @ taps.T for i in range(0, len(rows), _ROWS)]
    products = np.concatenate(parts)
    step = products.strides[0]
    diagonals = as_strided(products, (count, len(taps)), (step, step + products.itemsize))
    return diagonals.sum(axis=1)


def _fast(samples: Floats, bend: Floats, blocks: int) -> Floats:
    inside = samples[MARGIN_BEFORE : MARGIN_BEFORE + blocks * BLOCK]
    out = np.empty((blocks * BLOCK // FAST_HOP, 4), np.float32)
    for place, wave in ((0, inside), (2, bend)):
        size = np.square(wave).reshape(-1, FAST_HOP)
        out[:, place] = size.max(axis=1)
        out[:, place + 1] = size.mean(axis=1)
    return np.log10(out + np.float32(_POWER_FLOOR))


def _bend(samples: Floats, blocks: int) -> Floats:
    """Returns the second difference of the waveform."""
    inside = samples[MARGIN_BEFORE : MARGIN_BEFORE + blocks * BLOCK]
    before = samples[MARGIN_BEFORE - 1 : MARGIN_BEFORE - 1 + blocks * BLOCK]
    after = samples[MARGIN_BEFORE + 1 : MARGIN_BEFORE + 1 + blocks * BLOCK]
    return before - 2 * inside + after


def _levels(samples: Floats, bend: Floats, blocks: int) -> Floats:
    inside = samples[MARGIN_BEFORE : MARGIN_BEFORE + blocks * BLOCK]
    decibels = np.log10(np.abs(inside) + np.float32(1e-6)) * np.float32(-20 / LEVEL_STEP_DB)
    # Bin 0 holds everything from full scale on, the last everything from -47.5 dB down.
    place = np.clip(decibels, 0, LEVELS - 1).astype(np.int64).reshape(-1, LEVEL_CHUNK)
    place += np.arange(len(place))[:, None] * LEVELS
    where, length = place.ravel(), len(place) * LEVELS
    # Towards zero is positive: a waveform bends back where it is high, less so under a ceiling.
    inward = -np.copysign(bend, bend * inside)
    out = np.empty((len(place), LEVELS, LEVEL_LAYERS), np.float32)
    for layer, weights in enumerate((None, inward, bend * bend)):
        counts = np.bincount(where, weights, minlength=length)
        out[:, :, layer] = counts.reshape(-1, LEVELS)
    return out


@cache
def _hann(length: int) -> Floats:
    # Scaled so that a full-scale sine has a power of about one in its line.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return (window / (length / 4)).astype(np.float32)


@cache
def _decimator() -> Floats:
    """Returns the filter's taps in rows of sixteen, zeros filling up the last."""
    taps = low_pass(_DECIMATION_TAPS, 700.0 / (RATE_HZ / 2), 7.0)
    padded = np.zeros(-(-_DECIMATION_TAPS // LINE_DECIMATION) * LINE_DECIMATION, np.float32)
    padded[:_DECIMATION_TAPS] = taps
    return padded.reshape(-1, LINE_DECIMATION)


@cache
def _mel_banks() -> tuple[Any, Any]:
    """Returns the triangles that gather lines into mel bands, (bands, lines), as sparse matrices.

    A line feeds two bands at most: sparse is faster than dense, and needs no threads. The second
    matrix takes means, the first sums.

    Source: O'Shaughnessy 1987, Speech Communication, m = 2595 log10(1 + f / 700).
    """

    def to_mel(hz: float) -> float:
        return 2595 * np.log10(1 + hz / 700)

    points = np.linspace(to_mel(40.0), to_mel(RATE_HZ / 2), MELS + 2)
    edges = 700 * (10 ** (points / 2595) - 1)
    lines = np.arange(MEL_FRAME // 2 + 1) * (RATE_HZ / MEL_FRAME)
    rise = (lines[:, None] - edges[None, :-2]) / np.maximum(edges[1:-1] - edges[:-2], 1e-9)
    fall = (edges[None, 2:] - lines[:, None]) / np.maximum(edges[2:] - edges[1:-1], 1e-9)
    bank = np.maximum(0, np.minimum(rise, fall))
    # Low bands are narrower than a line: let each hold at least its nearest one.
    for band in np.flatnonzero(bank.sum(axis=0) < 0.5):
        bank[int(np.argmin(np.abs(lines - edges[band + 1]))), band] = 1.0
    mean = bank / bank.sum(axis=0)
    return tuple(sparse.csr_array(m.T.astype(np.float32)) for m in (bank, mean))


@cache
def _band_log() -> Floats:
    """Returns the logarithm of each band's sum of weights, (bands, 1)."""
    bank, _ = _mel_banks()
    return np.log10(np.asarray(bank.sum(axis=1), np.float32))[:, None]
