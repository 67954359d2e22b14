"""Sound at another rate, and through a codec and back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.media.encoding import AudioEncoding
from defectscope.media.frames import Samples
from defectscope.media.opening import open_media
from defectscope.media.writer import Writer

# SciPy annotates its results with arrays of other libraries as well.
signal = cast("Any", scipy.signal)

Mono = NDArray[np.float32]

# Encoders expect samples within full scale.
PEAK = 0.8

_SUFFIX = {"aac": ".m4a", "libmp3lame": ".mp3", "libopus": ".ogg"}
# Opus takes no other rate.
_RATE_HZ = {"libopus": 48000}


def resample(sound: NDArray[Any], from_hz: int, to_hz: int) -> Mono:
    """Returns a sound at another rate."""
    if from_hz == to_hz or not len(sound):
        return np.asarray(sound, np.float32)
    return np.asarray(signal.resample_poly(sound, to_hz, from_hz), np.float32)


def through_codec(
    sound: Mono, rate_hz: int, codec: str, bit_rate: int | None, coded_hz: int | None = None
) -> Mono:
    """Returns the sound after coding and decoding, of the same length and in step.

    Args:
        sound: (n,).
        rate_hz: Its rate.
        codec: Its encoder's name; `none` returns the sound.
        bit_rate: Bits per second.
        coded_hz: The rate at which it is coded; by default its own, or the only one that the
            codec takes.
    """
    if codec == "none":
        return sound
    coded_hz = coded_hz or _RATE_HZ.get(codec, rate_hz)
    sent = resample(sound, rate_hz, coded_hz)
    encoding = AudioEncoding(coded_hz, "mono", codec, bit_rate)
    with tempfile.TemporaryDirectory(prefix="defectscope-clip-") as folder:
        path = Path(folder) / f"clip{_SUFFIX[codec]}"
        with Writer(path, audio=encoding) as writer:
            writer.write_samples(Samples(0, sent[:, None]))
        with open_media(str(path)) as reader:
            parts = [(i.start, i.data[:, 0]) for i in reader.read() if isinstance(i, Samples)]
    got = np.zeros(len(sent) + 4 * coded_hz, np.float32)
    for start, data in parts:
        skip = max(0, -start)
        place = start + skip
        got[place : place + len(data) - skip] = data[skip:][: len(got) - place]
    back = resample(got[: len(sent)], coded_hz, rate_hz)
    out = np.zeros(len(sound), np.float32)
    out[: min(len(out), len(back))] = back[: len(out)]
    return out
