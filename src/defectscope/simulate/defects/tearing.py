"""Tearing: the upper part of a frame belongs to one instant, the lower part to another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters
from defectscope.simulate.contract import Plan, Simulator, Truth, VideoSimulator
from defectscope.simulate.effects.frames import (
    Arrays,
    end_of,
    planes_of,
    time_of,
    with_planes,
    within,
)
from defectscope.simulate.effects.visibility import BLOCK_PX, visible_share
from defectscope.simulate.parameters import ladder

_VISIBLE_SHARE = 0.01
_GROUP_GAP_S = 1.0
_LEAST_VISIBLE = 3


@parameters
class Params:
    """Where the seam lies and what is below it."""

    seam: Annotated[float, number(0.05, 0.95, "Seam's row as a share of the height.")] = 0.5
    roam: Annotated[
        float,
        number(
            -0.5,
            0.5,
            "How far the seam moves on with every torn frame, as a share of the height; "
            "it wraps round.",
        ),
    ] = 0.0
    lag_frames: Annotated[
        int, number(1, 8, "How many frames the part under the seam is late.", "frames")
    ] = 1
    every_frames: Annotated[int, number(1, 12, "One frame in so many is torn.", "frames")] = 1


class Tearing(VideoSimulator[Params]):
    """Composes torn frames from a frame and an earlier one.

    Every frame that is due is torn, but truth tells only what can be seen. A torn frame shows
    where, just below its seam, at least one in a hundred blocks of 4 x 4 samples belongs elsewhere
    by eight codes or more; where nothing moves, both instants look alike. Torn frames that show
    and are up to a second apart are one interval, from the first of them to the end of the last;
    fewer than three in an interval are over before anybody notices.
    """

    name = "tearing"
    defects = ("tearing",)
    summary = "frames torn between two instants"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws seam and roaming; severity sets how late the lower part is and how often."""
        roam = float(rng.uniform(0.02, 0.12)) * (1 if float(rng.uniform()) < 0.5 else -1)
        return Params(
            seam=float(rng.uniform(0.2, 0.8)),
            roam=roam if float(rng.uniform()) < 0.6 else 0.0,
            lag_frames=round(ladder(severity, (1.0, 1.0, 2.0, 3.0, 5.0))),
            every_frames=round(ladder(severity, (6.0, 3.0, 2.0, 1.0, 1.0))),
        )

    def apply(
        self, frames: Iterable[Frame], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Returns the frames, those of the span torn."""
        params, video = plan.params, plan.video
        intervals: list[_TornInterval] = []
        past: deque[Arrays] = deque(maxlen=params.lag_frames)
        seams: list[int] = []
        index = 0
        for frame in frames:
            own = planes_of(frame)
            inside = within(plan.span, time_of(frame, video))
            torn = inside and len(past) == params.lag_frames and index % params.every_frames == 0
            index += inside
            if not torn:
                past.append(own)
                yield frame
                continue
            at = params.seam + params.roam * len(seams)
            # Seams stay 5 % away from the edges, where nobody would see them.
            at = 0.05 + (at - 0.05) % 0.9
            row = round(at * own[0].shape[0] / 2) * 2
            seams.append(row)
            if is_visible(own[0], past[0][0], row, frame.bit_depth):
                at_s = float(time_of(frame, video))
                if not intervals or at_s - intervals[-1].end_s > _GROUP_GAP_S:
                    intervals.append(_TornInterval(at_s))
                intervals[-1].end_s = float(end_of(frame, video))
                intervals[-1].rows.append(row)
            mixed: Arrays = []
            for plane, late in zip(own, past[0], strict=True):
                cut = row * plane.shape[0] // own[0].shape[0]
                mixed.append(np.concatenate([plane[:cut], late[cut:]]))
            past.append(own)
            yield with_planes(frame, mixed)
        for each in intervals:
            if len(each.rows) >= _LEAST_VISIBLE:
                rows = each.rows[:1000]
                truth.append(plan.truth(self.name, each.start_s, each.end_s, seam_rows=rows))


@dataclass(slots=True)
class _TornInterval:
    """Torn frames that show, close to each other."""

    start_s: float
    end_s: float = 0.0
    rows: list[int] = field(default_factory=list[int])


def is_visible(own: NDArray[Any], late: NDArray[Any], row: int, bit_depth: int) -> bool:
    """Tells whether a seam shows: whether what meets at it does not belong together.

    Args:
        own: Luma of the frame, native samples.
        late: Luma of the frame that shows below the seam.
        row: First row of the late part.
        bit_depth: Bits of a sample.
    """
    rows = max(2 * BLOCK_PX, own.shape[0] // 60)
    strip = slice(row, row + rows)
    return visible_share(own[strip], late[strip], bit_depth) >= _VISIBLE_SHARE


SIMULATORS: tuple[Simulator[Params], ...] = (Tearing(),)
