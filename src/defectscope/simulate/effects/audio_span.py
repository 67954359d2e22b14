"""The frame of simulators that must hear their whole span before they know how loud to be."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.media.frames import Samples
from defectscope.simulate.contract import AudioSimulator, Plan, Truth
from defectscope.simulate.effects.sound import from_db, sample_span

# SciPy annotates its results with arrays of other libraries as well.
signal = cast("Any", scipy.signal)

P = TypeVar("P")
Sound = NDArray[np.float32]
Events = list[tuple[int, int]]

# The span is held in memory: 20 minutes of 48 kHz stereo are 460 MB.
MAX_SPAN_S = 1200.0
# Over so many milliseconds the impaired sound takes over from the clean one, and back.
_SEAM_MS = 2.0
# A defect is made relative to the programme, but never softer than this below its overall level:
# what hides under nothing at all would not be a defect that anybody hears.
_FLOOR_DB = -42.0


class WholeSpanSimulator(AudioSimulator[P]):
    """Renders a defect over the whole span at once; `render` is all that a subclass writes."""

    def apply(
        self, runs: Iterable[Samples], plan: Plan[P], truth: list[Truth]
    ) -> Iterator[Samples]:
        """Returns the runs, those inside the span impaired and kept at their loudness."""
        rate_hz = plan.audio.rate_hz
        if plan.span.duration_s > MAX_SPAN_S:
            raise InvalidParameterError(f"{self.name} takes spans of up to {MAX_SPAN_S:g} s")
        first, last = sample_span(plan.span, rate_hz)
        held: list[Samples] = []
        for run in runs:
            if run.start + len(run.data) <= first or run.start >= last:
                if held and run.start >= last:
                    yield from self._impair(held, first, last, plan, truth)
                    held = []
                yield run
            else:
                held.append(run)
        if held:
            yield from self._impair(held, first, last, plan, truth)

    def _impair(
        self, held: list[Samples], first: int, last: int, plan: Plan[P], truth: list[Truth]
    ) -> Iterator[Samples]:
        rate_hz = plan.audio.rate_hz
        cuts = [(max(first - run.start, 0), min(last - run.start, len(run.data))) for run in held]
        programme = np.concatenate([run.data[a:b] for run, (a, b) in zip(held, cuts, strict=True)])
        impaired, events = self.render(programme, rate_hz, plan.params, plan.rng(0))
        impaired = seam(programme, match_level(programme, impaired), rate_hz)
        begin = held[0].start + cuts[0][0]
        for start, end in events:
            truth.append(
                plan.truth(self.defects[0], (begin + start) / rate_hz, (begin + end) / rate_hz)
            )
        place = 0
        for run, (a, b) in zip(held, cuts, strict=True):
            data = run.data.copy()
            data[a:b] = impaired[place : place + b - a]
            place += b - a
            yield Samples(run.start, data)

    @abstractmethod
    def render(
        self, programme: Sound, rate_hz: int, params: P, rng: np.random.Generator
    ) -> tuple[Sound, Events]:
        """Returns the impaired sound and where it is impaired.

        Args:
            programme: (n, channels) float32, the clean span.
            rate_hz: Its sample rate.
            params: What to make.
            rng: Where chance comes from.

        Returns:
            The sound, of the programme's shape, and half-open spans in samples.
        """


def match_level(programme: Sound, impaired: Sound) -> Sound:
    """Returns the impaired sound at the programme's RMS, so that loudness tells nothing."""
    clean, dirty = rms(programme), rms(impaired)
    if clean < 1e-6 or dirty < 1e-9:
        return impaired.astype(np.float32)
    # Over near silence the defect is all there is to hear: pulling it down would hide it.
    return (impaired * np.float32(np.clip(clean / dirty, 0.25, 4.0))).astype(np.float32)


def seam(programme: Sound, impaired: Sound, rate_hz: int) -> Sound:
    """Returns the impaired sound with short cross-fades to the programme at both ends."""
    length = len(programme)
    edge = min(round(_SEAM_MS / 1000 * rate_hz), length // 4)
    if edge == 0:
        return impaired
    weight = np.ones(length, np.float32)
    rise = np.linspace(0, 1, edge, endpoint=False, dtype=np.float32)
    weight[:edge], weight[length - edge :] = rise, rise[::-1]
    return (programme + (impaired - programme) * weight[:, None]).astype(np.float32)


def rms(sound: NDArray[np.floating]) -> float:
    """Returns the root mean square over all samples and channels."""
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if sound.size else 0.0


def band_level(programme: Sound, rate_hz: int, low_hz: float, high_hz: float) -> float:
    """Returns the programme's usual level in a band, as an amplitude (RMS).

    The median over tenths of a second, so that neither pauses nor bursts decide, and at least 42 dB
    below the overall level.
    """
    mono = programme.mean(axis=1, dtype=np.float64)
    high_hz = min(high_hz, 0.45 * rate_hz)
    sos = signal.butter(2, [low_hz, high_hz], "bandpass", fs=rate_hz, output="sos")
    inside = signal.sosfilt(sos, mono)
    frame = max(1, rate_hz // 10)
    count = max(1, len(inside) // frame)
    usable = inside[: count * frame] if len(inside) >= frame else inside
    levels = np.sqrt(np.mean(usable.reshape(count, -1) ** 2, axis=1))
    return max(float(np.median(levels)), rms(programme) * from_db(_FLOOR_DB), 1e-5)


def gates(
    length: int, rate_hz: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Events]:
    """Returns an on-off envelope with ramps of some milliseconds, and where it is on.

    Intervals of 0.6 to 2.5 s on and 0.3 to 1.5 s off.
    """
    envelope = np.zeros(length, np.float32)
    events: Events = []
    place = round(float(rng.uniform(0.0, 0.6)) * rate_hz)
    while place < length:
        on = round(float(rng.uniform(0.6, 2.5)) * rate_hz)
        end = min(length, place + on)
        edge = max(1, min(round(float(rng.uniform(0.005, 0.06)) * rate_hz), (end - place) // 2))
        shape = np.ones(end - place, np.float32)
        rise = np.linspace(0, 1, edge, dtype=np.float32)
        shape[:edge] = rise
        shape[len(shape) - edge :] = rise[::-1]
        envelope[place:end] = shape
        events.append((place, end))
        place = end + round(float(rng.uniform(0.3, 1.5)) * rate_hz)
    return envelope, events
