"""Positive clips: for every detector a few seconds in which its own simulator made its defect.

A detector that needs nothing special gets the default: the first simulator that makes its first
defect, applied to the middle of a moving film with stereo music. What differs stands in `RECIPES`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.registry import detector_class
from defectscope.errors import UnknownDetectorError
from defectscope.findings import Interval
from defectscope.media.cues import Cue
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Samples
from defectscope.media.stream import StreamInfo
from defectscope.media.writer import write_clip
from defectscope.simulate.contract import (
    AudioSimulator,
    CaptionSimulator,
    ContainerSimulator,
    Simulator,
    Truth,
    VideoSimulator,
)
from defectscope.simulate.effects.arrays import audio_stream, video_stream
from defectscope.simulate.effects.caption_text import caption_bytes
from defectscope.simulate.registry import simulator, simulators
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.drawn_speaker import (
    SIDE_PX,
    phones_of,
    speech_of,
    talking_frames,
)
from defectscope.simulate.synthetic.material import Footage, Look
from defectscope.simulate.synthetic.soundscape import music_like, runs_of, speech_like

SEED = 7
RATE = Fraction(25)
RATE_HZ = 48_000
WIDTH_PX, HEIGHT_PX = 320, 176
_STREAM_SUFFIX = ".ts"
# Defects that need somebody who speaks.
_OF_SPEAKERS = ("av_sync",)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a detector's positive clip is made.

    Attributes:
        defect: Name of the simulator.
        severity: 1 to 5.
        overrides: Parameters of the simulator to set by name.
        look: How the film looks before it is impaired.
        cuts_s: Where the film changes scenes, seconds.
        length_s: Length of the clip, seconds.
        span: Where the defect is made, seconds.
        crf: Constant quality of x264; finer where the encoder would hide the defect.
    """

    defect: str
    severity: float = 4.0
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    look: Look = field(default_factory=Look)
    cuts_s: tuple[float, ...] = (4.4,)
    length_s: float = 6.0
    span: Interval = field(default_factory=lambda: Interval(2.0, 3.6))
    crf: float = 18.0


# A camera that hardly moves: a step in colour, noise or banding is then no change of scene.
_STEADY = {"pan_px_per_s": (12.0, 2.0), "objects": 1, "object_px_per_s": 30.0}

RECIPES: Mapping[str, Recipe] = {
    "audio_artifacts": Recipe("audio_hum"),
    "av_sync": Recipe(
        "av_sync",
        overrides={"offset_ms": 300.0},
        length_s=12.0,
        span=Interval(0.0, 12.0),
        crf=14.0,
    ),
    "banding": Recipe(
        "banding",
        severity=5.0,
        overrides={"dark_only": False, "step_code": 6.0},
        look=Look(sky=0.6, noise_code=0.8),
        cuts_s=(),
        crf=10.0,
    ),
    "caption_quality": Recipe("caption_overlap", length_s=24.0, span=Interval(8.0, 16.0)),
    "color_error": Recipe(
        "color_error",
        overrides={"kind": "cast"},
        look=Look(saturation_code=22.0, **cast("Any", _STEADY)),
        cuts_s=(),
    ),
    "loudness": Recipe("true_peak"),
    "spatial_image": Recipe("spatial_image", overrides={"kind": "delay", "delay_ms": 5.0}),
    "stereo_image": Recipe("channel_missing"),
    "video_noise": Recipe(
        "video_noise",
        overrides={"kind": "gaussian", "sigma_code": 8.0, "dots": 0.0},
        look=Look(noise_code=0.8, sky=0.4),
        cuts_s=(),
        crf=10.0,
    ),
}


@dataclass(frozen=True, slots=True)
class PositiveClip:
    """A clip with a defect in it.

    Attributes:
        media: The media file.
        captions: Its side-car captions, None where the detector reads none.
        truth: What was made, and where.
    """

    media: Path
    captions: Path | None
    truth: tuple[Truth, ...]


def recipe_of(detector: str) -> Recipe:
    """Returns the recipe of a detector's positive clip.

    Raises:
        UnknownDetectorError: There is no such detector, or nothing simulates its first defect.
    """
    if detector in RECIPES:
        return RECIPES[detector]
    defect = detector_class(detector).defects[0]
    for name, made in simulators().items():
        if defect in made.defects:
            return Recipe(name)
    raise UnknownDetectorError(f"no simulator makes {defect!r} of {detector}")


def positive_clip(detector: str, folder: Path) -> PositiveClip:
    """Makes a detector's positive clip; the same bytes on every run of one machine.

    Args:
        detector: Name of the detector.
        folder: Where to write.

    Raises:
        UnknownDetectorError: There is no such detector, or nothing simulates its first defect.
    """
    recipe = recipe_of(detector)
    made = simulator(recipe.defect)
    if isinstance(made, CaptionSimulator):
        return _with_captions(detector, recipe, folder)
    if isinstance(made, ContainerSimulator):
        film = folder / f"{detector}.film.mp4"
        _write(film, recipe, None, [], _film(recipe))
        path = folder / f"{detector}{_STREAM_SUFFIX}"
        return PositiveClip(path, None, tuple(_impaired(film, path, recipe)))
    path = folder / f"{detector}.mp4"
    truth: list[Truth] = []
    source = _speaker(recipe) if recipe.defect in _OF_SPEAKERS else _film(recipe)
    _write(path, recipe, made, truth, source)
    return PositiveClip(path, None, tuple(truth))


