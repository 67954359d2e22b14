"""The demo's film: Big Buck Bunny twice, then a drawn face that speaks; and what is done to it.

Lip sync needs lips, which the animation has not: the face is drawn and speaks in step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Samples
from defectscope.media.opening import open_media
from defectscope.media.writer import write_clip
from defectscope.simulate.contract import Truth
from defectscope.simulate.run import DefectJob, impair_file, job, stream_of
from defectscope.simulate.synthetic.drawn_speaker import (
    RATE_FPS,
    phones_of,
    speech_of,
    talking_frames,
)
from defectscope.simulate.synthetic.material import frame_of
from defectscope.simulate.synthetic.soundscape import runs_of

RATE_HZ = 48000
SEED = 7
# One scene of the film at 25 fps, seconds.
SCENE_S = 5.28
SPEAKER_S = 10.0
_ZOOM = 2
_GREY_CODE, _NO_COLOUR_CODE = 60.0, 128.0
_SURROUND = 2


@dataclass(frozen=True, slots=True)
class Made:
    """One fault that is put into the film.

    Attributes:
        defect: Which.
        span: Where; whole frames.
        tolerance_s: What an end of its finding may be off by.
        overrides: Parameters that are stated instead of drawn.
    """

    defect: str
    span: Interval
    tolerance_s: float
    overrides: dict[str, Any] = field(default_factory=dict[str, Any])


# One frame at 25 fps; 20 ms of sound; what networks find, the length of their windows.
FAULTS = (
    Made("black_frames", Interval(0.8, 1.12), 0.04),
    Made("freeze", Interval(2.0, 3.0), 0.04),
    # Every channel, all the way: what a viewer could not miss.
    Made("audio_dropout", Interval(4.0, 4.4), 0.02, {"channel": -1, "ramp_ms": 0.0}),
    Made("block_corruption", Interval(6.4, 7.4), 0.5),
    Made("audio_hum", Interval(7.6, 10.0), 1.0, {"family": "mains"}),
    Made("av_sync", Interval(2 * SCENE_S, 2 * SCENE_S + SPEAKER_S), 2.0, {"offset_ms": 400.0}),
)


def make_clean(scene: Path, destination: Path) -> None:
    """Writes the film before anything is done to it.

    Args:
        scene: The scene of Big Buck Bunny.
        destination: Where to write.
    """
    with open_media(scene) as reader:
        video = reader.info.video
        assert video is not None
        size = (video.height, video.width)
        sound = _stereo([item for item in reader.read(video=False) if isinstance(item, Samples)])
    phones = phones_of(SEED, SPEAKER_S)
    speech = np.repeat(speech_of(phones, SEED, SPEAKER_S, RATE_HZ), 2, axis=1)
    length = round(SCENE_S * RATE_HZ)
    padded = np.zeros((length, 2), np.float32)
    padded[: len(sound)] = sound[:length]
    whole = np.concatenate([padded, padded, speech])

    def frames() -> Iterator[Frame]:
        index = 0
        for _ in range(2):
            with open_media(scene) as again:
                for item in again.read(audio=False):
                    if isinstance(item, Frame):
                        yield replace(item, pts=index, duration=1)
                        index += 1
        for frame in talking_frames(phones, SEED, round(SPEAKER_S * RATE_FPS)):
            yield frame_of(_on_screen(frame, size), index)
            index += 1

    encoding = VideoEncoding(
        size[1], size[0], Fraction(RATE_FPS), crf=18.0, gop_frames=50, preset="veryfast"
    )
    write_clip(
        destination,
        frames=frames(),
        runs=runs_of(whole),
        video=encoding,
        audio=AudioEncoding(RATE_HZ, "stereo"),
    )


def impair(source: Path, target: Path) -> list[Truth]:
    """Writes the film with every fault of `FAULTS`, and returns the truth."""
    stream = stream_of(source)
    jobs: list[DefectJob] = [
        job(
            made.defect,
            stream,
            seed=SEED,
            start_s=made.span.start_s,
            duration_s=made.span.duration_s,
            severity=5.0,
            overrides=made.overrides or None,
        )
        for made in FAULTS
    ]
    return impair_file(source, target, jobs)


def _stereo(runs: list[Samples]) -> NDArray[np.float32]:
    """Returns left and right of 5.1, the centre and the surrounds mixed in."""
    data = np.concatenate([run.data for run in runs])
    if data.shape[1] < 3:
        return data[:, :2] if data.shape[1] == 2 else np.repeat(data, 2, axis=1)
    # Source: ITU-R BS.775-4, annex 4, table 2: both at -3 dB.
    left = data[:, 0] + 0.7071 * data[:, 2] + 0.7071 * data[:, -_SURROUND]
    right = data[:, 1] + 0.7071 * data[:, 2] + 0.7071 * data[:, -1]
    return np.clip(np.stack([left, right], axis=1), -1.0, 1.0).astype(np.float32)


def _on_screen(frame: Frame, size: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Returns a face in the middle of a grey screen."""
    planes: list[NDArray[np.float32]] = []
    for number, plane in enumerate(frame.planes):
        height, width = size if number == 0 else (size[0] // 2, size[1] // 2)
        screen = np.full((height, width), _NO_COLOUR_CODE if number else _GREY_CODE, np.float32)
        face = np.kron(plane.pixels.astype(np.float32), np.ones((_ZOOM, _ZOOM), np.float32))
        top, left = (height - face.shape[0]) // 2, (width - face.shape[1]) // 2
        screen[top : top + face.shape[0], left : left + face.shape[1]] = face
        planes.append(screen)
    return planes
