"""Flicker: pumping brightness, and flashes of the kinds that can harm photosensitive viewers."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.parameters import choice, number, parameters, switch
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import (
    Arrays,
    FrameSimulator,
    black_code,
    time_of,
    to_codes,
    to_native,
    white_code,
)
from defectscope.simulate.parameters import jitter, ladder

_KINDS = ("luma", "general_flash", "red_flash")
# Source: ITU-R BT.1702-3: so many flashes a second are allowed.
_HARMLESS_HZ = 3.0
# Saturated red as Y, U, V codes, from the BT.601 and BT.709 matrices at limited range.
_RED = {"bt601": (81.0, 90.0, 240.0), "bt709": (63.0, 102.0, 240.0)}


@parameters
class Params:
    """What flickers, how fast and how much."""

    kind: Annotated[
        str,
        choice(
            _KINDS,
            "`luma` (brightness swings about its mean), `general_flash` (an area flashes "
            "bright) or `red_flash` (an area flashes in saturated red).",
        ),
    ] = "luma"
    hz: Annotated[float, number(0.5, 30, "Swings or flashes a second.", "Hz")] = 6.0
    depth: Annotated[
        float, number(0.01, 1, "Swing of the luma as a share of it, or strength of the flash.")
    ] = 0.2
    area: Annotated[
        float, number(0.05, 1, "Share of the frame that is hit, a centred rectangle.")
    ] = 1.0
    square: Annotated[
        bool, switch("The luma swings between two levels instead of along a sine.")
    ] = False


class Flicker(FrameSimulator[Params]):
    """Modulates the brightness, or flashes.

    Source of what is harmful: ITU-R BT.1702-3: more than three flashes a second, each a pair of
    opposing changes of 20 cd/m² or more where the darker image is under 160 cd/m², on more than a
    quarter of the screen; or of saturated red.
    """

    name = "flicker"
    defects = ("flicker",)
    summary = "pumping brightness or harmful flashes"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws a kind; severity sets depth and, for flashes, the area."""
        rate = float(stream.video.frame_rate) if stream.video else 25.0
        kind = _KINDS[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
        # Each state of a swing takes a frame at least; few frames a second swing slowly.
        fastest_hz = float(np.clip(rate * 0.4, 0.5, 10.0))
        if kind == "luma" or fastest_hz <= _HARMLESS_HZ:
            return Params(
                kind="luma",
                hz=float(rng.uniform(min(3.0, fastest_hz), fastest_hz)),
                depth=jitter(rng, ladder(severity, (0.02, 0.045, 0.09, 0.18, 0.35))),
                square=float(rng.uniform()) < 0.4,
            )
        return Params(
            kind=kind,
            hz=float(rng.uniform(min(4.5, fastest_hz), fastest_hz)),
            depth=jitter(rng, ladder(severity, (0.35, 0.45, 0.6, 0.75, 0.88))),
            area=min(1.0, jitter(rng, ladder(severity, (0.35, 0.45, 0.6, 0.8, 1.0)))),
        )

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the frame at its phase of the flicker."""
        params, video = plan.params, plan.video
        since_s = float(time_of(frame, video)) - plan.span.start_s
        phase = (since_s * params.hz) % 1.0
        luma = to_codes(planes[0], frame.bit_depth)
        black = black_code(video)
        if params.kind == "luma":
            # Starts with a swing upwards: the first frame of the span is hit.
            swing = np.cos(2 * np.pi * phase)
            if params.square:
                swing = 1.0 if phase < 0.5 else -1.0
            bright = black + (luma - black) * np.float32(1 + params.depth * swing)
            mixed = _inside(luma, np.clip(bright, black, white_code(video)), params.area)
            return [to_native(mixed, frame.bit_depth), *planes[1:]]
        if phase >= 0.5:
            return self._dark(planes, luma, frame, plan)
        targets = (white_code(video), 128.0, 128.0)
        if params.kind == "red_flash":
            targets = _red(video)
        out: Arrays = []
        for plane, target in zip(planes, targets, strict=False):
            codes = to_codes(plane, frame.bit_depth)
            share = params.depth if params.kind == "red_flash" else params.depth * 0.9
            lit = codes + np.float32(share) * (np.float32(target) - codes)
            out.append(to_native(_inside(codes, lit, params.area), frame.bit_depth))
        return out

    @staticmethod
    def _dark(
        planes: Arrays, luma: NDArray[np.float32], frame: Frame, plan: Plan[Params]
    ) -> Arrays:
        """Between flashes the area is dimmed, so that bright content flashes too."""
        black = black_code(plan.video)
        dim = black + (luma - black) * np.float32(1 - 0.6 * plan.params.depth)
        return [to_native(_inside(luma, dim, plan.params.area), frame.bit_depth), *planes[1:]]


def _red(video: VideoInfo) -> tuple[float, float, float]:
    return _RED["bt709" if video.height >= 720 else "bt601"]


def _inside(outer: NDArray[np.float32], inner: NDArray[Any], area: float) -> NDArray[np.float32]:
    """Replaces a centred rectangle that covers a share of the frame."""
    if area >= 1:
        return np.asarray(inner, dtype=np.float32)
    height, width = outer.shape
    rows, columns = round(height * np.sqrt(area)), round(width * np.sqrt(area))
    top, left = (height - rows) // 2, (width - columns) // 2
    out = outer.copy()
    where = np.s_[top : top + rows, left : left + columns]
    out[where] = inner[where]
    return out


SIMULATORS: tuple[Simulator[Params], ...] = (Flicker(),)
