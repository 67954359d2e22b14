"""Turns what a video decoder gives into frames of a part of the programme, on its clock."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Any

from defectscope.media.captions.caption_bytes import CaptionBytes, caption_bytes_of
from defectscope.media.clocks import BACK_S, ProgrammeClock
from defectscope.media.frames import DecodeEvent, Frame
from defectscope.media.pixels import convert, native_format, planes_of
from defectscope.media.stream import VideoInfo
from defectscope.media.ticks import Ticks

# Right after a new clock, frames that were shown already are left out without a word.
_SPLICE_S = Fraction(1, 2)


class Framer:
    """Turns decoded pictures of one track into frames, holding back the one before the start."""

    def __init__(
        self,
        video: VideoInfo,
        track: int,
        origin_s: Fraction,
        start: Fraction,
        end: Fraction | None,
        *,
        programme: ProgrammeClock,
        view: int = 0,
        untimed: bool = False,
        reordered: bool = False,
        undated: bool = False,
    ) -> None:
        """Prepares for one run of reading.

        Args:
            video: The track's facts.
            track: The track's number.
            origin_s: The container's own time of t = 0, seconds.
            start: First instant wanted.
            end: First instant not wanted; None for the end.
            programme: The programme's clock, shared by all tracks.
            view: 0 for the main video track, else which other.
            untimed: Frames carry no time stamps: they are counted at the nominal rate.
            reordered: Packets carry their order in the file instead of time stamps (AVI).
            undated: Lengths that are stated of frames are those between decoding them, which is
                not how long they stay.
        """
        self._undated = undated
        self.done = False
        self.last_s = 0.0
        self.end_s = 0.0
        self._video, self._track, self._view = video, track, view
        self._base = Fraction(video.time_base)
        self._origin_s = origin_s
        self._origin = origin_s / self._base
        self._programme = programme
        self._untimed = untimed
        self._stamps: list[int] | None = [] if reordered else None
        self._start_ticks = ceil(start / self._base)
        self._end_ticks = None if end is None else ceil(end / self._base)
        self._step = 1 / (video.frame_rate * self._base)
        self._format, self._depth = native_format(video.pixel_format)
        self._held: Frame | None = None
        self._count = 0
        self._last: int | None = None
        self._shown: int | None = None
        self._quiet_until: Fraction | None = None
        self._near = int(BACK_S / self._base) - 1
        self._ticks: Ticks | None = None

    def sent(self, packet: Any) -> None:
        """Notes a packet that goes to the decoder."""
        if self._stamps is not None and packet.pts is not None:
            heapq.heappush(self._stamps, packet.pts)

    def lost(self) -> None:
        """Notes that a packet gave no frame."""
        if self._stamps:
            heapq.heappop(self._stamps)

    def take(self, native: Any) -> Iterator[Frame | CaptionBytes | DecodeEvent]:
        """Takes the next decoded picture; returns the frames and complaints that follow from it."""
        if self.done:
            return
        pts, events = self._placed(native)
        yield from events
        if pts < 0:
            return
        if self._shown is not None and pts <= self._shown:
            # A frame is presented once; time stamps that step back are the stream's fault.
            if pts >= self._start_ticks and not self._in_splice(pts * self._base):
                back_s = float((self._shown - pts) * self._base)
                yield self._event("video_overlap", back_s)
            return
        self._shown = pts
        self.last_s = self._seconds(pts)
        stated = self._stated(native)
        self.end_s = self._seconds(pts + stated) if stated else self._nominal_end_s(pts)
        if self._end_ticks is not None and pts >= self._end_ticks:
            self.done = True
            yield from self.flush()
            return
        yield from self._framed(native, pts)

    def _placed(self, native: Any) -> tuple[int, list[DecodeEvent]]:
        """The time stamp on the programme's clock, and what is to be said of it."""
        stamp = native.pts
        if self._stamps:
            stamp = heapq.heappop(self._stamps)
        if self._untimed:
            # An elementary stream plays at its nominal rate.
            pts = round(self._count * self._step)
            self._count += 1
            self._last = pts
            return pts, []
        expected = self._expected()
        if stamp is None:
            pts = 0 if expected is None else expected
            self._last = pts
            return pts, []
        if expected is not None and (pts := self._gone_on(stamp, expected)) is not None:
            self._last = pts
            return pts, []
        time_s = stamp * self._base - self._origin_s
        expected_s = None if expected is None else expected * self._base
        shifted = self._programme.place(self._track, time_s, expected_s)
        pts = round((time_s + shifted.shift_s) / self._base)
        if shifted.crossed:
            self._quiet_until = pts * self._base + _SPLICE_S
        self._last = pts
        if not shifted.jump_s or pts < self._start_ticks:
            return pts, []
        self.last_s = float(pts * self._base)
        return pts, [self._event("clock_restart", float(shifted.jump_s))]

    def _expected(self) -> int | None:
        """Where the next frame is expected, ticks; None at the start."""
        if self._last is None:
            return None
        whole = self._step.denominator == 1
        return self._last + self._step.numerator if whole else round(self._last + self._step)

    def _gone_on(self, stamp: int, expected: int) -> int | None:
        """The programme's tick of a time stamp that comes about where it is expected."""
        shift_s = self._programme.shift_of(self._track)
        if self._ticks is None or not self._ticks.is_of(self._base, shift_s):
            self._ticks = Ticks(self._base, self._origin_s, shift_s, 1 / self._base)
        pts = self._ticks.units(stamp)
        if abs(pts - expected) > self._near:
            return None
        self._programme.went_on(self._track, *self._ticks.seconds(stamp))
        return pts

    def _seconds(self, ticks: int) -> float:
        """Ticks in seconds, to the nearest number."""
        return ticks * self._base.numerator / self._base.denominator

    def _nominal_end_s(self, pts: int) -> float:
        return float((pts + self._step) * self._base)

    def _stated(self, native: Any) -> int:
        return 0 if self._undated else native.duration or 0

    def _in_splice(self, time_s: Fraction) -> bool:
        return self._quiet_until is not None and time_s <= self._quiet_until

    def _event(self, kind: Any, amount_s: float = 0.0) -> DecodeEvent:
        return DecodeEvent(kind, "video", self.last_s, amount_s, self._track)

    def _framed(self, native: Any, pts: int) -> Iterator[Frame | CaptionBytes | DecodeEvent]:
        video = self._video
        resized = (native.width, native.height) != (video.width, video.height)
        before = pts < self._start_ticks
        # Frames of another size are analyzed at the stream's first one, so that every measure
        # keeps its geometry; that it happened is an event.
        if not before and resized:
            yield self._event("size_change")
        if not before and native.is_corrupt:
            yield self._event("corrupt_frame")
        converted = convert(native, self._format, video.width, video.height)
        frame = Frame(
            pts=pts,
            duration=self._stated(native),
            planes=planes_of(converted, self._depth),
            bit_depth=self._depth,
            corrupt=native.is_corrupt,
            key=native.key_frame,
            flagged_interlaced=native.interlaced_frame,
            size_changed=resized,
            native=converted,
            view=self._view,
        )
        if before:
            self._held = frame
            return
        yield from self.flush()
        if not self._view and (data := caption_bytes_of(native)):
            yield CaptionBytes(self.last_s, data)
        yield frame

    def flush(self) -> Iterator[Frame]:
        """Returns the frame on screen at the start, where nothing followed it."""
        if self._held is not None:
            yield self._held
            self._held = None
