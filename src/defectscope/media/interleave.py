"""Pictures and sound in one order of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

from defectscope.media.frames import Frame, Samples


def interleave(
    frames: Iterable[Frame], runs: Iterable[Samples], *, tick_s: Fraction, rate_hz: int
) -> Iterator[tuple[Frame | Samples, Fraction]]:
    """Gives frames and runs ordered by when they begin, each with that time in seconds.

    Args:
        frames: Pictures in order.
        runs: Sound in order.
        tick_s: Seconds per tick of the frames.
        rate_hz: Samples a second.
    """
    pictures = ((frame, frame.pts * tick_s) for frame in frames)
    sounds = ((run, Fraction(run.start, rate_hz)) for run in runs)
    picture, sound = next(pictures, None), next(sounds, None)
    while picture is not None or sound is not None:
        if picture is not None and (sound is None or picture[1] <= sound[1]):
            yield picture
            picture = next(pictures, None)
        elif sound is not None:
            yield sound
            sound = next(sounds, None)
