"""Sound that is early or late: the samples of an interval are moved, start and length stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters
from defectscope.simulate.contract import AudioSimulator, Plan, Simulator, Truth
from defectscope.simulate.effects.sound import ramp, sample_span
from defectscope.simulate.parameters import ladder

# Over so many milliseconds the moved sound takes over from the sound in step, and back.
_SEAM_MS = 4.0
_MAX_MS = 2000.0
# By severity.
_LATE_MS = (90.0, 125.0, 185.0, 300.0, 480.0)
_EARLY_MS = (60.0, 80.0, 120.0, 220.0, 400.0)


@parameters
class Params:
    """How far the sound is moved."""

    offset_ms: Annotated[
        float,
        number(
            -2000,
            2000,
            "Milliseconds by which the sound comes too late; negative for too early., not 0.",
            "ms",
        ),
    ] = 240.0

    def __post_init__(self) -> None:
        if self.offset_ms == 0:
            raise ValueError("offset_ms is -2000 to 2000 ms and not 0")


class LipSyncError(AudioSimulator[Params]):
    """Moves the samples of the span against the frame.

    Neither time stamps nor lengths tell of it. What would come from before the beginning or after
    the end of the programme is silence.
    """

    name = "av_sync"
    defects = ("av_sync",)
    summary = "the sound is early or late against the lips"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws how far by severity, and whether early or late.

        Source: ITU-R BT.1359-1, annex 1, for what is noticed (45 ms early, 125 ms late) and what
        is refused (90 ms early, 185 ms late); early sound needs less.
        """
        late = float(rng.uniform()) < 0.5
        size_ms = ladder(severity, _LATE_MS if late else _EARLY_MS) * float(rng.uniform(0.9, 1.1))
        return Params(offset_ms=size_ms if late else -size_ms)

    def apply(
        self, runs: Iterable[Samples], plan: Plan[Params], truth: list[Truth]
    ) -> Iterator[Samples]:
        """Returns the runs, the samples inside the span moved."""
        rate_hz = plan.audio.rate_hz
        first, last = sample_span(plan.span, rate_hz)
        shift = round(plan.params.offset_ms / 1000 * rate_hz)
        edge = min(round(_SEAM_MS / 1000 * rate_hz), max(0, last - first) // 4)
        past = _Past(first - max(0, shift))
        waiting: list[Samples] = []
        reached: tuple[int, int] | None = None

        def finished() -> Iterator[Samples]:
            nonlocal reached
            # A run is ready when what moves into it has been read, or nothing more will come.
            while waiting and (past.ended or past.end >= _stop(waiting[0]) - min(0, shift)):
                run = waiting.pop(0)
                begin, end = max(first, run.start), min(last, _stop(run))
                if begin < end:
                    run = _moved(run, begin, end, past, shift, (first, last), edge)
                    reached = (begin if reached is None else reached[0], end)
                yield run
                past.forget((waiting[0].start if waiting else past.end) - max(0, shift))

        for run in runs:
            past.add(run)
            waiting.append(run)
            yield from finished()
        past.ended = True
        yield from finished()
        if reached is not None:
            truth.append(plan.truth("av_sync", reached[0] / rate_hz, reached[1] / rate_hz))


class _Past:
    """Samples by their place, as far as they are still needed."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._runs: list[Samples] = []
        self.end = 0
        self.ended = False

    def add(self, run: Samples) -> None:
        self.end = max(self.end, _stop(run))
        if self.end > self._first:
            self._runs.append(run)

    def forget(self, before: int) -> None:
        self._runs = [run for run in self._runs if _stop(run) > before]

    def read(self, first: int, last: int, channels: int) -> NDArray[np.float32]:
        """Returns the samples [first, last), silence where there are none."""
        out = np.zeros((last - first, channels), np.float32)
        for run in self._runs:
            low, high = max(first, run.start), min(last, _stop(run))
            if low < high:
                out[low - first : high - first] = run.data[low - run.start : high - run.start]
        return out


def _stop(run: Samples) -> int:
    return run.start + len(run.data)


def _moved(
    run: Samples,
    begin: int,
    end: int,
    past: _Past,
    shift: int,
    span: tuple[int, int],
    edge: int,
) -> Samples:
    moved = past.read(begin - shift, end - shift, run.data.shape[1])
    strength = ramp(begin - span[0], end - begin, span[1] - span[0], edge, edge)
    data = run.data.copy()
    inside = slice(begin - run.start, end - run.start)
    data[inside] += (moved - data[inside]) * strength
    return Samples(run.start, data)


SIMULATORS: tuple[Simulator[Params], ...] = (LipSyncError(),)
