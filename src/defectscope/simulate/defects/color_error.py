"""Colour errors: illegal levels, a cast, misplaced, swapped or lost chroma."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.frames import Arrays, FrameSimulator, to_codes, to_native
from defectscope.simulate.effects.resample import shift
from defectscope.simulate.parameters import jitter, ladder

_KINDS = ("illegal_range", "cast", "chroma_shift", "chroma_swap", "chroma_loss")
# What these do to a grey frame nobody sees.
_OF_COLOR = ("chroma_shift", "chroma_swap", "chroma_loss")
_LEAST_SATURATION_CODE = 1.5


@parameters
class Params:
    """Which colour error, and how strong."""

    kind: Annotated[
        str,
        choice(
            _KINDS,
            "`illegal_range` (full-range levels in a limited-range stream), `cast`, "
            "`chroma_shift`, `chroma_swap` (U and V exchanged) or `chroma_loss`.",
        ),
    ] = "cast"
    amount: Annotated[
        float,
        number(
            0,
            1.5,
            "For `illegal_range` the share of the way to full range; for `chroma_loss` "
            "the share of the colour that is lost, 0 to 1; unused otherwise.",
        ),
    ] = 1.0
    cast_u_code: Annotated[float, number(-80, 80, "What a cast adds to U.", "code")] = 0.0
    cast_v_code: Annotated[float, number(-80, 80, "What a cast adds to V.", "code")] = 0.0
    shift_x_px: Annotated[
        int, number(-64, 64, "Columns of luma by which the colour is off.", "px")
    ] = 0
    shift_y_px: Annotated[
        int, number(-64, 64, "Rows of luma by which the colour is off.", "px")
    ] = 0


class ColorError(FrameSimulator[Params]):
    """Damages levels or colours of every frame of the span.

    Shifting, exchanging or losing the colour of a frame that has none is refused.
    """

    name = "color_error"
    defects = ("color_error",)
    summary = "illegal levels, a cast, or shifted, swapped or lost colour"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws a kind and its strength; a swap of U and V has only one strength."""
        kinds = _KINDS
        if severity < 2 or (stream.video is not None and stream.video.full_range):
            kinds = ("cast", "chroma_shift", "chroma_loss")
        kind = kinds[int(rng.integers(len(kinds)))]
        if kind == "cast":
            angle = float(rng.uniform(0, 2 * np.pi))
            size = jitter(rng, ladder(severity, (6.0, 11.0, 18.0, 28.0, 42.0)))
            cast = (size * float(np.cos(angle)), size * float(np.sin(angle)))
            return Params(kind=kind, cast_u_code=cast[0], cast_v_code=cast[1])
        if kind == "chroma_shift":
            rows = stream.video.height if stream.video else 1080
            size = ladder(severity, (4.0, 8.0, 14.0, 22.0, 32.0)) * max(0.4, rows / 1080)
            across = max(2, round(size / 2) * 2) * (1 if float(rng.uniform()) < 0.5 else -1)
            down = 2 * round(size * float(rng.uniform(-0.5, 0.5)) / 2)
            return Params(kind=kind, shift_x_px=across, shift_y_px=down)
        if kind == "illegal_range":
            return Params(kind=kind, amount=ladder(severity, (0.4, 0.6, 0.9, 1.1, 1.4)))
        if kind == "chroma_loss":
            return Params(kind=kind, amount=ladder(severity, (0.6, 0.8, 0.95, 1.0, 1.0)))
        return Params(kind=kind)

    def impair(self, planes: Arrays, frame: Frame, index: int, plan: Plan[Params]) -> Arrays:
        """Returns the frame with wrong colours."""
        params, depth = plan.params, frame.bit_depth
        if len(planes) < 3:
            raise InvalidParameterError("colour errors need colour, and the frame is grey")
        luma, u, v = planes
        if index == 0 and params.kind in _OF_COLOR:
            away = [np.abs(to_codes(p, depth) - 128) for p in (u, v)]
            if float(np.maximum(*away).mean()) < _LEAST_SATURATION_CODE:
                raise InvalidParameterError(f"{params.kind} needs colour, and the frame is grey")
        if params.kind == "chroma_swap":
            return [luma, v, u]
        if params.kind == "chroma_shift":
            rows = params.shift_y_px * u.shape[0] // luma.shape[0]
            columns = params.shift_x_px * u.shape[1] // luma.shape[1]
            return [luma, shift(u, rows, columns), shift(v, rows, columns)]
        if params.kind == "cast":
            moved = zip((u, v), (params.cast_u_code, params.cast_v_code), strict=True)
            return [luma, *(to_native(to_codes(p, depth) + by, depth) for p, by in moved)]
        if params.kind == "chroma_loss":
            kept = np.float32(1 - min(1.0, params.amount))
            return [
                luma,
                *(to_native(128 + (to_codes(p, depth) - 128) * kept, depth) for p in (u, v)),
            ]
        # Limited to full range maps 16..235 to 0..255 and 16..240 to 0..255.
        stretch = 1 + params.amount * (255 / 219 - 1)
        wide = 1 + params.amount * (255 / 224 - 1)
        out: Arrays = [to_native((to_codes(luma, depth) - 125.5) * stretch + 125.5, depth)]
        out += [to_native((to_codes(p, depth) - 128) * wide + 128, depth) for p in (u, v)]
        return out


SIMULATORS: tuple[Simulator[Params], ...] = (ColorError(),)
