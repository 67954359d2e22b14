"""Whether a simulated defect can be heard where it lies: what the programme masks is no defect.

A simulator knows what it added, so what it added (the residual) is compared with what it was added
to (the masker), fifty milliseconds at a time, in the ear's own bands:

    hum         best band below 1 kHz, over what the masker leaves in its quieter quarter
    hiss        third best band above 1 kHz, likewise
    distortion  third best band of all, against the masker at that very moment
    clicks      the treble of 2.5 ms, over the strongest treble the masker itself has near by

Everything in decibels. What counts as heard is `AUDIBLE_DB`.

Source: Zwicker 1961, JASA 33, for the critical bands; the slopes of spread are the usual 25 dB per
band downwards and 10 dB upwards (Zwicker and Fastl, "Psychoacoustics", at moderate levels).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import scipy.ndimage
import scipy.signal
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.training.audio_artifacts.clips import Damage

# SciPy annotates its results with arrays of other libraries as well.
signal = cast("Any", scipy.signal)
ndimage = cast("Any", scipy.ndimage)

Mono = NDArray[np.float64]
# Level from which a defect counts as heard, by defect. Hum is a few steady lines: it is heard below
# the level of what surrounds it. Noise in noise is not.
AUDIBLE_DB = {"audio_hum": -3.0, "audio_hiss": 3.0, "audio_distortion": -8.0, "audio_clicks": 0.0}
# Where a defect is not, its level says this.
ABSENT = -128
TICKS_HZ = 20
# The least and the most that is kept.
LEAST_DB, MOST_DB = -60.0, 60.0

_BARKS_HZ = (
    20, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720, 2000, 2320, 2700, 3150,
    3700, 4400, 5300, 6400, 7700, 9500, 12000, 15500,
)  # fmt: skip
_FIRST_ABOVE_1_KHZ = 9
_FRAME_S = 0.064
_UP_DB, _DOWN_DB = 10.0, 25.0
# Ticks on either side among which the masker's quieter quarter is looked for: a second in all.
_AROUND = 10
# What lies so far below the loudest moment of the clip is below the threshold of hearing.
_QUIET_DB = -62.0
_TREBLE_HZ = 1500.0
_FAST_S = 0.0025
# Frames of 2.5 ms in which a transient of the programme hides a click: 50 ms on either side.
_HIDING = 20
# Share of the programme's frames that a click must top to stand apart from its own transients.
_OWN_TRANSIENTS = 0.97
# A buffer of silence is heard from about this length on, however noisy what surrounds it.
# Source: gap detection, Plomp 1964, JASA 36: 2 to 3 ms in noise, more in tones.
_SILENCES = ("gap", "hold")
_GAP_MS = 6.0
_GAP_DB = 12.0


def of_clip(
    damages: Sequence[Damage], sound: Mono, residuals: NDArray[Any], inside: slice
) -> NDArray[np.int8]:
    """Returns for every tick and defect how far it stands out, dB; `ABSENT` where it is not.

    Args:
        damages: Of the clip.
        sound: The clip with its margins, defects and all, at `spectra.RATE_HZ`.
        residuals: What each defect has added to it.
        inside: The clip without its margins.
    """
    rate_hz = spectra.RATE_HZ
    ticks = (inside.stop - inside.start) * TICKS_HZ // rate_hz
    lead_s = inside.start / rate_hz
    out = np.full((ticks, len(CLASSES)), ABSENT, np.int8)
    for damage, residual in zip(damages, residuals, strict=True):
        place, masker = CLASSES.index(damage.defect), sound - residual
        each = damage.defect == "audio_clicks"
        if each:
            spans = [(round(a * rate_hz), round(b * rate_hz)) for a, b in damage.spans_s]
            levels = clicks(masker, sound, spans, damage.family, rate_hz)
        else:
            levels = lasting(damage.defect, masker[inside], residual[inside], rate_hz)
        for number, (start_s, end_s) in enumerate(damage.spans_s):
            first, last = (start_s - lead_s) * TICKS_HZ, (end_s - lead_s) * TICKS_HZ
            low, high = max(0, int(np.floor(first))), min(ticks, int(np.ceil(last)))
            if high > low:
                own = np.round(levels[number] if each else levels[low:high]).astype(np.int8)
                out[low:high, place] = np.maximum(out[low:high, place], own)
    return out


def lasting(defect: str, masker: Mono, residual: Mono, rate_hz: int) -> NDArray[np.float64]:
    """Returns how far hum, hiss or distortion stands out, dB, for every tick of 50 ms.

    Args:
        defect: Which.
        masker: Everything else that sounds.
        residual: What the defect adds, in step with the masker.
        rate_hz: Of both.
    """
    quiet = float(_bands(masker + residual, rate_hz).max()) * 10 ** (_QUIET_DB / 10) + 1e-14
    added = _bands(residual, rate_hz)
    hiding = _spread(_bands(masker, rate_hz)) + quiet
    if defect != "audio_distortion":
        size = (2 * _AROUND + 1, 1)
        hiding = ndimage.percentile_filter(hiding, 25, size=size, mode="nearest")
    ratio = np.sort(
        10 * np.log10((added + 1e-20) / hiding)[:, _chosen(defect)],
        axis=1,
    )
    return np.clip(ratio[:, -1 if defect == "audio_hum" else -3], LEAST_DB, MOST_DB)


def clicks(
    before: Mono, after: Mono, spans: list[tuple[int, int]], family: str, rate_hz: int
) -> NDArray[np.float64]:
    """Returns how far each click stands out, dB.

    Args:
        before: The clip without clicks.
        after: With them.
        spans: First and last sample of each.
        family: Of the simulator.
        rate_hz: Of both.
    """
    if not spans:
        return np.zeros(0)
    frame = round(_FAST_S * rate_hz)
    own, with_clicks = _treble(before, rate_hz, frame), _treble(after, rate_hz, frame)
    near = ndimage.maximum_filter1d(own, 2 * _HIDING + 1)
    hiding = np.maximum(near, np.quantile(own, _OWN_TRANSIENTS)) + float(own.max()) * 1e-4 + 1e-14
    ratio = 10 * np.log10((with_clicks + 1e-16) / hiding)
    out = np.empty(len(spans))
    for place, (start, end) in enumerate(spans):
        first = max(0, start // frame - 1)
        out[place] = ratio[first : max(first + 1, end // frame + 2)].max(initial=LEAST_DB)
        if family in _SILENCES and end - start >= _GAP_MS / 1000 * rate_hz:
            out[place] = max(out[place], _GAP_DB)
    return np.clip(out, LEAST_DB, MOST_DB)


def _treble(sound: Mono, rate_hz: int, frame: int) -> Mono:
    sos = signal.butter(2, _TREBLE_HZ, "highpass", fs=rate_hz, output="sos")
    high = signal.sosfilt(sos, sound)
    return np.mean(high[: len(high) // frame * frame].reshape(-1, frame) ** 2, axis=1)


def _chosen(defect: str) -> slice:
    if defect == "audio_hum":
        return slice(0, _FIRST_ABOVE_1_KHZ)
    return slice(_FIRST_ABOVE_1_KHZ, None) if defect == "audio_hiss" else slice(0, None)


def _bands(sound: Mono, rate_hz: int) -> Mono:
    """Returns the power in each critical band around each tick, (ticks, 24)."""
    step, frame = rate_hz // TICKS_HZ, round(_FRAME_S * rate_hz)
    ticks = len(sound) // step
    edge = (frame - step) // 2
    padded = np.pad(sound, (edge, edge + frame))
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::step][:ticks]
    spectrum = np.fft.rfft(frames * np.hanning(frame), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return power @ _bank(frame, rate_hz)


def _spread(power: Mono) -> Mono:
    count = power.shape[1]
    away = np.arange(count)[None, :] - np.arange(count)[:, None]
    slope = np.where(away >= 0, -_UP_DB * away, _DOWN_DB * away)
    return power @ 10 ** (slope / 10)


@cache
def _bank(frame: int, rate_hz: int) -> Mono:
    hz = np.arange(frame // 2 + 1) * rate_hz / frame
    edges = np.array(_BARKS_HZ)
    place = np.searchsorted(edges, hz, side="right") - 1
    bank = np.zeros((len(hz), len(edges) - 1))
    inside = (place >= 0) & (place < len(edges) - 1)
    bank[np.flatnonzero(inside), place[inside]] = 1.0
    return bank