@dataclass(frozen=True, slots=True)
class _Source:
    """Frames at 25 a second and sound at 48 kHz before they are impaired."""

    width_px: int
    height_px: int
    frames: Iterable[Frame]
    sound: NDArray[np.float32]


def _film(recipe: Recipe) -> _Source:
    sound = _music(recipe.length_s).copy()
    return _Source(WIDTH_PX, HEIGHT_PX, _shot(recipe.length_s, recipe.cuts_s, recipe.look), sound)


# Most detectors share one film, which is drawn once.
@lru_cache(maxsize=1)
def _shot(length_s: float, cuts_s: tuple[float, ...], look: Look) -> tuple[Frame, ...]:
    frames = round(length_s * RATE)
    shot = tuple(
        Footage(
            seed=SEED,
            width=WIDTH_PX,
            height=HEIGHT_PX,
            rate=RATE,
            frames=frames,
            cuts_s=cuts_s,
            look=look,
        )
    )
    for frame in shot:
        for plane in frame.planes:
            plane.data.flags.writeable = False
    return shot


@lru_cache(maxsize=1)
def _music(length_s: float) -> NDArray[np.float32]:
    return music_like(SEED, length_s, RATE_HZ)


def _speaker(recipe: Recipe) -> _Source:
    phones = phones_of(SEED, recipe.length_s)
    frames = talking_frames(phones, SEED, round(recipe.length_s * RATE))
    return _Source(SIDE_PX, SIDE_PX, frames, speech_of(phones, SEED, recipe.length_s, RATE_HZ))


def _stream(recipe: Recipe, source: _Source) -> StreamInfo:
    frames = round(recipe.length_s * RATE)
    silent = video_stream(source.width_px, source.height_px, frames, RATE)
    sound = audio_stream(len(source.sound), source.sound.shape[1], RATE_HZ)
    return replace(silent, audio=sound.audio, audio_duration_s=sound.duration_s)


def _write(
    path: Path, recipe: Recipe, made: Simulator[Any] | None, truth: list[Truth], source: _Source
) -> None:
    """Writes open-GOP H.264 and AAC, impaired in between: no second generation of encoding."""
    frames: Iterable[Frame] = source.frames
    runs: Iterable[Samples] = runs_of(source.sound)
    if made is not None:
        plan = made.plan(
            _stream(recipe, source),
            recipe.span,
            seed=SEED,
            severity=recipe.severity,
            overrides=recipe.overrides,
        )
        if isinstance(made, VideoSimulator):
            frames = made.apply(frames, plan, truth)
        elif isinstance(made, AudioSimulator):
            runs = made.apply(runs, plan, truth)
    video = VideoEncoding(
        source.width_px,
        source.height_px,
        RATE,
        crf=recipe.crf,
        gop_frames=30,
        b_frames=3,
        open_gop=True,
    )
    # Without noise substitution, whose random generator no pre-roll restores (docs/invariants.md).
    layout = "mono" if source.sound.shape[1] == 1 else "stereo"
    audio = AudioEncoding(RATE_HZ, layout, options={"aac_pns": "0"})
    write_clip(path, frames=frames, runs=runs, video=video, audio=audio)


def _impaired(source: Path, destination: Path, recipe: Recipe) -> list[Truth]:
    plan = job(
        recipe.defect,
        stream_of(source),
        seed=SEED,
        start_s=recipe.span.start_s,
        duration_s=recipe.span.duration_s,
        severity=recipe.severity,
        overrides=recipe.overrides,
    )
    return impair_file(source, destination, [plan])


def _with_captions(detector: str, recipe: Recipe, folder: Path) -> PositiveClip:
    """Writes a voice with pauses, and captions of it that are impaired."""
    sound = np.zeros((round(recipe.length_s * RATE_HZ), 1), np.float32)
    cues: list[Cue] = []
    for index, start_s in enumerate(np.arange(0.5, recipe.length_s - 3.0, 3.0)):
        phrase = speech_like(SEED + index, 2.2, RATE_HZ)
        at = round(float(start_s) * RATE_HZ)
        sound[at : at + len(phrase)] += phrase
        cues.append(Cue(float(start_s), float(start_s) + 2.2, (f"Phrase {index + 1} is spoken.",)))
    media = folder / f"{detector}.wav"
    write_clip(media, runs=runs_of(sound), audio=AudioEncoding(RATE_HZ, "mono", "pcm_s16le"))
    clean = folder / f"{detector}.clean.srt"
    clean.write_bytes(caption_bytes(cues, "srt"))
    captions = folder / f"{detector}.srt"
    return PositiveClip(media, captions, tuple(_impaired(clean, captions, recipe)))
