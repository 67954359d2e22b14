"""What an alignment of two versions says: which frame of one is which of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.compare.window import Window
from defectscope.errors import MediaError
from defectscope.findings import Interval


class NotComparableError(MediaError):
    """Two assets are not versions of one title, or lack what a comparison of them needs."""

    code = "not_comparable"


@dataclass(frozen=True)
class Edit:
    """A run of frames that one version has and the other lacks.

    Attributes:
        kind: `removed` (the candidate lacks it), `inserted` (only the candidate has it) or `held`
            (the candidate stands still).
        interval: When, in seconds of the version that has it.
        base_frame: Frame of the baseline at which it lies.
        frames: How many frames.
    """

    kind: str
    interval: Interval
    base_frame: int
    frames: int

    def to_dict(self) -> dict[str, Any]:
        """Returns it as in the comparison's JSON."""
        return {
            "kind": self.kind,
            "start_s": round(self.interval.start_s, 6),
            "end_s": round(self.interval.end_s, 6),
            "base_frame": self.base_frame,
            "frames": self.frames,
        }


@dataclass(frozen=True)
class Alignment:
    """How the frames of a candidate map to those of its baseline.

    Attributes:
        paired: (baseline frames,) frame of the candidate, or -1 where it has none.
        offset_frames: Frames of the candidate before its first frame that the baseline has,
            less the baseline's frames before that: positive when the candidate begins earlier.
        offset_s: The same in seconds.
        speed: Seconds of baseline shown in a second of the candidate; 1.0427 for 24 shown at 25.
        dropped: Frames of the baseline that the candidate lacks.
        doubled: Frames of the baseline that the candidate shows once more; several times in it
            for several repeats.
        edits: Longer differences.
        window: The part of the baseline's active area that the candidate shows.
        rate_conversion: Whether frames are repeated or left out to reach another frame rate; they
            are then not listed.
        shared: Share of the shorter version's frames that are paired.
        base_times_s: (pairs,) times in the baseline, ascending.
        candidate_times_s: (pairs,) times of the same frames in the candidate.
    """

    paired: NDArray[np.int64]
    offset_frames: int
    offset_s: float
    speed: float
    dropped: tuple[int, ...]
    doubled: tuple[int, ...]
    edits: tuple[Edit, ...]
    window: Window
    rate_conversion: bool
    shared: float
    base_times_s: NDArray[np.float64]
    candidate_times_s: NDArray[np.float64]

    def to_base_s(self, candidate_s: float) -> float:
        """Returns the time in the baseline of a time in the candidate, seconds."""
        at = np.interp(candidate_s, self.candidate_times_s, self.base_times_s)
        ends = self.candidate_times_s[[0, -1]]
        outside = candidate_s - float(np.clip(candidate_s, ends[0], ends[1]))
        return float(at) + outside * self.speed

    def to_dict(self) -> dict[str, Any]:
        """Returns it as in the comparison's JSON."""
        return {
            "offset_frames": self.offset_frames,
            "offset_s": round(self.offset_s, 6),
            "speed": round(self.speed, 6),
            "dropped": list(self.dropped),
            "doubled": list(self.doubled),
            "edits": [edit.to_dict() for edit in self.edits],
            "window": {k: round(v, 4) for k, v in vars(self.window).items()},
            "rate_conversion": self.rate_conversion,
            "shared": round(self.shared, 4),
        }
