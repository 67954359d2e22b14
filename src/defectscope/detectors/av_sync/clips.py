"""Whole clips as mouths and sound on one grid: what training, truth and evaluation look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.crops import Mouth, mouth_on_grid
from defectscope.detectors.av_sync.faces import face_models
from defectscope.detectors.av_sync.fragments import FRAGMENT_S
from defectscope.detectors.av_sync.tracks import Limits, Tracker
from defectscope.errors import UnreadableMediaError
from defectscope.media.frames import Frame, Rendering, Samples
from defectscope.media.opening import open_media
from defectscope.media.pixels import to_rgb
from defectscope.media.source import MediaLike
from defectscope.temporal.filters import resampled

SOUND_HZ = 16_000
# Frames taller than this are scaled down before faces are looked for.
MAX_HEIGHT_PX = 720

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip on the detector's grids, t = 0 at its first frame.

    Attributes:
        mouths: Every mouth, by fragment of 4 s; `first_frame` counts 25 a second from t = 0.
        sound: (n,) float32 mono at 16 kHz from t = 0.
    """

    mouths: tuple[Mouth, ...]
    sound: Floats


def read_clip(media: MediaLike, limits: Limits) -> Clip:
    """Returns the mouths and the sound of a clip.

    Args:
        media: A local path, the bytes themselves, or a seekable binary file object.
        limits: What faces are followed.

    Raises:
        UnreadableMediaError: It lacks video or sound.
        ArtifactError: The face models are not installed.
    """
    mouths: list[Mouth] = []
    with open_media(media) as reader:
        video, audio = reader.info.video, reader.info.audio
        if video is None or audio is None:
            raise UnreadableMediaError("lip sync needs video and sound")
        tracker = Tracker(face_models().open(), limits)
        weights = mono_weights(audio.channels)
        parts: list[tuple[int, Floats]] = []
        fragment = bucket = -1
        for item in reader.read():
            if isinstance(item, Samples):
                parts.append((item.start, item.data @ weights))
            elif isinstance(item, Frame):
                time_s = float(item.pts * video.time_base)
                # As the engine picks them: the first frame of every 40 ms.
                if int(item.pts * video.time_base * 25) == bucket:
                    continue
                bucket = int(item.pts * video.time_base * 25)
                if int(time_s // FRAGMENT_S) != fragment:
                    mouths += [m for t in tracker.finish() for m in mouth_on_grid(t)]
                    fragment = int(time_s // FRAGMENT_S)
                tracker.push(time_s, Rendering.of(to_rgb(item.native, MAX_HEIGHT_PX)))
    mouths += [m for t in tracker.finish() for m in mouth_on_grid(t)]
    return Clip(tuple(mouths), resampled(placed(parts, 0, None), audio.rate_hz, SOUND_HZ))


def mono_weights(channels: tuple[str, ...]) -> Floats:
    """Returns the share of every channel in the mix: the centre, else all but effects."""
    wanted = [name == "FC" for name in channels]
    if not any(wanted) or len(channels) < 3:
        wanted = [not name.startswith("LFE") for name in channels]
    if not any(wanted):
        wanted = [True] * len(channels)
    return (np.array(wanted, np.float32) / sum(wanted)).astype(np.float32)


def placed(parts: list[tuple[int, Floats]], first: int, last: int | None) -> Floats:
    """Returns the samples [first, last) of runs at their places, 0 where there are none."""
    if last is None:
        last = max((start + len(run) for start, run in parts), default=first)
    out = np.zeros(max(0, last - first), np.float32)
    for start, run in parts:
        low, high = max(start, first), min(start + len(run), last)
        if high > low:
            out[low - first : high - first] = run[low - start : high - start]
    return np.nan_to_num(out, nan=0.0, posinf=1.0, neginf=-1.0)
