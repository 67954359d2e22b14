"""Reads a capture of a mezzanine: which frames were shown, when, and how late the sound was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from defectscope.capture.marks import FrameMark, read_marks
from defectscope.capture.mezzanine import RATE_HZ, reference_sound
from defectscope.errors import MediaError
from defectscope.media.limits import Limits
from defectscope.media.main_tracks import main_frames, mono_sound
from defectscope.media.opening import open_media
from defectscope.media.reader import Reader
from defectscope.media.source import MediaLike

SCHEMA = "defectscope/observation/1"
# A frame is late from this share of the capture's interval on: less is where the grid of captures
# happens to lie.
_LATE_INTERVALS = 0.75
# A frame is doubled when it stands for this many of its own durations: with captures at twice the
# rate, three intervals are a late successor, four a repeat.
_DOUBLED = 1.75
_SOUND_WINDOW_S = 1.0
_MIN_PROMINENCE = 2.0


class NoMarksError(MediaError):
    """A capture shows no frame of a mezzanine."""

    code = "no_frame_marks"


@dataclass(frozen=True)
class Observation:
    """What a capture of one mezzanine shows. Frames count from 1.

    Attributes:
        content: Name of the title.
        rate: Its frames a second.
        captured: Captured frames, and how many of them showed a mark.
        first: First frame seen.
        last: Last frame seen.
        dropped: Frames between the two that were never seen.
        doubled: Frames that stood for twice their duration or longer.
        late: Frames that came later than due, by milliseconds.
        start_s: When the first frame was seen, seconds of the capture.
        av_offset_ms: Sound against frame, positive when the sound is late; None without sound.
        resolution_ms: How exact times can be: the interval of the capture.
    """

    content: str
    rate: Fraction
    captured: tuple[int, int]
    first: int
    last: int
    dropped: tuple[int, ...]
    doubled: tuple[int, ...]
    late: dict[int, float]
    start_s: float
    av_offset_ms: float | None
    resolution_ms: float

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "schema": SCHEMA,
            "content": self.content,
            "frame_rate": f"{self.rate.numerator}/{self.rate.denominator}",
            "captured_frames": self.captured[0],
            "captured_with_mark": self.captured[1],
            "first_frame": self.first,
            "last_frame": self.last,
            "dropped": list(self.dropped),
            "doubled": list(self.doubled),
            "late": [{"frame": f, "late_ms": round(ms, 2)} for f, ms in self.late.items()],
            "start_s": round(self.start_s, 6),
            "av_offset_ms": None if self.av_offset_ms is None else round(self.av_offset_ms, 2),
            "resolution_ms": round(self.resolution_ms, 3),
        }

    def to_json(self, indent: int | None = None) -> str:
        """Returns it as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)


def observe(
    media: MediaLike,
    *,
    limits: Limits | None = None,
    progress: Callable[[float], None] | None = None,
) -> Observation:
    """Reads the marks of every captured frame, and places the sound.

    Args:
        media: The capture; at twice the mezzanine's rate for cameras, at its own for files.
        limits: Bounds on what one asset may cost.
        progress: Called with the time reached, in seconds.

    Raises:
        NoMarksError: It shows no mezzanine.
        MediaError: It cannot be read.
    """
    with open_media(media, limits=limits or Limits()) as reader:
        if reader.info.video is None:
            raise NoMarksError(f"{reader.info.uri}: no video")
        seen, times_s = _read(reader, progress)
        marked = [(t, mark) for t, mark in zip(times_s, seen, strict=True) if mark is not None]
        if not marked:
            raise NoMarksError(f"{reader.info.uri}: none of {len(times_s)} frames has a mark")
        interval_s = _interval_s(times_s)
        first_s, last_s = _shown(marked)
        due_s = np.array([mark.media_s for mark in first_s])
        shown_s = np.array(list(first_s.values()))
        delay_s = float(np.median(shown_s - due_s))
        rate = marked[0][1].rate
        return Observation(
            content=marked[0][1].content,
            rate=rate,
            captured=(len(times_s), len(marked)),
            first=min(mark.frame for mark in first_s),
            last=max(mark.frame for mark in first_s),
            dropped=_dropped(first_s),
            doubled=_doubled(first_s, last_s, interval_s, rate),
            late={
                mark.frame: 1000.0 * (at - mark.media_s - delay_s)
                for mark, at in first_s.items()
                if at - mark.media_s - delay_s > _LATE_INTERVALS * interval_s
            },
            start_s=float(shown_s[0]),
            av_offset_ms=_av_offset_ms(reader, delay_s, float(shown_s[-1])),
            resolution_ms=1000.0 * interval_s,
        )


