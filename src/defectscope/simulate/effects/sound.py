"""Runs of samples, and the frame of simulators that change an interval of sound."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.simulate.contract import AudioSimulator, Plan, Truth

P = TypeVar("P")
Block = NDArray[np.float32]


class SpanEffect(Protocol):
    """Changes the samples of one span, block after block; state lives here."""

    def __call__(self, block: Block, position: int) -> NDArray[np.floating[Any]]:
        """Returns the changed samples.

        Args:
            block: (n, channels) samples inside the span; not to be written to.
            position: Samples since the start of the span.
        """
        ...


def sample_span(span: Interval, rate_hz: int) -> tuple[int, int]:
    """Returns a span as first sample and first sample after it."""
    return round(span.start_s * rate_hz), round(span.end_s * rate_hz)


class SpanSimulator(AudioSimulator[P]):
    """Changes the samples inside the span: `open` is all that a subclass writes."""

    def apply(
        self, runs: Iterable[Samples], plan: Plan[P], truth: list[Truth]
    ) -> Iterator[Samples]:
        """Returns the runs, the samples inside the span changed."""
        rate_hz = plan.audio.rate_hz
        first, last = sample_span(plan.span, rate_hz)
        effect = self.open(plan, last - first)
        reached: tuple[int, int] | None = None
        for run in runs:
            begin = max(first, run.start)
            end = min(last, run.start + len(run.data))
            if begin >= end:
                yield run
                continue
            data = run.data.copy()
            inside = slice(begin - run.start, end - run.start)
            data[inside] = effect(run.data[inside], begin - first)
            reached = (begin if reached is None else reached[0], end)
            yield Samples(run.start, data)
        if reached is not None:
            truth.extend(self.truths(plan, reached[0] / rate_hz, reached[1] / rate_hz))

    @abstractmethod
    def open(self, plan: Plan[P], length: int) -> SpanEffect:
        """Returns the effect for a span of `length` samples."""

    def truths(self, plan: Plan[P], start_s: float, end_s: float) -> list[Truth]:
        """Returns the truth of a span that was changed."""
        return [plan.truth(self.defects[0], start_s, end_s)]


def ramp(
    position: int, count: int, length: int, ramp_in: int, ramp_out: int
) -> NDArray[np.float32]:
    """Returns how strongly an effect is on, 0 to 1, with raised-cosine edges inside the span.

    Args:
        position: Samples since the start of the span.
        count: Samples wanted.
        length: Samples of the whole span.
        ramp_in: Samples of the edge at the start, 0 for a hard one.
        ramp_out: Likewise at the end.

    Returns:
        (count, 1) float32.
    """
    at = np.arange(position, position + count, dtype=np.float64)
    strength = np.ones(count)
    if ramp_in > 0:
        strength = np.minimum(strength, (at + 0.5) / ramp_in)
    if ramp_out > 0:
        strength = np.minimum(strength, (length - at - 0.5) / ramp_out)
    shaped = 0.5 - 0.5 * np.cos(np.pi * np.clip(strength, 0, 1))
    return shaped.astype(np.float32)[:, None]


def from_db(level_db: float) -> float:
    """Returns a level in decibels as an amplitude ratio."""
    return 10.0 ** (level_db / 20.0)
