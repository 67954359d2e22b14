"""Impairs files: decodes what must be decoded, copies the rest, writes the truth beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media import Reader, open_media
from defectscope.media.frames import Frame, Samples
from defectscope.media.interleave import interleave
from defectscope.media.sidecar import read_captions
from defectscope.media.stream import AudioInfo, StreamInfo, VideoInfo
from defectscope.media.writer import AudioEncoding, VideoEncoding, Writer
from defectscope.simulate.contract import (
    AudioSimulator,
    CaptionSimulator,
    ContainerSimulator,
    Plan,
    Simulator,
    Truth,
    VideoSimulator,
)
from defectscope.simulate.effects.caption_text import SUFFIXES
from defectscope.simulate.registry import simulator

Progress = Callable[[float], None]

# Sound that a container of this suffix can hold when the source's own codec is not offered.
_AUDIO_CODECS = {
    ".wav": "pcm_s16le",
    ".flac": "flac",
    ".ogg": "libvorbis",
    ".mp3": "libmp3lame",
    ".webm": "libopus",
}
_KEPT_CODECS = {"flac", "ac3", "pcm_s16le", "pcm_s24le", "pcm_f32le"}
_PCM_SUFFIXES = {".wav", ".mov", ".mkv", ".mxf", ".avi"}
# A defect that nobody placed lies in the middle, this long at most.
_DEFAULT_SPAN_S = 4.0


@dataclass(frozen=True, slots=True)
class DefectJob:
    """One defect to make in a file."""

    simulator: Simulator[Any]
    plan: Plan[Any]


def stream_of(source: Path) -> StreamInfo:
    """Returns the facts of a media or side-car file.

    Raises:
        MediaNotFoundError: There is no such file.
        UnreadableMediaError: It is neither media nor captions.
        CaptionsError: It is a side-car file that cannot be read.
    """
    if source.suffix.lower() in SUFFIXES.values():
        cues = read_captions(source).cues
        end_s = max((cue.end_s for cue in cues), default=0.0)
        return StreamInfo(source.name, "captions", end_s, None, None, has_captions=True)
    with open_media(source) as reader:
        return reader.info


def job(
    defect: str | Simulator[Any],
    stream: StreamInfo,
    *,
    seed: int,
    start_s: float | None = None,
    duration_s: float | None = None,
    severity: float = 3.0,
    overrides: Mapping[str, Any] | None = None,
) -> DefectJob:
    """Plans one defect.

    Args:
        defect: Name of a registered simulator, or a simulator.
        stream: Facts of the file.
        seed: Seeds drawing and applying.
        start_s: Where it starts; None centres it.
        duration_s: How long it lasts; None is a third of the file, at most 4 s.
        severity: 1 to 5.
        overrides: Parameters to set by name.

    Raises:
        UnknownDetectorError: There is no such simulator.
        InvalidParameterError: The defect does not fit the file or its parameters their ranges.
    """
    made = simulator(defect) if isinstance(defect, str) else defect
    total_s = stream.duration_s
    if total_s <= 0:
        raise InvalidParameterError(f"{stream.uri}: nothing to impair, its length is zero")
    if start_s is not None and not 0 <= start_s < total_s:
        raise InvalidParameterError(f"{start_s:g} s is not within the {total_s:.3f} s of the file")
    if duration_s is None:
        duration_s = min(_DEFAULT_SPAN_S, total_s / 3)
    if start_s is None:
        start_s = max(0.0, (total_s - duration_s) / 2)
    if duration_s <= 0:
        raise InvalidParameterError("the duration must be more than zero")
    span = Interval(start_s, min(total_s, start_s + duration_s))
    plan = made.plan(stream, span, seed=seed, severity=severity, overrides=overrides)
    return DefectJob(made, plan)


def impair_file(
    source: Path, destination: Path, jobs: Sequence[DefectJob], progress: Progress | None = None
) -> list[Truth]:
    """Makes defects in a copy of a file.

    Frames and sound are decoded only where a job changes them; what no job touches is copied
    packet by packet. Jobs on the same medium are applied in the order given.

    Args:
        source: A media file or a side-car file.
        destination: Where to write; its suffix names the container.
        jobs: What to make, all on frames and sound, or a single one on captions or the container.
        progress: Called with the share done, 0 to 1.

    Returns:
        The truth, ordered by start.

    Raises:
        InvalidParameterError: Source and destination are one file, jobs do not go together, or the
            container cannot hold the result.
    """
    if source.resolve() == destination.resolve():
        raise InvalidParameterError("the impaired file must not be written over its source")
    truth: list[Truth] = []
    try:
        _impair(source, destination, jobs, truth, progress or (lambda _share: None))
    except OSError as error:
        destination.unlink(missing_ok=True)
        reason = (error.strerror or str(error)).lower()
        raise InvalidParameterError(f"{destination}: {reason}") from None
    except BaseException:
        # Half a file must not be mistaken for a whole one.
        destination.unlink(missing_ok=True)
        raise
    return sorted(truth, key=lambda entry: (entry.start_s, entry.end_s))


def _impair(
    source: Path,
    destination: Path,
    jobs: Sequence[DefectJob],
    truth: list[Truth],
    progress: Progress,
) -> None:
    first = jobs[0].simulator if jobs else None
    if isinstance(first, CaptionSimulator | ContainerSimulator):
        if len(jobs) > 1:
            raise InvalidParameterError(f"{first.name} cannot be combined with other defects")
        if isinstance(first, ContainerSimulator):
            first.apply(source, destination, jobs[0].plan, truth)
        else:
            captions = read_captions(source)
            wanted = {v: k for k, v in SUFFIXES.items()}.get(destination.suffix.lower())
            captions = replace(captions, format=wanted or captions.format)
            destination.write_bytes(first.apply(captions, jobs[0].plan, truth))
        progress(1.0)
        return
    video_jobs = [j for j in jobs if isinstance(j.simulator, VideoSimulator)]
    audio_jobs = [j for j in jobs if isinstance(j.simulator, AudioSimulator)]
    if len(video_jobs) + len(audio_jobs) < len(jobs) or not jobs:
        raise InvalidParameterError("only defects of video and sound can be combined")
    with open_media(source) as frames, open_media(source) as sounds:
        _reencode(source, destination, (frames, sounds), video_jobs, audio_jobs, truth, progress)


def _reencode(
    source: Path,
    destination: Path,
    readers: tuple[Reader, Reader],
    video_jobs: Sequence[DefectJob],
    audio_jobs: Sequence[DefectJob],
    truth: list[Truth],
    progress: Progress,
) -> None:
    info = readers[0].info
    video = video_encoding(info.video) if info.video is not None and video_jobs else None
    audio = None
    if info.audio is not None and audio_jobs:
        audio = audio_encoding(info.audio, destination.suffix.lower())
    frames: Iterable[Frame] = ()
    if video is not None:
        frames = (i for i in readers[0].read(audio=False) if isinstance(i, Frame))
        for each in video_jobs:
            made = cast("VideoSimulator[Any]", each.simulator)
            frames = made.apply(frames, each.plan, truth)
    runs: Iterable[Samples] = ()
    if audio is not None:
        runs = (i for i in readers[1].read(video=False) if isinstance(i, Samples))
        for each in audio_jobs:
            made_sound = cast("AudioSimulator[Any]", each.simulator)
            runs = made_sound.apply(runs, each.plan, truth)
    with Writer(destination, video=video, audio=audio) as writer:
        # What is written anew starts at t = 0; what is copied must follow.
        if info.audio is not None and audio is None:
            writer.copy_from(source, "audio", shift_s=-info.video_start_s)
        if info.video is not None and video is None:
            writer.copy_from(source, "video", shift_s=-info.video_start_s)
        tick_s = info.video.time_base if info.video is not None else Fraction(1)
        rate_hz = info.audio.rate_hz if info.audio is not None else 1
        for item, time_s in interleave(frames, runs, tick_s=tick_s, rate_hz=rate_hz):
            if isinstance(item, Frame):
                writer.write_frame(item)
            else:
                writer.write_samples(item)
            progress(min(1.0, float(time_s) / info.duration_s) if info.duration_s else 1.0)
    progress(1.0)


def video_encoding(video: VideoInfo) -> VideoEncoding:
    """Returns the encoding for impaired frames: fine enough to keep the defect as it was made.

    One thread, because with several the same seed does not give the same frames.
    """
    codec = "libx265" if video.codec == "hevc" else "libx264"
    return VideoEncoding.like(video, codec=codec, crf=16.0, threads=1)


def audio_encoding(audio: AudioInfo, suffix: str) -> AudioEncoding:
    """Returns the encoding for impaired sound: the source's codec where the file can hold it."""
    codec = audio.codec
    if codec not in _KEPT_CODECS or (codec.startswith("pcm") and suffix not in _PCM_SUFFIXES):
        codec = _AUDIO_CODECS.get(suffix, "aac")
    elif suffix in _AUDIO_CODECS and not (suffix == ".wav" and codec.startswith("pcm")):
        codec = _AUDIO_CODECS[suffix]
    bit_rate = 96_000 * len(audio.channels) if codec in ("aac", "ac3", "libmp3lame") else None
    return AudioEncoding.like(audio, codec=codec, bit_rate=bit_rate)


