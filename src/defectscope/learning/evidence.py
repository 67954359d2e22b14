"""Draws what a reviewer looks at and listens to, beside each item: clip, strip, spectrogram, map.

evidence/ID/strip.jpg         five frames across the interval
evidence/ID/clip.mp4          the interval with a second on either side, frames and sound
evidence/ID/clip.wav          the sound alone, where it is the sound that is in question
evidence/ID/spectrogram.jpg   its spectrogram, the ends of the interval marked
evidence/ID/still.jpg         the frame in the middle, to mark the damage on in other tools
evidence/ID/map.jpg           where in the frame the detector saw it
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy import signal

from defectscope.findings import Interval
from defectscope.learning.items import ReviewItem, write_atomically
from defectscope.media import Reader, open_media
from defectscope.media.frames import Frame, Samples
from defectscope.media.stills import encode_jpeg, read_stills
from defectscope.media.writer import AudioEncoding, VideoEncoding, write_clip

FILES = ("strip.jpg", "clip.mp4", "clip.wav", "spectrogram.jpg", "map.jpg", "still.jpg")
# Programme on either side of an interval that is shown with it, seconds.
MARGIN_S = 1.0
_FRAMES, _STRIP_HEIGHT_PX, _STILL_HEIGHT_PX = 5, 180, 540
_SPECTROGRAM_PX = (256, 900)
_RANGE_DB = 80.0
_TILE_PX = 24
# Dark blue over violet and orange to light yellow: brighter is louder, also in print.
_COLOURS = np.array(
    [[4, 6, 28], [60, 15, 110], [150, 38, 105], [225, 95, 60], [252, 180, 80], [252, 250, 200]],
    np.float64,
)


def draw(folder: Path, item: ReviewItem, media: Path, *, about_sound: bool) -> list[str]:
    """Writes the evidence of an item; what is there already stays.

    Args:
        folder: Of the queue.
        item: Which.
        media: The title.
        about_sound: The detector hears and does not see: sound alone is enough.

    Returns:
        Names of the files that it has.

    Raises:
        MediaError: The media cannot be read.
    """
    place = folder / "evidence" / item.id
    made = [name for name in FILES if (place / name).exists()]
    if made:
        return made
    shown = Interval(max(0.0, item.start_s - MARGIN_S), item.end_s + MARGIN_S)
    files: dict[str, bytes] = {}
    with open_media(media) as reader:
        has_video, sound = reader.info.video is not None, b""
        if reader.info.audio is not None and (about_sound or not has_video):
            data, rate_hz = _sound(reader, shown)
            if len(data):
                sound = _wav(data, rate_hz)
                files["clip.wav"] = sound
                marks = (item.start_s - shown.start_s, item.end_s - shown.start_s)
                files["spectrogram.jpg"] = spectrogram(data.mean(axis=1), rate_hz, marks)
    if has_video:
        strip = _strip(media, item.interval)
        if strip is not None:
            files["strip.jpg"] = strip
        middle_s = (item.start_s + item.end_s) / 2
        still = None if about_sound else read_stills(media, [middle_s], _STILL_HEIGHT_PX)[0]
        if still is not None:
            files["still.jpg"] = encode_jpeg(still.rgb)
        if not about_sound:
            files["clip.mp4"] = _clip(place, media, shown)
    drawn = item.evidence.get("map")
    if isinstance(drawn, list):
        files["map.jpg"] = _map(np.array(drawn, np.float64))
    for name, content in files.items():
        write_atomically(place / name, content)
    return list(files)


def spectrogram(sound: NDArray[Any], rate_hz: int, marks: tuple[float, float]) -> bytes:
    """Returns a spectrogram as JPEG: time to the right, 0 Hz at the bottom, 80 dB of range.

    Args:
        sound: (n,) mono.
        rate_hz: Its rate.
        marks: Instants that are marked by white lines, seconds.
    """
    length = min(1024, max(16, len(sound)))
    _, _, power = signal.spectrogram(sound, rate_hz, nperseg=length, noverlap=length // 2)
    level_db = 10 * np.log10(np.maximum(power, 1e-12))
    bright = np.clip((level_db - level_db.max()) / _RANGE_DB + 1, 0, 1)[::-1]
    height, width = _SPECTROGRAM_PX
    rows = np.linspace(0, bright.shape[0] - 1, height).round().astype(int)
    columns = np.linspace(0, bright.shape[1] - 1, width).round().astype(int)
    image = _coloured(np.asarray(bright[np.ix_(rows, columns)], np.float64))
    for mark_s in marks:
        at = round(mark_s * rate_hz / max(len(sound), 1) * (width - 1))
        image[:, max(0, at - 1) : at + 1] = 255
    return encode_jpeg(image)


def _coloured(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Returns values of 0 to 1 as colours, (height, width, 3)."""
    places = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(values, places, _COLOURS[:, k]) for k in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _map(tiles: NDArray[np.float64]) -> bytes:
    largest = max(float(tiles.max()), 1e-9) if tiles.size else 1.0
    wide = np.kron(np.atleast_2d(tiles) / largest, np.ones((_TILE_PX, _TILE_PX)))
    return encode_jpeg(_coloured(np.asarray(np.clip(wide, 0, 1), np.float64)))


