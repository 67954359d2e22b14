"""Banding: smooth gradients break into steps, as after too few bits or a careless conversion."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters, switch
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import (
    Arrays,
    FrameSimulator,
    planes_of,
    to_codes,
    to_native,
)
from defectscope.simulate.parameters import ladder

# A step shows where it is at least so high, in codes, in the frame that comes out, between sides
# that are flat for three samples to within one code, and was at most half as high before.
_VISIBLE_CODE, _FLAT_CODE, _FLAT_SAMPLES = 2, 1, 3
# Frames with fewer such samples than this many times the side of a square of their size look
# whole. Found by looking at panels of other recordings than accuracy is measured on, sorted by this
# number: in none below 2.1, and in all from 2.4 on, steps were to be seen.
_LEAST_CONTOURS = 2.25


@parameters
class Params:
    """How coarse the steps are and where they come."""

    step_code: Annotated[float, number(2, 32, "Height of a step.", "code")] = 6.0
    smooth_code: Annotated[
        float,
        number(
            0.5,
            20,
            "Local deviation under which an area counts as smooth; detail above it is kept.",
            "code",
        ),
    ] = 4.0
    dark_only: Annotated[bool, switch("Only areas under `dark_code` are hit.")] = False
    dark_code: Annotated[float, number(17, 235, "Upper end of the dark areas.", "code")] = 80.0


class Banding(FrameSimulator[Params]):
    """Cleans smooth areas of their noise, which would hide the steps, and quantises them.

    Truth is silent where steps show in none of the frames, for want of a smooth gradient.
    """

    name = "banding"
    defects = ("banding",)
    summary = "smooth gradients break into steps"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws the height of the steps by severity."""
        return Params(
            step_code=ladder(severity, (2.5, 4.0, 6.0, 9.0, 14.0)) * float(rng.uniform(0.9, 1.1)),
            smooth_code=float(rng.uniform(3.0, 6.0)),
            dark_only=float(rng.uniform()) < 0.2,
        )

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the frame with its smooth areas in steps."""
        params = plan.params
        luma = to_codes(planes[0], frame.bit_depth)
        # Averages over about a hundredth of the height: noise goes, gradients stay.
        window = max(5, luma.shape[0] // 60) | 1
        mean = _mean(luma, window)
        spread = np.sqrt(np.maximum(_mean(luma * luma, window) - mean * mean, 0))
        # Gradients spread too: what a straight slope adds is taken off.
        down, across = np.gradient(mean)
        slope = np.hypot(down, across) * (window / np.sqrt(12.0))
        rough = np.sqrt(np.maximum(spread * spread - slope * slope, 0))
        flat = np.clip((params.smooth_code - rough) / (0.3 * params.smooth_code), 0, 1)
        if params.dark_only:
            flat = flat * np.clip((params.dark_code - mean) / 8, 0, 1)
        weight = _mean(flat.astype(np.float32), window)
        level = np.floor(mean / params.step_code)
        stepped = level * params.step_code + params.step_code / 2
        banded = luma + (stepped - luma) * weight
        out: Arrays = [to_native(banded, frame.bit_depth)]
        for chroma in planes[1:]:
            codes = to_codes(chroma, frame.bit_depth)
            fits = weight[:: 2 if chroma.shape[0] < luma.shape[0] else 1, ::2]
            fits = fits[: chroma.shape[0], : chroma.shape[1]]
            steps = np.rint(_mean(codes, max(3, window // 2 | 1)) / params.step_code)
            codes += (steps * params.step_code - codes) * fits
            out.append(to_native(codes, frame.bit_depth))
        return out

    def shows(self, before: Frame, after: Frame) -> bool:
        """Tells whether the frame has enough steps that it had not before."""
        was, now = (to_codes(planes_of(f)[0], f.bit_depth) for f in (before, after))
        return contours(was, now) >= _LEAST_CONTOURS


def contours(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Returns how long the steps are that show, in sides of a square of the frame's size.

    Args:
        before: (rows, columns) luma in 8-bit codes.
        after: Likewise, banded.
    """
    shown = 0
    side = _FLAT_SAMPLES
    for axis in (0, 1):
        was, now = (np.moveaxis(p, axis, 0) for p in (before, np.rint(after)))
        rows = slice(side, max(side, len(now) - side - 1))
        step, earlier = (np.abs(np.diff(p, axis=0))[rows] for p in (now, was))
        upper, lower = now[:-1][rows], now[1:][rows]
        flat = np.ones(step.shape, np.bool_)
        # The nearest samples may belong to the step.
        for away in range(2, side + 1):
            above = now[rows.start - away : rows.stop - away]
            below = now[rows.start + 1 + away : rows.stop + 1 + away]
            flat &= np.abs(upper - above) <= _FLAT_CODE
            flat &= np.abs(lower - below) <= _FLAT_CODE
        shown += int((flat & (step >= _VISIBLE_CODE) & (earlier <= step / 2)).sum())
    return shown / float(np.sqrt(before.size))


def _mean(plane: NDArray[Any], window: int) -> NDArray[np.float32]:
    return np.asarray(ndimage.uniform_filter(plane, window, mode="nearest"), dtype=np.float32)


SIMULATORS: tuple[Simulator[Params], ...] = (Banding(),)
