"""Ways in which captions go wrong against real speech, with what is true of each.

A way takes the cues that are right and gives those that are delivered, and the defects and
intervals of what is wrong, seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from defectscope.media.cues import Cue

Wrong = list[tuple[str, float, float]]
Delivered = tuple[list[Cue], Wrong]
Way = Callable[[Sequence[Cue], int, np.random.Generator], Delivered]


def _moved(cues: Sequence[Cue], share: float, by_s: float) -> list[Cue]:
    out = [
        replace(c, start_s=max(0.0, c.start_s * share + by_s), end_s=c.end_s * share + by_s)
        for c in cues
    ]
    return [c for c in out if c.end_s > c.start_s]


def _all_along(cues: Sequence[Cue]) -> Wrong:
    return [("caption_drift", cues[0].start_s, cues[-1].end_s)]


def late_file(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """Captions of a version with a shorter head: late, all along."""
    return _moved(cues, 1.0, (0.4, 0.7, 1.2, 2.0, 3.5)[level - 1]), _all_along(cues)


def early_file(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """Captions of a version with a longer head: early, all along."""
    return _moved(cues, 1.0, -(0.4, 0.7, 1.2, 2.0, 3.5)[level - 1]), _all_along(cues)


def other_speed(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """Captions for 24 frames a second on a version at 25, or the other way round."""
    share = 25 / 24 if rng.random() < 0.5 else 24 / 25
    return _moved(cues, share, 0.0), _all_along(cues)


def counted_without_drop(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """Timecode at 30 read at 29.97, from an hour on whose beginning was set right by hand."""
    return _moved(cues, 1001 / 1000, (0.5, 0.8, 1.0, 1.5, 2.0)[level - 1]), _all_along(cues)


def lost_block(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """A block of the file is gone: captions in a row are missing."""
    count = (2, 3, 4, 6, 9)[level - 1]
    first = int(rng.integers(3, len(cues) - count - 3))
    gone = cues[first : first + count]
    left = [*cues[:first], *cues[first + count :]]
    return left, [("caption_missing", gone[0].start_s, gone[-1].end_s)]


def ends_early(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """The file was cut short: nothing after some point."""
    keep = round(len(cues) * (0.9, 0.85, 0.75, 0.6, 0.5)[level - 1])
    return list(cues[:keep]), [("caption_missing", cues[keep].start_s, cues[-1].end_s)]


def begins_late(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """The first reel's file is lost: captions begin in the second."""
    lost = round(len(cues) * (0.1, 0.15, 0.25, 0.4, 0.5)[level - 1])
    return list(cues[lost:]), [("caption_missing", cues[0].start_s, cues[lost - 1].end_s)]


def one_act_missing(cues: Sequence[Cue], level: int, rng: np.random.Generator) -> Delivered:
    """Between two breaks nobody captioned: a third of the programme in the middle."""
    first, last = (
        len(cues) // 3,
        len(cues) // 3 + round(len(cues) * (0.1, 0.15, 0.2, 0.3, 0.35)[level - 1]),
    )
    left = [*cues[:first], *cues[last:]]
    return left, [("caption_missing", cues[first].start_s, cues[last - 1].end_s)]


WAYS_OF: dict[str, dict[str, Way]] = {
    "caption_drift": {
        "late_file": late_file,
        "early_file": early_file,
        "other_speed": other_speed,
        "counted_without_drop": counted_without_drop,
    },
    "caption_missing": {
        "lost_block": lost_block,
        "ends_early": ends_early,
        "begins_late": begins_late,
        "one_act_missing": one_act_missing,
    },
}
