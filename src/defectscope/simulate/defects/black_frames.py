"""Black frames: the frame drops to black, at once or through a short dip."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import (
    Arrays,
    FrameSimulator,
    black_code,
    code_scale,
    to_native,
)
from defectscope.simulate.parameters import ladder


@parameters
class Params:
    """How black the frames are."""

    lift_code: Annotated[
        float, number(0, 16, "Codes above black that the luma stays at.", "code")
    ] = 0.0
    residue: Annotated[
        float, number(0, 0.2, "Share of the frame's contrast that still shines through.")
    ] = 0.0
    noise_code: Annotated[
        float, number(0, 4, "Standard deviation of noise left on the luma.", "code")
    ] = 0.0


class BlackFrames(FrameSimulator[Params]):
    """Replaces frames by black; the mildest steps keep a little noise and a faint residue."""

    name = "black_frames"
    defects = ("black_frames",)
    summary = "the frame drops to black"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws a black that is dirtier the milder it is."""
        share = float(rng.uniform(0.8, 1.0))
        return Params(
            lift_code=share * ladder(severity, (3.0, 1.5, 0.0, 0.0, 0.0)),
            residue=share * ladder(severity, (0.015, 0.006, 0.0, 0.0, 0.0)),
            noise_code=share * ladder(severity, (1.0, 0.7, 0.4, 0.0, 0.0)),
        )

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the frame as black."""
        params, video = plan.params, plan.video
        black = black_code(video)
        rng = plan.rng(frame.pts)
        luma = planes[0].astype(np.float32) / code_scale(frame.bit_depth)
        luma = black + params.lift_code + params.residue * np.maximum(luma - black, 0)
        if params.noise_code > 0:
            luma += rng.standard_normal(luma.shape, dtype=np.float32) * params.noise_code
        out: Arrays = [to_native(luma, frame.bit_depth)]
        for chroma in planes[1:]:
            codes = chroma.astype(np.float32) / code_scale(frame.bit_depth)
            out.append(to_native(128 + params.residue * (codes - 128), frame.bit_depth))
        return out


SIMULATORS: tuple[Simulator[Params], ...] = (BlackFrames(),)