def _read(
    reader: Reader, progress: Callable[[float], None] | None
) -> tuple[list[FrameMark | None], list[float]]:
    """Returns the newest mark of each captured frame, and the times of the captures."""
    video = reader.info.video
    assert video is not None
    seen: list[FrameMark | None] = []
    times_s: list[float] = []
    content = ""
    for frame in main_frames(reader):
        luma = (frame.planes[0].pixels >> (frame.bit_depth - 8)).astype(np.uint8)
        marks = [m for m in read_marks(luma) if not content or m.content == content]
        newest = max(marks, key=lambda mark: mark.frame, default=None)
        content = content or ("" if newest is None else newest.content)
        seen.append(newest)
        times_s.append(float(frame.pts * video.time_base))
        if progress is not None:
            progress(times_s[-1])
    return seen, times_s


def _interval_s(times_s: list[float]) -> float:
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0


def _shown(
    marked: list[tuple[float, FrameMark]],
) -> tuple[dict[FrameMark, float], dict[FrameMark, float]]:
    """Returns when each frame was first and last seen, in the order of their first time."""
    first_s: dict[FrameMark, float] = {}
    last_s: dict[FrameMark, float] = {}
    for at_s, mark in marked:
        first_s.setdefault(mark, at_s)
        last_s[mark] = at_s
    return first_s, last_s


def _dropped(first_s: dict[FrameMark, float]) -> tuple[int, ...]:
    numbers = {mark.frame for mark in first_s}
    return tuple(n for n in range(min(numbers), max(numbers)) if n not in numbers)


def _doubled(
    first_s: dict[FrameMark, float],
    last_s: dict[FrameMark, float],
    interval_s: float,
    rate: Fraction,
) -> tuple[int, ...]:
    longest_s = _DOUBLED / float(rate)
    stood = {mark: last_s[mark] - at + interval_s for mark, at in first_s.items()}
    return tuple(sorted(m.frame for m, length_s in stood.items() if length_s >= longest_s))


def _av_offset_ms(reader: Reader, video_delay_s: float, end_s: float) -> float | None:
    """Returns the median over one-second windows of how late the sound is against the frame."""
    if reader.info.audio is None:
        return None
    recorded = mono_sound(reader, RATE_HZ)
    reference = reference_sound(max(end_s - video_delay_s, _SOUND_WINDOW_S) + 2.0)
    size = 1 << int(len(reference) + RATE_HZ - 1).bit_length()
    spectrum = np.fft.rfft(reference, size)
    delays_s: list[float] = []
    step = round(_SOUND_WINDOW_S * RATE_HZ)
    for start in range(0, len(recorded) - step + 1, step):
        window = recorded[start : start + step]
        correlation = np.fft.irfft(spectrum * np.conj(np.fft.rfft(window, size)), size)
        correlation = correlation[: len(reference) - step + 1]
        peak = int(correlation.argmax())
        rest = np.delete(correlation, slice(max(0, peak - 240), peak + 241))
        if len(rest) and correlation[peak] > _MIN_PROMINENCE * max(float(rest.max()), 1e-12):
            delays_s.append((start - peak) / RATE_HZ)
    if not delays_s:
        return None
    return 1000.0 * (float(np.median(delays_s)) - video_delay_s)
