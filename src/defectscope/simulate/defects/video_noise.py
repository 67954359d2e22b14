"""Video noise: sensor noise, coarse film-like grain, or stray dots."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import Arrays, FrameSimulator, to_codes, to_native
from defectscope.simulate.parameters import jitter, ladder

_KINDS = ("gaussian", "film", "salt")


@parameters
class Params:
    """What the noise is like."""

    kind: Annotated[
        str,
        choice(
            _KINDS,
            "`gaussian`, `film` (spots of about two pixels, strongest in the mid-tones) "
            "or `salt` (single white and black dots).",
        ),
    ] = "gaussian"
    sigma_code: Annotated[
        float, number(0, 60, "Standard deviation on the luma; unused by `salt`.", "code")
    ] = 8.0
    chroma: Annotated[
        float, number(0, 1, "Noise of the colour planes as a share of the luma's.")
    ] = 0.5
    dots: Annotated[float, number(0, 0.2, "Share of the pixels that `salt` hits.")] = 0.0


class VideoNoise(FrameSimulator[Params]):
    """Adds fresh noise to every frame of the span."""

    name = "video_noise"
    defects = ("video_noise",)
    summary = "noise over the frame"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws a kind, its strength by severity, and how much of it is coloured."""
        kind = _KINDS[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
        return Params(
            kind=kind,
            sigma_code=jitter(rng, ladder(severity, (3.0, 5.0, 8.0, 14.0, 24.0))),
            chroma=float(rng.uniform(0.2, 0.8)),
            dots=jitter(rng, ladder(severity, (0.0005, 0.0015, 0.005, 0.015, 0.05)))
            if kind == "salt"
            else 0.0,
        )

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the frame with noise."""
        params = plan.params
        rng = plan.rng(frame.pts)
        out: Arrays = []
        for index, plane in enumerate(planes):
            codes = to_codes(plane, frame.bit_depth)
            share = 1.0 if index == 0 else params.chroma
            if params.kind == "salt":
                hit = rng.random(codes.shape, dtype=np.float32)
                dots = params.dots * (1.0 if index == 0 else share)
                low, high = (16.0, 235.0) if index == 0 else (90.0, 166.0)
                codes = np.where(hit < dots / 2, low, np.where(hit > 1 - dots / 2, high, codes))
            else:
                noise = rng.standard_normal(codes.shape, dtype=np.float32)
                if params.kind == "film":
                    noise = _grain(noise, codes if index == 0 else None)
                codes = codes + noise * np.float32(params.sigma_code * share)
            out.append(to_native(codes, frame.bit_depth))
        return out


def _grain(noise: NDArray[np.float32], luma: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Spots instead of pixels, and least of them where film is clear or fully exposed."""
    spots = np.asarray(ndimage.gaussian_filter(noise, 0.8))
    spots /= spots.std() or 1.0
    if luma is not None:
        tone = np.clip((luma - 16) / 219, 0, 1)
        spots *= 0.5 + 2 * tone * (1 - tone)
    return spots.astype(np.float32)


SIMULATORS: tuple[Simulator[Params], ...] = (VideoNoise(),)
