"""Freeze: one frame stands still while the programme runs on beneath it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters
from defectscope.simulate.contract import Plan, Simulator, Truth, VideoSimulator
from defectscope.simulate.effects.frames import (
    Extent,
    planes_of,
    time_of,
    to_codes,
    to_native,
    with_planes,
    within,
)
from defectscope.simulate.effects.visibility import visible_share
from defectscope.simulate.parameters import ladder

# Whether something moves shows over a quarter of a second, in one block of 2,000.
_MOTION_S = Fraction(1, 4)
_VISIBLE_SHARE = 0.0005
_NEVER_S = 1e9


@parameters
class Params:
    """How perfectly the frame stands."""

    noise_code: Annotated[
        float,
        number(
            0,
            4,
            "Standard deviation of fresh noise on each repeated frame's luma: what a "
            "capture card or an encoder adds after the freeze.",
            "code",
        ),
    ] = 0.0


class Freeze(VideoSimulator[Params]):
    """Repeats one frame, from the beginning of the span or from where something moves.

    Where nothing moves, nobody can tell a freeze from the programme. So the first frame that is
    held is the first of the span that differs visibly from the one a quarter of a second before
    (in more than one in 2,000 blocks of 4 x 4 samples, by eight codes); without an earlier frame
    it is the first. Where nothing moves from the span to the end, no frame is held and truth
    tells nothing. The held frame is still shown when it should be: damage begins there, since
    from that instant on nothing moves any more, and ends where the first new frame appears.
    """

    name = "freeze"
    defects = ("freeze",)
    summary = "one frame stands still"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws the noise over the standing frame; the grossest freeze is perfect."""
        noise_code = ladder(severity, (1.2, 0.8, 0.4, 0.0, 0.0))
        return Params(noise_code=noise_code * float(rng.uniform(0.8, 1.0)))

    def apply(
        self, frames: Iterable[Frame], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Frame]:
        """Returns the frames, as many as the span has replaced by one."""
        video = plan.video
        extent = Extent()
        recent = _Recent(plan.span.start_s)
        held: Frame | None = None
        span = replace(plan.span, end_s=_NEVER_S)
        for frame in frames:
            time_s = time_of(frame, video)
            if held is None and within(span, time_s) and recent.differ(frame):
                held = with_planes(frame, planes_of(frame))
                begun_s = max(float(time_s), plan.span.start_s)
                span = Interval(begun_s, begun_s + plan.span.duration_s)
                extent.add(frame, video)
                yield held
                continue
            if held is None or not within(span, time_s):
                if held is None:
                    recent.add(frame, time_s)
                yield frame
                continue
            extent.add(frame, video)
            shown = replace(frame, planes=held.planes, bit_depth=held.bit_depth, native=None)
            if plan.params.noise_code > 0:
                luma = to_codes(held.planes[0].pixels, held.bit_depth)
                rng = plan.rng(frame.pts)
                luma += rng.standard_normal(luma.shape, dtype=np.float32) * plan.params.noise_code
                noisy = to_native(luma, held.bit_depth)
                chroma = [plane.pixels for plane in held.planes[1:]]
                shown = with_planes(shown, [noisy, *chroma])
            yield shown
        truth.extend(extent.truths(plan, "freeze"))


class _Recent:
    """The frames of the last quarter of a second before the freeze."""

    def __init__(self, start_s: float) -> None:
        self._from_s = start_s - float(_MOTION_S)
        self._lumas: deque[tuple[Fraction, NDArray[Any]]] = deque()

    def add(self, frame: Frame, time_s: Fraction) -> None:
        """Takes the next frame."""
        if time_s >= self._from_s:
            # Copied: the decoder's buffers must not be kept.
            self._lumas.append((time_s, frame.planes[0].pixels.copy()))
        while self._lumas and self._lumas[0][0] < time_s - _MOTION_S:
            self._lumas.popleft()

    def differ(self, frame: Frame) -> bool:
        """Tells whether a frame has visibly moved; the very first has."""
        if not self._lumas:
            return True
        own = frame.planes[0].pixels
        return visible_share(self._lumas[0][1], own, frame.bit_depth) > _VISIBLE_SHARE


SIMULATORS: tuple[Simulator[Params], ...] = (Freeze(),)
