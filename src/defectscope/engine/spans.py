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

    def of_chunk(self, chunk: Chunk, stream: StreamInfo) -> Chunk | None:
        """Returns what to look at of a chunk: all of it where it reaches into the span.

        Of later chunks, that is the frames chosen in the span, which come once their bucket has
        ended.
        """
        begins: list[float] = []
        ends: list[float] = []
        if stream.video is not None and chunk.video is not None and len(chunk.video.pts):
            tick_s = float(stream.video.time_base)
            begins.append(int(chunk.video.pts[0]) * tick_s)
            ends.append(int(chunk.video.pts[-1]) * tick_s)
        if stream.audio is not None and chunk.audio:
            first, last = chunk.audio[0], chunk.audio[-1]
            begins.append(first.start / stream.audio.rate_hz)
            ends.append((last.start + len(last.data)) / stream.audio.rate_hz)
        if not begins or (max(ends) >= self.begin_s and min(begins) <= self.end_s):
            return chunk
        late = [] if chunk.video is None else self.of_frames(chunk.video.rgb_frames, stream)
        return Chunk(video=only_rgb_frames(late)) if late else None

    def of_frames(self, rgb_frames: Sequence[RgbFrame], stream: StreamInfo) -> list[RgbFrame]:
        """Returns the chosen frames that lie in the span."""
        if stream.video is None:
            return []
        tick_s = float(stream.video.time_base)
        return [f for f in rgb_frames if self.begin_s <= f.pts * tick_s <= self.end_s]


def only_rgb_frames(rgb_frames: Sequence[RgbFrame]) -> VideoChunk:
    """Returns chosen frames without the features of any."""
    ticks, flags = np.empty(0, np.int64), np.empty(0, bool)
    return VideoChunk(ticks, ticks, flags, flags, {}, tuple(rgb_frames))
