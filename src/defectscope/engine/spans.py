"""What each detector looks at of an interval, where another one has more read around it.

lip sync      |-------- 7 s --------|==== interval ====|-------- 7 s --------|
blocks                       |- 2 s-|==== interval ====|-1 s|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from defectscope.engine.contracts import Chunk, Needs, VideoChunk
from defectscope.media.frames import RgbFrame
from defectscope.media.stream import StreamInfo


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a programme that a detector looks at.

    Attributes:
        begin_s: First instant, in seconds.
        end_s: Last instant.
    """

    begin_s: float
    end_s: float

    @staticmethod
    def of(needs: Needs, start_s: float | None, end_s: float | None, around_s: float) -> Span:
        """Returns what must be seen to measure an interval.

        Args:
            needs: Of the detector.
            start_s: First instant of the interval; None for the programme's beginning.
            end_s: First instant after it; None for the programme's end.
            around_s: How much is measured on either side of it as well.
        """
        return Span(
            -np.inf if start_s is None else start_s - needs.context_before_s - around_s,
            np.inf if end_s is None else end_s + needs.context_after_s + around_s,
        )

    def of_frames(self, rgb_frames: Sequence[RgbFrame], stream: StreamInfo) -> list[RgbFrame]:
        """Returns the chosen frames that lie in the span."""
        if stream.video is None:
            return []
        tick_s = float(stream.video.time_base)
        return [f for f in rgb_frames if self.begin_s <= f.pts * tick_s <= self.end_s]


class Gate:
    """Lets through what a detector looks at of one stream, chunk by chunk.

    Args:
        span: What it looks at.
        stream: Facts of the stream.
    """

    def __init__(self, span: Span, stream: StreamInfo) -> None:
        self.span = span
        self._stream = stream
        # The last chunks before the span: a frame of theirs may stay on screen into it.
        self._before: list[Chunk] = []
        # Frames may come later than sound that is presented with them.
        self._begun = False

    def admitted(self, chunk: Chunk) -> list[Chunk]:
        """Returns the chunks to look at now: those that reach into the span, and the one before.

        Of later ones, that is the frames chosen in the span, which come once their bucket has
        ended.
        """
        held = _held(chunk, self._stream)
        if held is None:
            return [chunk]
        if not self._begun and held.end_s < self.span.begin_s:
            has_frames = chunk.video is not None and len(chunk.video.pts) > 0
            if has_frames or self._stream.video is None:
                self._before.clear()
            self._before.append(chunk)
            return []
        shown = self.rest()
        if held.begin_s <= self.span.end_s:
            return [*shown, chunk]
        frames = () if chunk.video is None else chunk.video.rgb_frames
        late = self.span.of_frames(frames, self._stream)
        return [*shown, Chunk(video=only_rgb_frames(late))] if late else shown

    def rest(self) -> list[Chunk]:
        """Returns what is held back from before the span; nothing is held back after."""
        self._begun = True
        rest, self._before = self._before, []
        return rest


def _held(chunk: Chunk, stream: StreamInfo) -> Span | None:
    """Returns the first and last instant of a chunk, None where it has no frame and no sound."""
    instants: list[float] = []
    if stream.video is not None and chunk.video is not None and len(chunk.video.pts):
        tick_s = float(stream.video.time_base)
        instants += [int(pts) * tick_s for pts in chunk.video.pts[[0, -1]]]
    if stream.audio is not None and chunk.audio:
        last = chunk.audio[-1]
        ends = chunk.audio[0].start, last.start + len(last.data)
        instants += [place / stream.audio.rate_hz for place in ends]
    return Span(min(instants), max(instants)) if instants else None


def only_rgb_frames(rgb_frames: Sequence[RgbFrame]) -> VideoChunk:
    """Returns chosen frames without the features of any."""
    ticks, flags = np.empty(0, np.int64), np.empty(0, bool)
    return VideoChunk(ticks, ticks, flags, flags, {}, tuple(rgb_frames))
