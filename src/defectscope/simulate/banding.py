"""Banding: smooth gradients break into steps, as after too few bits or a careless conversion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.simulate.contract import Plan, Simulator, ladder
from defectscope.simulate.pictures import Arrays, PictureSimulator, to_codes, to_native

# Below so many contours, as a share of the samples, a picture has no gradient that could band:
# half a line of samples in a picture of 1,000 lines.
_LEAST_CONTOURS = 0.0005


@dataclass(frozen=True, slots=True)
class Params:
    """How coarse the steps are and where they come.

    Attributes:
        step_code: Height of a step, in codes, 2 to 32.
        smooth_code: Local deviation under which an area counts as smooth, in codes, 0.5 to 20;
            detail above it is kept.
        dark_only: Only areas under `dark_code` are hit.
        dark_code: Upper end of the dark areas, in codes, 17 to 235.
    """

    step_code: float = 6.0
    smooth_code: float = 4.0
    dark_only: bool = False
    dark_code: float = 80.0

    def __post_init__(self) -> None:
        if not 2 <= self.step_code <= 32:
            raise InvalidParameterError("step_code is 2 to 32")
        if not 0.5 <= self.smooth_code <= 20:
            raise InvalidParameterError("smooth_code is 0.5 to 20")
        if not 17 <= self.dark_code <= 235:
            raise InvalidParameterError("dark_code is 17 to 235")


class Banding(PictureSimulator[Params]):
    """Cleans smooth areas of their noise, which would hide the steps, and quantises them.

    Pictures in which no step would show, for want of a smooth gradient, stay as they are, and truth
    does not name them.
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

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays | None:
        """Gives the picture with its smooth areas in steps, or None where there is no such area."""
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
        if _contours(level, weight) < _LEAST_CONTOURS:
            return None
        stepped = level * params.step_code + params.step_code / 2
        out: Arrays = [to_native(luma + (stepped - luma) * weight, frame.bit_depth)]
        for chroma in planes[1:]:
            codes = to_codes(chroma, frame.bit_depth)
            fits = weight[:: 2 if chroma.shape[0] < luma.shape[0] else 1, ::2]
            fits = fits[: chroma.shape[0], : chroma.shape[1]]
            steps = np.rint(_mean(codes, max(3, window // 2 | 1)) / params.step_code)
            codes += (steps * params.step_code - codes) * fits
            out.append(to_native(codes, frame.bit_depth))
        return out


def _contours(level: NDArray[Any], weight: NDArray[Any]) -> float:
    """Gives the share of neighbouring samples, down and across, between which a step shows."""
    shown = weight > 0.5
    across = (level[:, 1:] != level[:, :-1]) & shown[:, 1:]
    down = (level[1:] != level[:-1]) & shown[1:]
    return float(np.mean(across) + np.mean(down))


def _mean(plane: NDArray[Any], window: int) -> NDArray[np.float32]:
    return np.asarray(ndimage.uniform_filter(plane, window, mode="nearest"), dtype=np.float32)


SIMULATORS: tuple[Simulator[Params], ...] = (Banding(),)
