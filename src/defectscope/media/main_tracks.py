"""Reads only the main video and audio track, to compare whole assets with each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from defectscope.media.frames import Frame, Samples
from defectscope.media.reader import Reader


def main_frames(
    reader: Reader, start_s: float = 0.0, end_s: float | None = None
) -> Iterator[Frame]:
    """Decodes the main video track alone, in order of presentation.

    Args:
        reader: The asset.
        start_s: First instant wanted, seconds.
        end_s: First instant not wanted; None reads to the end.

    Raises:
        MediaError: It cannot be decoded.
    """
    for item in reader.read(start_s, end_s, audio=False):
        if isinstance(item, Frame) and not item.view:
            yield item


def mono_sound(
    reader: Reader, rate_hz: int, start_s: float = 0.0, length_s: float | None = None
) -> NDArray[np.float64]:
    """Returns the mean of the main audio track's channels, (samples,); gaps are silence.

    Args:
        reader: An asset with sound.
        rate_hz: Sampling rate wanted.
        start_s: First instant, seconds; may lie before the sound.
        length_s: Seconds wanted; None takes all that there is.

    Raises:
        MediaError: It cannot be decoded.
    """
    audio = reader.info.audio
    assert audio is not None
    first = round(start_s * audio.rate_hz)
    end_s = None if length_s is None else max(start_s + length_s, 0.01)
    runs = [
        (item.start - first, item.data.mean(axis=1))
        for item in reader.read(max(start_s, 0.0), end_s, video=False)
        if isinstance(item, Samples) and item.sound == 0
    ]
    if length_s is None:
        samples = max((at + len(data) for at, data in runs), default=0)
    else:
        samples = round(length_s * audio.rate_hz)
    mono = np.zeros(max(samples, 0))
    for at, data in runs:
        low, high = max(at, 0), min(at + len(data), len(mono))
        if high > low:
            mono[low:high] = data[low - at : high - at]
    if not len(mono):
        return mono
    # Half a second to import: for those who ask for another rate.
    from scipy.signal import resample_poly

    factor = int(np.gcd(rate_hz, audio.rate_hz))
    return np.asarray(resample_poly(mono, rate_hz // factor, audio.rate_hz // factor))