def _strip(media: Path, where: Interval) -> bytes | None:
    step_s = where.duration_s / _FRAMES
    times_s = [where.start_s + (k + 0.5) * step_s for k in range(_FRAMES)]
    stills = [still.rgb for still in read_stills(media, times_s, _STRIP_HEIGHT_PX) if still]
    if not stills:
        return None
    height = min(still.shape[0] for still in stills)
    return encode_jpeg(np.concatenate([still[:height] for still in stills], axis=1), 8)


def _sound(reader: Reader, where: Interval) -> tuple[NDArray[np.float32], int]:
    assert reader.info.audio is not None
    rate_hz = reader.info.audio.rate_hz
    runs = [
        item
        for item in reader.read(where.start_s, where.end_s, video=False)
        if isinstance(item, Samples) and item.sound == 0
    ]
    data = [np.nan_to_num(run.data) for run in runs]
    return (np.concatenate(data) if data else np.zeros((0, 1), np.float32)), rate_hz


def _wav(data: NDArray[np.float32], rate_hz: int) -> bytes:
    out = BytesIO()
    channels = data[:, :2] if data.shape[1] <= 2 else data.mean(axis=1, keepdims=True)
    soundfile.write(out, np.clip(channels, -1, 1), rate_hz, "PCM_16", format="WAV")
    return out.getvalue()


def _clip(place: Path, media: Path, where: Interval) -> bytes:
    place.mkdir(parents=True, exist_ok=True)
    part = place / ".clip.partial.mp4"
    try:
        with open_media(media) as frames, open_media(media) as sound:
            video, audio = frames.info.video, frames.info.audio
            assert video is not None
            write_clip(
                part,
                frames=_shifted_frames(frames, where),
                runs=() if audio is None else _shifted_runs(sound, where),
                video=VideoEncoding.like(video, crf=26.0),
                audio=None if audio is None else AudioEncoding.like(audio),
                container_options={"movflags": "faststart"},
            )
        return part.read_bytes()
    finally:
        part.unlink(missing_ok=True)


def _shifted_frames(reader: Reader, where: Interval) -> Iterator[Frame]:
    first: int | None = None
    for item in reader.read(where.start_s, where.end_s, audio=False):
        if isinstance(item, Frame) and item.view == 0:
            first = item.pts if first is None else first
            yield replace(item, pts=item.pts - first)


def _shifted_runs(reader: Reader, where: Interval) -> Iterator[Samples]:
    assert reader.info.audio is not None
    first = round(Fraction(where.start_s).limit_denominator(1_000_000) * reader.info.audio.rate_hz)
    for item in reader.read(where.start_s, where.end_s, video=False):
        if isinstance(item, Samples) and item.sound == 0 and item.start >= first:
            yield replace(item, start=item.start - first)
