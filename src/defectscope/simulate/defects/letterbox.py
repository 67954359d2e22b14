"""Letterboxing: bars above and below, at the sides, or all round, that come up in the programme."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters, switch
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import (
    Arrays,
    FrameSimulator,
    black_code,
    to_codes,
    to_native,
)
from defectscope.simulate.effects.resample import resize
from defectscope.simulate.parameters import jitter, ladder

_KINDS = ("letter", "pillar", "window")


@parameters
class Params:
    """Where the bars are and what they look like."""

    kind: Annotated[
        str,
        choice(
            _KINDS, "`letter` (above and below), `pillar` (at the sides) or `window` (all round)."
        ),
    ] = "letter"
    share: Annotated[
        float, number(0.01, 0.4, "Share of the height or width that one bar covers.")
    ] = 0.12
    scaled: Annotated[
        bool, switch("The frame is scaled into what is left; otherwise the bars cover it.")
    ] = True
    lift_code: Annotated[float, number(0, 8, "Codes above black that the bars have.", "code")] = 0.0
    noise_code: Annotated[
        float, number(0, 3, "Standard deviation of noise on the bars.", "code")
    ] = 0.0


class Letterbox(FrameSimulator[Params]):
    """Puts bars round the frames of the span."""

    name = "letterbox"
    defects = ("letterbox",)
    summary = "bars round the frame"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws where the bars are; severity sets how much they cover."""
        return Params(
            kind=_KINDS[int(rng.integers(3))],
            share=jitter(rng, ladder(severity, (0.025, 0.05, 0.09, 0.13, 0.2))),
            scaled=float(rng.uniform()) < 0.7,
            lift_code=float(rng.choice((0.0, 0.0, 1.0, 2.0))),
            noise_code=float(rng.choice((0.0, 0.0, 0.4))),
        )

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the frame between bars."""
        params, depth = plan.params, frame.bit_depth
        full = planes[0].shape
        top, left = _bars(full, params)
        out: Arrays = []
        for index, plane in enumerate(planes):
            codes = to_codes(plane, depth)
            height, width = plane.shape
            rows, columns = top * height // full[0], left * width // full[1]
            inside = np.s_[rows : height - rows, columns : width - columns]
            level = black_code(plan.video) + params.lift_code if index == 0 else 128.0
            boxed = np.full((height, width), level, np.float32)
            if params.noise_code > 0 and index == 0:
                noise = plan.rng(frame.pts).standard_normal((height, width), dtype=np.float32)
                boxed += noise * np.float32(params.noise_code)
            if params.scaled:
                boxed[inside] = resize(codes, height - 2 * rows, width - 2 * columns)
            else:
                boxed[inside] = codes[inside]
            out.append(to_native(boxed, depth))
        return out

    def facts(self, plan: Plan[Params]) -> dict[str, Any]:
        """Returns the active frame: left, top, width and height in pixels."""
        height, width = plan.video.height, plan.video.width
        top, left = _bars((height, width), plan.params)
        return {"active_px": [left, top, width - 2 * left, height - 2 * top]}


def _bars(size: tuple[int, ...], params: Params) -> tuple[int, int]:
    """Rows of the top bar and columns of the left one, even so that the colour fits."""
    height, width = size
    top = max(2, round(params.share * height / 2) * 2) if params.kind != "pillar" else 0
    left = max(2, round(params.share * width / 2) * 2) if params.kind != "letter" else 0
    return top, left


SIMULATORS: tuple[Simulator[Params], ...] = (Letterbox(),)
