"""Frames as writable planes, and the frame-by-frame skeleton of most video simulators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Frame, Pixels, Plane
from defectscope.media.stream import VideoInfo
from defectscope.simulate.contract import Plan, Truth, VideoSimulator

P = TypeVar("P")
Arrays = list[NDArray[Any]]

# Half a microsecond: far below a tick of any video, far above the rounding of a float.
_EPSILON_S = Fraction(1, 2_000_000)


def planes_of(frame: Frame) -> Arrays:
    """Returns writable copies of a frame's planes, (height, width) each."""
    return [np.array(plane.pixels) for plane in frame.planes]


def with_planes(frame: Frame, planes: Sequence[NDArray[Any]]) -> Frame:
    """Returns the frame with other samples; shape and type of each plane stay the frame's own."""
    out: list[Plane] = []
    for old, new in zip(frame.planes, planes, strict=True):
        data = cast("Pixels", np.ascontiguousarray(new, dtype=old.data.dtype))
        data.flags.writeable = False
        out.append(Plane(data, old.width, old.height))
    return replace(frame, planes=tuple(out), native=None)


def code_scale(bit_depth: int) -> int:
    """Returns how many native steps make one 8-bit code."""
    return 1 << (bit_depth - 8)


def to_native(values: NDArray[Any], bit_depth: int) -> NDArray[Any]:
    """Rounds and clips 8-bit-equivalent codes to samples of a depth."""
    top = (1 << bit_depth) - 1
    native = np.clip(np.rint(values * code_scale(bit_depth)), 0, top)
    return native.astype(np.uint8 if bit_depth == 8 else np.uint16)


def to_codes(plane: NDArray[Any], bit_depth: int) -> NDArray[np.float32]:
    """Returns samples as 8-bit-equivalent codes."""
    return plane.astype(np.float32) / np.float32(code_scale(bit_depth))


def black_code(video: VideoInfo) -> float:
    """Returns the code of black: 16 in limited range, 0 in full (ITU-R BT.709, 4.6)."""
    return 0.0 if video.full_range else 16.0


def white_code(video: VideoInfo) -> float:
    """Returns the code of nominal white: 235 in limited range, 255 in full (ITU-R BT.709, 4.6)."""
    return 255.0 if video.full_range else 235.0


def time_of(frame: Frame, video: VideoInfo) -> Fraction:
    """Returns when a frame is presented, seconds from t = 0."""
    return frame.pts * video.time_base


def end_of(frame: Frame, video: VideoInfo) -> Fraction:
    """Returns when a frame's time is over, by its duration or the nominal rate."""
    if frame.duration > 0:
        return (frame.pts + frame.duration) * video.time_base
    return frame.pts * video.time_base + 1 / video.frame_rate


def within(span: Interval, time_s: Fraction) -> bool:
    """Tells whether an instant lies in a span, forgiving the rounding of floats."""
    return Fraction(span.start_s) - _EPSILON_S <= time_s < Fraction(span.end_s) - _EPSILON_S


@dataclass(slots=True)
class Extent:
    """Collects where frames were damaged, from the first one to the end of the last."""

    start_s: Fraction | None = None
    end_s: Fraction = Fraction(0)

    def add(self, frame: Frame, video: VideoInfo) -> None:
        """Takes a damaged frame into the extent."""
        if self.start_s is None:
            self.start_s = time_of(frame, video)
        self.end_s = end_of(frame, video)

    def truths(self, plan: Plan[Any], defect: str, **more: Any) -> list[Truth]:
        """Returns the truth entry, or none when no frame was damaged."""
        if self.start_s is None:
            return []
        return [plan.truth(defect, float(self.start_s), float(self.end_s), **more)]


class FrameSimulator(VideoSimulator[P]):
    """Damages each frame of the span by itself: `impair` is all that a subclass writes."""

    def apply(self, frames: Iterable[Frame], plan: Plan[P], truth: list[Truth]) -> Iterator[Frame]:
        """Returns the frames, those inside the span impaired."""
        video = plan.video
        extent = Extent()
        index = 0
        shown = False
        for frame in frames:
            if not within(plan.span, time_of(frame, video)):
                yield frame
                continue
            planes = self.impair(planes_of(frame), frame, index, plan)
            index += 1
            if planes is None:
                yield frame
                continue
            impaired = with_planes(frame, planes)
            shown = shown or self.shows(frame, impaired)
            extent.add(frame, video)
            yield impaired
        if shown:
            truth.extend(extent.truths(plan, self.defects[0], **self.facts(plan)))

    def shows(self, before: Frame, after: Frame) -> bool:
        """Tells whether the damage of one frame can be seen; truth is silent if none of it can.

        Args:
            before: The frame as it was.
            after: The frame, damaged.
        """
        return True

    def facts(self, plan: Plan[P]) -> dict[str, Any]:
        """Returns what truth says beside the parameters."""
        return {}

    @abstractmethod
    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[P]) -> Arrays | None:
        """Returns the damaged planes of one frame, or None to leave it as it is.

        Args:
            planes: Writable copies, native samples.
            frame: The frame they come from.
            index: Number of the frame within the span, from 0.
            plan: What to make.
        """
