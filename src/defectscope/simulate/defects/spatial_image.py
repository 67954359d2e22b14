"""Faults of the image of a stereo pair: a late channel, a narrowed image, an image that leans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.sound import Block, SpanEffect, SpanSimulator, from_db, ramp
from defectscope.simulate.parameters import jitter, ladder

KINDS = ("delay", "narrow", "lean")
# Hard switches would click, and a click is another defect.
_EDGE_S = 0.005


@parameters
class Params:
    """What happens to the first two channels."""

    kind: Annotated[
        str,
        choice(
            KINDS,
            "`delay` (one channel late), `narrow` (part of their difference lost) or `lean` (one "
            "channel softer).",
        ),
    ] = "delay"
    channel: Annotated[int, number(0, 1, "Channel that is late or softer, counted from 0.")] = 1
    delay_ms: Annotated[float, number(0.2, 40, "How late; of `delay`.", "ms")] = 6.0
    share: Annotated[
        float, number(0.2, 0.95, "Share of the difference that is lost; of `narrow`.")
    ] = 0.7
    gain_db: Annotated[
        float, number(-12, -1, "Level change of the softer channel; of `lean`.", "dB")
    ] = -5.0


class SpatialImage(SpanSimulator[Params]):
    """Delays one channel, narrows the pair, or lets it lean."""

    name = "spatial_image"
    defects = ("spatial_image",)
    summary = "one channel is late, or the image narrows or leans"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws a kind; only what lasts from end to end can lean."""
        whole = stream.duration_s > 0 and span.duration_s >= 0.95 * stream.duration_s
        kinds = ("delay", "lean") if whole else ("delay", "narrow")
        return Params(
            kind=kinds[int(rng.integers(2))],
            channel=int(rng.integers(2)),
            delay_ms=jitter(rng, ladder(severity, (0.7, 1.5, 4.0, 10.0, 25.0))),
            share=ladder(severity, (0.5, 0.6, 0.7, 0.8, 0.9)),
            gain_db=-jitter(rng, ladder(severity, (2.5, 3.5, 5.0, 7.0, 9.0))),
        )

    def open(self, plan: Plan[Params], length: int) -> SpanEffect:
        """Returns the effect.

        Raises:
            InvalidParameterError: The sound lacks the channels that this needs.
        """
        if len(plan.audio.channels) < 2:
            raise InvalidParameterError("an image needs two channels")
        rate_hz = plan.audio.rate_hz
        edge = min(round(_EDGE_S * rate_hz), length // 4)
        change = _change(plan.params, rate_hz)

        def effect(block: Block, position: int) -> NDArray[Any]:
            strength = ramp(position, len(block), length, edge, edge)
            return (block + (change(block) - block) * strength).astype(np.float32)

        return effect


def _change(params: Params, rate_hz: int) -> Callable[[Block], NDArray[Any]]:
    late = max(1, round(params.delay_ms / 1000 * rate_hz))
    waiting = np.zeros(late, np.float32)

    def change(block: Block) -> NDArray[Any]:
        nonlocal waiting
        out = block.copy()
        if params.kind == "lean":
            out[:, params.channel] *= np.float32(from_db(params.gain_db))
        elif params.kind == "narrow":
            apart = (block[:, 0] - block[:, 1]) * np.float32(params.share / 2)
            out[:, 0] -= apart
            out[:, 1] += apart
        else:
            line = np.concatenate([waiting, block[:, params.channel]])
            out[:, params.channel] = line[: len(block)]
            waiting = line[len(block) :]
        return out

    return change


SIMULATORS: tuple[Simulator[Params], ...] = (SpatialImage(),)
