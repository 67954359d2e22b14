"""Picks the frames that a network looks at: one choice per bucket of absolute programme time."""

from __future__ import annotations

from fractions import Fraction

from defectscope.detection.contracts import PictureSelection
from defectscope.media.frames import Frame, RgbPicture
from defectscope.media.pixels import to_rgb


class Selector:
    """Holds at most `per_bucket` frames (and those before them) until their bucket ends."""

    def __init__(self, selection: PictureSelection, time_base: Fraction) -> None:
        self.selection = selection
        bucket = Fraction(selection.bucket_s).limit_denominator(1_000_000)
        self._ticks_per_bucket = bucket / time_base
        self._bucket: int | None = None
        self._candidates: list[tuple[float, int, Frame, Frame | None]] = []
        self._previous: Frame | None = None

    def take(self, frame: Frame, suspicion: float) -> tuple[RgbPicture, ...]:
        """Takes the next frame; gives the pictures of the bucket that it ends, if it does."""
        bucket = int(frame.pts // self._ticks_per_bucket)
        ended: tuple[RgbPicture, ...] = ()
        if bucket != self._bucket:
            ended = self.flush()
            self._bucket = bucket
        # Highest suspicion first, then earliest: a choice that no chunking can change.
        self._candidates.append((-suspicion, frame.pts, frame, self._previous))
        if len(self._candidates) > self.selection.per_bucket:
            self._candidates.remove(max(self._candidates, key=lambda c: c[:2]))
        if self.selection.with_previous:
            self._previous = frame
        return ended

    def flush(self) -> tuple[RgbPicture, ...]:
        """Gives the pictures of the bucket under way, ordered by time."""
        height = self.selection.max_height_px
        pictures = tuple(
            RgbPicture(
                pts=pts,
                rgb=to_rgb(frame.native, height),
                previous_rgb=None if before is None else to_rgb(before.native, height),
            )
            for _, pts, frame, before in sorted(self._candidates, key=lambda c: c[1])
        )
        self._candidates.clear()
        return pictures
