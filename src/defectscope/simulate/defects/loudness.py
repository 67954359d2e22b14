"""Loudness faults: an interval too loud or too soft, and true peaks over full scale."""

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


@parameters
class GainParams:
    """A change of level."""

    gain_db: Annotated[float, number(-40, 40, "Level change.", "dB")] = 8.0
    limit_dbfs: Annotated[
        float, number(-20, 0, "Sample level that a soft limiter keeps the result under.", "dBFS")
    ] = -3.0
    ramp_ms: Annotated[float, number(0, 5000, "Length of the change at either end.", "ms")] = 10.0


class LoudnessChange(SpanSimulator[GainParams]):
    """Turns the level of the span up or down; a limiter keeps loud results from clipping."""

    name = "loudness"
    defects = ("loudness",)
    summary = "an interval is too loud or too soft"
    params = GainParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> GainParams:
        """Draws the size of the change by severity, and its sign."""
        size_db = ladder(severity, (2.0, 4.0, 7.0, 11.0, 16.0)) * float(rng.uniform(0.9, 1.1))
        sign = 1.0 if float(rng.uniform()) < 0.5 else -1.0
        return GainParams(gain_db=sign * size_db)

    def open(self, plan: Plan[GainParams], length: int) -> SpanEffect:
        """Returns the change of level."""
        edge = min(round(plan.params.ramp_ms / 1000 * plan.audio.rate_hz), length // 2)
        return partial(_change, params=plan.params, length=length, edge=edge)


def _change(
    block: Block, position: int, *, params: GainParams, length: int, edge: int
) -> NDArray[np.float32]:
    strength = ramp(position, len(block), length, edge, edge)
    out = block * np.power(10.0, strength * params.gain_db / 20).astype(np.float32)
    if params.gain_db <= 0:
        return out
    # Straight up to half the limit, then bent so that the limit is never passed.
    limit = np.float32(from_db(params.limit_dbfs))
    knee = limit / 2
    size = np.abs(out)
    bent = np.sign(out) * (knee + (limit - knee) * np.tanh((size - knee) / (limit - knee)))
    # Fully limited only where the gain is fully on, so that the edges stay seamless.
    out = np.where(size > knee, out + (bent - out) * strength, out)
    ceiling = np.maximum(limit, np.abs(block))
    return np.clip(out, -ceiling, ceiling).astype(np.float32)


@parameters
class PeakParams:
    """Peaks between the samples."""

    over_db: Annotated[
        float, number(0.1, 6, "How far the true peak lies over full scale.", "dB")
    ] = 1.5
    every_ms: Annotated[float, number(20, 2000, "Time from one burst to the next.", "ms")] = 150.0
    channel: Annotated[
        int, number(-1, 63, "Channel that gets them, counted from 0; -1 is all of them.")
    ] = -1


class TruePeak(SpanSimulator[PeakParams]):
    """Adds short tone bursts whose samples stay under full scale and whose true peaks do not.

    A tone at a quarter of the sample rate, sampled 45 degrees off its crests, peaks 3.01 dB above
    its samples: the worst case that ITU-R BS.1770-5, Annex 2, describes. Up to 3 dB over need no
    sample beyond full scale; above that, samples exceed it too, as floating-point files allow.
    """

    name = "true_peak"
    defects = ("true_peak",)
    summary = "true peaks over full scale, between the samples"
    params = PeakParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> PeakParams:
        """Draws how far over the peaks lie and how often they come."""
        return PeakParams(
            over_db=ladder(severity, (0.3, 0.8, 1.5, 2.2, 2.9)) * float(rng.uniform(0.9, 1.0)),
            every_ms=float(rng.uniform(80, 250)),
        )

    def open(self, plan: Plan[PeakParams], length: int) -> SpanEffect:
        """Returns the bursts."""
        if plan.params.channel >= len(plan.audio.channels):
            raise InvalidParameterError(
                f"channel {plan.params.channel} of {len(plan.audio.channels)} channels"
            )
        every = max(64, round(plan.params.every_ms / 1000 * plan.audio.rate_hz))
        return partial(_burst, params=plan.params, length=length, every=every)

    def truths(self, plan: Plan[PeakParams], start_s: float, end_s: float) -> list[Truth]:
        """Returns the truth: from the first burst's crest to the last one's."""
        rate_hz = plan.audio.rate_hz
        every = max(64, round(plan.params.every_ms / 1000 * rate_hz))
        length = round((end_s - start_s) * rate_hz)
        bursts = length // every
        if bursts == 0:
            return []
        last_s = start_s + ((bursts - 1) * every + _BURST_SAMPLES) / rate_hz
        return [plan.truth("true_peak", start_s, last_s, bursts=bursts)]


_BURST_SAMPLES = 32
# sin at 45, 135, 225, 315 degrees: every sample is 3.01 dB below the tone's crest.
_PATTERN = np.array([1.0, 1.0, -1.0, -1.0], dtype=np.float32) * np.float32(np.sqrt(0.5))


def _burst(
    block: Block, position: int, *, params: PeakParams, length: int, every: int
) -> NDArray[np.float32]:
    at = np.arange(position, position + len(block))
    inside = at % every
    # A burst is whole or not there at all.
    on = (inside < _BURST_SAMPLES) & (at - inside + every <= length)
    envelope = np.clip(np.sin(np.pi * (inside + 0.5) / _BURST_SAMPLES) * 2, 0, 1)
    tone = _PATTERN[inside % 4] * envelope.astype(np.float32) * np.float32(from_db(params.over_db))
    weight = np.where(on, envelope, 0).astype(np.float32)[:, None]
    out = block * (1 - weight) + np.where(on, tone, 0).astype(np.float32)[:, None]
    if params.channel < 0:
        return out.astype(np.float32)
    kept = block.copy()
    kept[:, params.channel] = out[:, params.channel]
    return kept


SIMULATORS: tuple[Simulator[GainParams] | Simulator[PeakParams], ...] = (
    LoudnessChange(),
    TruePeak(),
)