def truth_path(destination: Path) -> Path:
    """Returns where the truth of an impaired file is written."""
    return destination.with_name(destination.name + ".truth.json")


def write_truth(destination: Path, truth: Sequence[Truth]) -> Path:
    """Writes the truth beside an impaired file and gives its path."""
    path = truth_path(destination)
    body = {"defects": [entry.to_dict() for entry in truth]}
    path.write_text(json.dumps(body, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return path


def simulate_file(
    defect: str,
    source: Path,
    destination: Path,
    *,
    seed: int = 0,
    start_s: float | None = None,
    duration_s: float | None = None,
    severity: float = 3.0,
    overrides: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Truth]:
    """Makes one defect in a copy of a file and writes the truth beside it.

    Args:
        defect: Name of the simulator.
        source: A media file, or a side-car file for defects of captions.
        destination: Where to write.
        seed: Seeds drawing and applying.
        start_s: Where it starts; None centres it.
        duration_s: How long it lasts; None is a third of the file, at most 4 s.
        severity: 1 (barely perceptible) to 5 (gross).
        overrides: Parameters to set by name.
        progress: Called with the share done, 0 to 1.

    Raises:
        UnknownDetectorError: There is no such simulator.
        InvalidParameterError: The defect does not fit the file or its parameters their ranges.
        MediaError: The source cannot be read.
    """
    planned = job(
        defect,
        stream_of(source),
        seed=seed,
        start_s=start_s,
        duration_s=duration_s,
        severity=severity,
        overrides=overrides,
    )
    truth = impair_file(source, destination, [planned], progress)
    write_truth(destination, truth)
    return truth
