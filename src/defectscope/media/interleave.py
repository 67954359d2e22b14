"""Frames and sound in one order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from defectscope.media.frames import Frame, Samples


def interleave(
    frames: Iterable[Frame], runs: Iterable[Samples], *, tick_s: Fraction, rate_hz: int
) -> Iterator[tuple[Frame | Samples, Fraction]]:
    """Returns frames and runs ordered by when they begin, each with that time in seconds.

    Args:
        frames: Frames in order.
        runs: Sound in order.
        tick_s: Seconds per tick of the frames.
        rate_hz: Samples a second.
    """
    timed_frames = ((frame, frame.pts * tick_s) for frame in frames)
    sounds = ((run, Fraction(run.start, rate_hz)) for run in runs)
    frame, sound = next(timed_frames, None), next(sounds, None)
    while frame is not None or sound is not None:
        if frame is not None and (sound is None or frame[1] <= sound[1]):
            yield frame
            frame = next(timed_frames, None)
        elif sound is not None:
            yield sound
            sound = next(sounds, None)
