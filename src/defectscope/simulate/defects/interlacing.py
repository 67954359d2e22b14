"""Interlacing: frames whose two fields belong to different instants, shown as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters, switch
from defectscope.simulate.contract import Plan, Simulator, Truth, VideoSimulator
from defectscope.simulate.effects.frames import (
    Arrays,
    Extent,
    planes_of,
    time_of,
    with_planes,
    within,
)
from defectscope.simulate.effects.weaving import weave
from defectscope.simulate.parameters import ladder


@parameters
class Params:
    """How the fields are woven."""

    late_field: Annotated[
        str,
        choice(("top", "bottom"), "`top` or `bottom`: the field that belongs to the frame before."),
    ] = "bottom"
    strength: Annotated[
        float,
        number(
            0.05,
            1,
            "How much of the late field is the earlier frame: 1 is a plain weave, less is"
            " what a poor deinterlacer leaves.",
        ),
    ] = 1.0
    chroma: Annotated[bool, switch("The colour is woven too.")] = True


class Interlacing(VideoSimulator[Params]):
    """Weaves every other row of the frame before into each frame of the span."""

    name = "interlacing"
    defects = ("interlacing",)
    summary = "combing from two fields of different instants"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws the late field; severity sets how much of it is late."""
        return Params(
            late_field="top" if float(rng.uniform()) < 0.5 else "bottom",
            strength=ladder(severity, (0.25, 0.45, 0.7, 1.0, 1.0)),
            chroma=float(rng.uniform()) < 0.8,
        )

    def apply(
        self, frames: Iterable[Frame], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Returns the frames, those of the span woven."""
        params, video = plan.params, plan.video
        parity = 0 if params.late_field == "top" else 1
        extent = Extent()
        before: Arrays | None = None
        for frame in frames:
            own = planes_of(frame)
            if before is None or not within(plan.span, time_of(frame, video)):
                before = own
                yield frame
                continue
            extent.add(frame, video)
            woven = [
                weave(plane, late, parity, params.strength, frame.bit_depth)
                if number == 0 or params.chroma
                else plane
                for number, (plane, late) in enumerate(zip(own, before, strict=True))
            ]
            before = own
            yield with_planes(frame, woven)
        truth.extend(extent.truths(plan, self.name))


SIMULATORS: tuple[Simulator[Params], ...] = (Interlacing(),)
