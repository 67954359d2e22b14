"""Blur: soft focus, a defocused lens, or a frame scaled up from a smaller one."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import Arrays, FrameSimulator, to_codes, to_native
from defectscope.simulate.effects.resample import resize
from defectscope.simulate.parameters import jitter, ladder

_KINDS = ("gaussian", "defocus", "upscaled")


@parameters
class Params:
    """How the frame is blurred."""

    kind: Annotated[
        str, choice(_KINDS, "`gaussian`, `defocus` (a disc) or `upscaled` (from a smaller raster).")
    ] = "gaussian"
    radius_px: Annotated[
        float,
        number(
            0.3,
            30,
            "Standard deviation of the Gaussian, radius of the disc, or factor of the upscaling.",
            "px",
        ),
    ] = 2.0


class Blur(FrameSimulator[Params]):
    """Takes the fine detail away."""

    name = "blur"
    defects = ("blur",)
    summary = "the frame is soft, out of focus or scaled up"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws a kind, and a radius that looks alike at every frame height."""
        kind = _KINDS[int(rng.integers(3))]
        # Steps for 1080 rows; small rasters need whole pixels all the same.
        rows = stream.video.height if stream.video else 1080
        size = max(0.55, rows / 1080)
        if kind == "gaussian":
            radius = ladder(severity, (1.0, 1.6, 2.6, 4.2, 7.0)) * size
        elif kind == "defocus":
            radius = ladder(severity, (1.8, 2.8, 4.5, 7.0, 11.0)) * size
        else:
            radius = 1 + ladder(severity, (0.6, 1.2, 2.2, 3.6, 6.0)) * size
        return Params(kind=kind, radius_px=jitter(rng, radius, 0.08))

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the frame blurred, colour by half as many pixels."""
        out: Arrays = []
        for index, plane in enumerate(planes):
            codes = to_codes(plane, frame.bit_depth)
            part = 1.0 if index == 0 else plane.shape[1] / planes[0].shape[1]
            out.append(to_native(_blurred(codes, plan.params, part), frame.bit_depth))
        return out


def _blurred(codes: NDArray[np.float32], params: Params, part: float) -> NDArray[Any]:
    if params.kind == "gaussian":
        return np.asarray(ndimage.gaussian_filter(codes, params.radius_px * part, mode="nearest"))
    if params.kind == "defocus":
        return _disc(codes, max(0.5, params.radius_px * part))
    factor = params.radius_px
    height, width = codes.shape
    small = resize(codes, max(1, round(height / factor)), max(1, round(width / factor)))
    return resize(small, height, width)


def _disc(codes: NDArray[np.float32], radius: float) -> NDArray[Any]:
    """A uniform disc, edge pixels by their share."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1).astype(np.float32)
    kernel /= kernel.sum()
    padded = np.pad(codes, reach, mode="edge")
    shape = [n + 2 * reach for n in codes.shape]
    shape = [2 ** int(np.ceil(np.log2(n))) if n < 64 else n + n % 2 for n in shape]
    product = np.fft.rfft2(padded, shape) * np.fft.rfft2(kernel, shape)
    full = np.fft.irfft2(product, shape)
    return full[2 * reach : 2 * reach + codes.shape[0], 2 * reach : 2 * reach + codes.shape[1]]


SIMULATORS: tuple[Simulator[Params], ...] = (Blur(),)
