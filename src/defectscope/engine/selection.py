"""Picks the frames that a network looks at: one choice per bucket of absolute programme time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.engine.contracts import FrameSelection
from defectscope.media.frames import Frame, Rendering, RgbFrame
from defectscope.media.pixels import to_rgb


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A frame, the one before it, and the feature that ranks them both."""

    frame: Frame
    previous: Frame | None
    values: NDArray[np.float64]
    values_before: NDArray[np.float64]


class Selector:
    """Holds at most `per_bucket` frames (and those before them) until their bucket ends."""

    def __init__(self, selection: FrameSelection, time_base: Fraction) -> None:
        self.selection = selection
        bucket = Fraction(selection.bucket_s).limit_denominator(1_000_000)
        self._ticks_per_bucket = bucket / time_base
        self._bucket: int | None = None
        self._kept: list[tuple[float, int, Frame, Frame | None]] = []
        self._latest: _Candidate | None = None

    def take(self, frame: Frame, values: NDArray[Any]) -> tuple[RgbFrame, ...]:
        """Takes the next frame; returns the rgb_frames of the bucket that it ends, if it does.

        Args:
            frame: The frame.
            values: What ranks it: the largest counts, or the one that stands out.
        """
        # A copy: what the engine measures into is used again.
        fresh = np.array(values, np.float64)
        before = self._latest
        if before is not None:
            self._admit(before, fresh)
        bucket = int(frame.pts // self._ticks_per_bucket)
        ended: tuple[RgbFrame, ...] = ()
        if bucket != self._bucket:
            ended = self._emptied()
            self._bucket = bucket
        self._latest = _Candidate(
            frame,
            None if before is None or not self.selection.with_previous else before.frame,
            fresh,
            fresh if before is None else before.values,
        )
        return ended

    def _admit(self, latest: _Candidate, values_after: NDArray[np.float64]) -> None:
        values = latest.values
        if self.selection.sudden:
            values = values - np.minimum(latest.values_before, values_after)
        # Highest suspicion first, then earliest: a choice that no chunking can change.
        rank = -float(values.max())
        self._kept.append((rank, latest.frame.pts, latest.frame, latest.previous))
        if len(self._kept) > self.selection.per_bucket:
            self._kept.remove(max(self._kept, key=lambda c: c[:2]))

    def flush(self) -> tuple[RgbFrame, ...]:
        """Returns the rgb_frames of the bucket under way, ordered by time."""
        if self._latest is not None:
            self._admit(self._latest, self._latest.values)
            self._latest = None
        return self._emptied()

    def _emptied(self) -> tuple[RgbFrame, ...]:
        shown: dict[int, Rendering] = {}

        def rendering(frame: Frame) -> Rendering:
            # Neighbours among the chosen share a frame.
            if frame.pts not in shown:
                native, limit_px = frame.native, self.selection.max_height_px
                held_bytes = sum(plane.data.nbytes for plane in frame.planes)
                shown[frame.pts] = Rendering(lambda: to_rgb(native, limit_px), held_bytes)
            return shown[frame.pts]

        rgb_frames = tuple(
            RgbFrame(
                pts,
                rendering(frame),
                None if before is None else rendering(before),
                frame.planes[0] if self.selection.luma else None,
                before.planes[0] if self.selection.luma and before is not None else None,
            )
            for _, pts, frame, before in sorted(self._kept, key=lambda c: c[1])
        )
        self._kept.clear()
        return rgb_frames
