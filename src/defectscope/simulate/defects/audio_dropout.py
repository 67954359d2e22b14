"""Audio drop-outs: the sound goes away, in one channel or in all, hard or with ramps."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters
from defectscope.simulate.contract import Plan, Simulator, Truth
from defectscope.simulate.effects.sound import Block, SpanEffect, SpanSimulator, from_db, ramp
from defectscope.simulate.parameters import ladder

# From here on a channel that is gone while its partner plays is called missing.
_ONE_SIDED_S = 0.4


@parameters
class Params:
    """How and where the sound goes away."""

    channel: Annotated[
        int, number(-1, 63, "Channel that drops out, counted from 0; -1 is all of them.")
    ] = -1
    depth_db: Annotated[
        float, number(20, 200, "How far the level falls; from 200 on it is digital silence.", "dB")
    ] = 200.0
    ramp_ms: Annotated[
        float, number(0, 500, "Length of the fade at either end; it lies inside the span.", "ms")
    ] = 0.0


class AudioDropout(SpanSimulator[Params]):
    """Fades the sound of the span away and back."""

    name = "audio_dropout"
    defects = ("audio_dropout",)
    summary = "the sound goes away, in one channel or in all"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws depth, ramps and whether one channel or all drop out.

        One channel alone drops out for a moment only: for longer it is a missing channel.
        """
        channels = len(stream.audio.channels) if stream.audio else 1
        short = span.duration_s < _ONE_SIDED_S
        one = channels > 1 and float(rng.uniform()) < 0.4 and short
        ramp_ms = ladder(severity, (20.0, 12.0, 5.0, 1.0, 0.0)) * float(rng.uniform(0.0, 1.0))
        return Params(
            channel=int(rng.integers(channels)) if one else -1,
            depth_db=ladder(severity, (50.0, 65.0, 80.0, 110.0, 200.0)),
            # Ramps must leave most of a short span silent.
            ramp_ms=min(ramp_ms, span.duration_s * 100),
        )

    def open(self, plan: Plan[Params], length: int) -> SpanEffect:
        """Returns the fade."""
        params = plan.params
        if params.channel >= len(plan.audio.channels):
            raise InvalidParameterError(
                f"channel {params.channel} of {len(plan.audio.channels)} channels"
            )
        edge = round(params.ramp_ms / 1000 * plan.audio.rate_hz)
        return partial(_fade, params=params, length=length, edge=min(edge, length // 2))

    def truths(self, plan: Plan[Params], start_s: float, end_s: float) -> list[Truth]:
        """Returns the truth, with the channel by name.

        Half of a ramp is still heard: the ends lie where the level has fallen to half.
        """
        half = min(plan.params.ramp_ms / 2000, (end_s - start_s) / 4)
        channel = plan.params.channel
        named = "all" if channel < 0 else plan.audio.channels[channel]
        return [plan.truth("audio_dropout", start_s + half, end_s - half, channel_name=named)]


def _fade(
    block: Block, position: int, *, params: Params, length: int, edge: int
) -> NDArray[np.float32]:
    strength = ramp(position, len(block), length, edge, edge)
    floor = 0.0 if params.depth_db >= 200 else from_db(-params.depth_db)
    gain = 1 - strength * np.float32(1 - floor)
    out = block.copy()
    if params.channel < 0:
        out *= gain
    else:
        out[:, params.channel] *= gain[:, 0]
    return out


SIMULATORS: tuple[Simulator[Params], ...] = (AudioDropout(),)
