"""Aligns the sound of two versions against their frames: offset and drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from defectscope.compare.alignment import Alignment
from defectscope.media.main_tracks import mono_sound
from defectscope.media.reader import Reader

_RATE_HZ = 8_000
_WINDOW_S = 6.0
_SEARCH_S = 1.0
_WINDOWS = 40
# Below this level a window says nothing about timing.
_QUIETEST_DBFS = -60.0
# The peak of the correlation must stand out from all else by this factor.
_MIN_PROMINENCE = 1.6
# Theil and Sen's slope is stated from this many windows on.
_MIN_WINDOWS_FOR_DRIFT = 5
_LEAST_DRIFT_SPAN_S = 30.0


@dataclass(frozen=True)
class SoundAlignment:
    """Where the candidate's sound lies against the baseline's, frames being aligned.

    Attributes:
        offset_ms: Positive when the candidate's sound is later than the baseline's; None where no
            window of sound could be matched.
        drift_ppm: Change of the offset in millionths of the time; None where it is too short.
        windows: Windows that could be matched.
        tried: Windows that held sound.
    """

    offset_ms: float | None
    drift_ppm: float | None
    windows: int
    tried: int

    def to_dict(self) -> dict[str, Any]:
        """Returns it as in the comparison's JSON."""
        return {
            "offset_ms": None if self.offset_ms is None else round(self.offset_ms, 2),
            "drift_ppm": None if self.drift_ppm is None else round(self.drift_ppm, 1),
            "windows": self.windows,
            "tried": self.tried,
        }


def align_sound(base: Reader, candidate: Reader, alignment: Alignment) -> SoundAlignment | None:
    """Correlates windows of both sounds at moments that show the same frame.

    Args:
        base: The baseline.
        candidate: The candidate.
        alignment: How their frames are aligned.

    Returns:
        None where one of them has no sound.
    """
    if base.info.audio is None or candidate.info.audio is None:
        return None
    first, last = alignment.candidate_times_s[[0, -1]]
    count = int(np.clip((last - first) / _WINDOW_S, 1, _WINDOWS))
    lags: list[float] = []
    times: list[float] = []
    tried = 0
    for at_s in np.linspace(first, max(first, last - _WINDOW_S), count):
        ours = mono_sound(candidate, _RATE_HZ, float(at_s), _WINDOW_S)
        there_s = alignment.to_base_s(float(at_s))
        length_s = _WINDOW_S * alignment.speed
        theirs = mono_sound(base, _RATE_HZ, there_s - _SEARCH_S, length_s + 2 * _SEARCH_S)
        if abs(alignment.speed - 1.0) > 1e-3:
            places = np.arange(0, len(theirs) - 1, alignment.speed)
            theirs = np.interp(places, np.arange(len(theirs)), theirs)
        if min(_level_dbfs(ours), _level_dbfs(theirs)) < _QUIETEST_DBFS:
            continue
        tried += 1
        lag = _lag_s(ours, theirs)
        if lag is not None:
            # The same sound lies `lag` after where it would be: the candidate's is earlier then.
            lags.append(-(lag - _SEARCH_S / alignment.speed))
            times.append(float(at_s))
    if not lags:
        return SoundAlignment(None, None, 0, tried)
    drift = None
    if len(lags) >= _MIN_WINDOWS_FOR_DRIFT and times[-1] - times[0] >= _LEAST_DRIFT_SPAN_S:
        slope: Any = theilslopes(lags, times)
        drift = 1e6 * float(slope[0])
    return SoundAlignment(1000.0 * float(np.median(lags)), drift, len(lags), tried)


def _level_dbfs(samples: NDArray[np.float64]) -> float:
    return 10.0 * float(np.log10(np.mean(np.square(samples)) + 1e-12))


def _lag_s(short: NDArray[np.float64], long: NDArray[np.float64]) -> float | None:
    """Returns where the short window lies in the long one, by phase transform; None if unclear."""
    size = 1 << int(len(long) + len(short) - 1).bit_length()
    cross = np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size))
    magnitude = np.abs(cross)
    # Bands without energy would add noise alone.
    cross /= np.maximum(magnitude, 1e-3 * magnitude.max())
    correlation = np.fft.irfft(cross, size)[: max(1, len(long) - len(short) + 1)]
    peak = int(correlation.argmax())
    near = round(0.005 * _RATE_HZ)
    rest = np.delete(correlation, slice(max(0, peak - near), peak + near + 1))
    if not len(rest) or correlation[peak] < _MIN_PROMINENCE * max(float(rest.max()), 1e-9):
        return None
    return (peak + _between(correlation, peak)) / _RATE_HZ


def _between(values: NDArray[np.float64], peak: int) -> float:
    """Returns the fraction of a sample by which a parabola's top lies beside the peak."""
    if not 0 < peak < len(values) - 1:
        return 0.0
    left, top, right = values[peak - 1 : peak + 2]
    bend = left - 2 * top + right
    return 0.0 if bend == 0 else float(0.5 * (left - right) / bend)
