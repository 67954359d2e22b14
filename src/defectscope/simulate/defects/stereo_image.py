"""Faults of the stereo image: inverted phase, collapse to mono, imbalance, a missing channel."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters
from defectscope.simulate.contract import Plan, Simulator
from defectscope.simulate.effects.sound import Block, SpanEffect, SpanSimulator, from_db, ramp
from defectscope.simulate.parameters import jitter, ladder

P = TypeVar("P")
Change = Callable[[Block], NDArray[Any]]


@parameters
class PhaseParams:
    """An inverted channel."""

    channel: Annotated[int, number(0, 63, "Channel that is inverted, counted from 0.")] = 1
    level: Annotated[
        float, number(0.1, 1, "Level of the inverted channel against what it was.")
    ] = 1.0


@parameters
class MonoParams:
    """A collapse of the first two channels."""

    depth: Annotated[
        float, number(0.2, 1, "Share of the difference between them that is lost.")
    ] = 1.0


@parameters
class ImbalanceParams:
    """A channel at the wrong level."""

    channel: Annotated[int, number(0, 63, "Channel that is turned down, counted from 0.")] = 1
    gain_db: Annotated[float, number(-30, -0.5, "Its level change.", "dB")] = -8.0


@parameters
class MissingParams:
    """A channel that is not there."""

    channel: Annotated[int, number(0, 63, "Channel that is lost, counted from 0.")] = 1
    residue_db: Annotated[
        float, number(-200, -30, "Level at which it is still there; -200 is digital silence.", "dB")
    ] = -200.0


# Hard switches would click, and a click is another defect.
_EDGE_S = 0.005


class _StereoSimulator(SpanSimulator[P]):
    """Changes blocks, faded in and out over a few milliseconds."""

    def open(self, plan: Plan[P], length: int) -> SpanEffect:
        """Returns the effect.

        Raises:
            InvalidParameterError: The sound lacks the channels that this needs.
        """
        channels = len(plan.audio.channels)
        if channels < 2:
            raise InvalidParameterError("a stereo image needs two channels")
        if getattr(plan.params, "channel", 0) >= channels:
            raise InvalidParameterError(f"there are only {channels} channels")
        edge = min(round(_EDGE_S * plan.audio.rate_hz), length // 4)
        return partial(_faded, change=partial(self.change, plan.params), length=length, edge=edge)

    @abstractmethod
    def change(self, params: P, block: Block) -> NDArray[Any]:
        """Returns a block, changed."""


def _faded(
    block: Block, position: int, *, change: Change, length: int, edge: int
) -> NDArray[np.float32]:
    changed = change(block)
    strength = ramp(position, len(block), length, edge, edge)
    return (block + (changed - block) * strength).astype(np.float32)


class PhaseInversion(_StereoSimulator[PhaseParams]):
    """Inverts one channel; the milder, the softer that channel is."""

    name = "phase_inversion"
    defects = ("phase_inversion",)
    summary = "one channel is inverted"
    params = PhaseParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> PhaseParams:
        """Draws one of the first two channels; severity sets its level."""
        level = ladder(severity, (0.3, 0.5, 0.75, 0.9, 1.0))
        return PhaseParams(channel=int(rng.integers(2)), level=level)

    def change(self, params: PhaseParams, block: Block) -> NDArray[Any]:
        """Returns the block with one channel inverted."""
        out = block.copy()
        out[:, params.channel] *= np.float32(-params.level)
        return out


class MonoCollapse(_StereoSimulator[MonoParams]):
    """Takes the difference of the first two channels away."""

    name = "mono_collapse"
    defects = ("mono_collapse",)
    summary = "stereo collapses to mono"
    params = MonoParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> MonoParams:
        """Draws how much of the difference is lost."""
        return MonoParams(depth=ladder(severity, (0.7, 0.85, 0.95, 1.0, 1.0)))

    def change(self, params: MonoParams, block: Block) -> NDArray[Any]:
        """Returns the block with its first two channels alike."""
        out = block.copy()
        middle = (block[:, 0] + block[:, 1]) / 2
        for channel in (0, 1):
            out[:, channel] += (middle - block[:, channel]) * np.float32(params.depth)
        return out


class ChannelImbalance(_StereoSimulator[ImbalanceParams]):
    """Turns one channel down."""

    name = "channel_imbalance"
    defects = ("channel_imbalance",)
    summary = "one channel is at the wrong level"
    params = ImbalanceParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> ImbalanceParams:
        """Draws one of the first two channels and how far it is turned down."""
        gain_db = -jitter(rng, ladder(severity, (2.5, 4.5, 7.5, 11.0, 16.0)))
        return ImbalanceParams(channel=int(rng.integers(2)), gain_db=gain_db)

    def change(self, params: ImbalanceParams, block: Block) -> NDArray[Any]:
        """Returns the block with one channel softer."""
        out = block.copy()
        out[:, params.channel] *= np.float32(from_db(params.gain_db))
        return out


class ChannelMissing(_StereoSimulator[MissingParams]):
    """Takes one channel away."""

    name = "channel_missing"
    defects = ("channel_missing",)
    summary = "one channel is missing"
    params = MissingParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> MissingParams:
        """Draws a channel and how much of it is left."""
        channels = len(stream.audio.channels) if stream.audio else 2
        return MissingParams(
            channel=int(rng.integers(max(2, channels))),
            residue_db=ladder(severity, (-45.0, -55.0, -70.0, -110.0, -200.0)),
        )

    def change(self, params: MissingParams, block: Block) -> NDArray[Any]:
        """Returns the block without one channel."""
        out = block.copy()
        kept = 0.0 if params.residue_db <= -200 else from_db(params.residue_db)
        out[:, params.channel] *= np.float32(kept)
        return out


SIMULATORS: tuple[Simulator[Any], ...] = (
    PhaseInversion(),
    MonoCollapse(),
    ChannelImbalance(),
    ChannelMissing(),
)
