"""Freeze: one picture stands still while the programme runs on beneath it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.simulate.contract import Plan, Simulator, Truth, VideoSimulator, ladder
from defectscope.simulate.pictures import (
    Extent,
    planes_of,
    time_of,
    to_codes,
    to_native,
    with_planes,
    within,
)


@dataclass(frozen=True, slots=True)
class Params:
    """How perfectly the picture stands.

    Attributes:
        noise_code: Standard deviation of fresh noise on each repeated picture's luma, in codes,
            0 to 4: what a capture card or an encoder adds after the freeze.
    """

    noise_code: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.noise_code <= 4:
            raise InvalidParameterError("noise_code is 0 to 4")


class Freeze(VideoSimulator[Params]):
    """Repeats the first picture of the span.

    The first picture of the span is still shown when it should be: damage begins there, since from
    that instant on nothing moves any more, and ends where the first new picture appears.
    """

    name = "freeze"
    defects = ("freeze",)
    summary = "one picture stands still"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws the noise over the standing picture; the grossest freeze is perfect."""
        noise_code = ladder(severity, (1.2, 0.8, 0.4, 0.0, 0.0))
        return Params(noise_code=noise_code * float(rng.uniform(0.8, 1.0)))

    def apply(
        self, frames: Iterable[Frame], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Gives the pictures, those of the span replaced by its first one."""
        video = plan.video
        extent = Extent()
        held: Frame | None = None
        for frame in frames:
            if not within(plan.span, time_of(frame, video)):
                yield frame
                continue
            extent.add(frame, video)
            if held is None:
                held = with_planes(frame, planes_of(frame))
                yield held
                continue
            shown = replace(frame, planes=held.planes, bit_depth=held.bit_depth, native=None)
            if plan.params.noise_code > 0:
                luma = to_codes(held.planes[0].picture, held.bit_depth)
                rng = plan.rng(frame.pts)
                luma += rng.standard_normal(luma.shape, dtype=np.float32) * plan.params.noise_code
                noisy = to_native(luma, held.bit_depth)
                chroma = [plane.picture for plane in held.planes[1:]]
                shown = with_planes(shown, [noisy, *chroma])
            yield shown
        truth.extend(extent.truths(plan, "freeze"))


SIMULATORS: tuple[Simulator[Params], ...] = (Freeze(),)
