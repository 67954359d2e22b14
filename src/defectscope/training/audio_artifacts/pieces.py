"""Pieces of programmes with one defect each, 6 to 30 seconds long: what a decision is chosen on.

A piece is an excerpt of a recording, or short recordings of one corpus one after another. The
defect is somewhere in it, reaches its end, or fills it. Everything goes through a random level, and
every other piece through a codec.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.spectra import RATE_HZ
from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.contract import AudioSimulator
from defectscope.training.audio_artifacts import audibility, clips
from defectscope.training.audio_artifacts.clips import Damage
from defectscope.training.audio_artifacts.coding import through_codec
from defectscope.training.contract import Recording

Mono = NDArray[np.float64]
SHORTEST_S, LONGEST_S = 6.0, 30.0
# Softer than this a recording is next to silence.
_AUDIBLE_RMS = 1e-3
# So many draws in a row without a sound: there is none.
MOST_DRAWS = 1000
_PAUSES_S = (0.05, 0.6)
# A recording longer than this is taken as it is at times, however short beside the drawn length.
_WHOLE_S = 5.0
_TICK = RATE_HZ // audibility.TICKS_HZ
_RARER_SHARE, _CODED_SHARE = 0.4, 0.5


@dataclass(frozen=True, slots=True)
class Drawn:
    """A piece of sound with a defect.

    Attributes:
        recording: What it was made of.
        sound: (n,) int16 at 32 kHz.
        damage: What was done to it.
        audibility_db: (ticks,) how far it stands out, dB, every 50 ms.
        codec: What it went through, `none` for nothing.
    """

    recording: Recording
    sound: NDArray[np.int16]
    damage: Damage
    audibility_db: NDArray[np.int8]
    codec: str


# (sound, defect, span, level, rng) -> damaged sound, what was done, what it added.
Maker = Callable[[Mono, str, Interval, int, np.random.Generator], tuple[Mono, Damage, NDArray[Any]]]


def draw(
    recordings: Sequence[Recording], defect: str, make: Maker, rng: np.random.Generator
) -> Drawn:
    """Returns a piece with a defect.

    Args:
        recordings: What it may be made of.
        defect: Which.
        make: Damages a span of it; `by_simulator`, or another way.
        rng: Where chance comes from.
    """
    while True:
        recording, sound = excerpt(recordings, rng)
        level, span = int(rng.integers(1, 6)), _span(len(sound) / RATE_HZ, rng)
        damaged, damage, residual = make(sound, defect, span, level, rng)
        if damage.spans_s:
            break
    whole = len(damaged) // _TICK * _TICK
    audibility_db = audibility.of_clip(
        [damage], damaged[:whole], residual[None, :whole], slice(0, whole)
    )[:, CLASSES.index(defect)]
    coded, codec = passed_on(damaged, rng)
    return Drawn(recording, coded, damage, audibility_db, codec)


def passed_on(sound: NDArray[Any], rng: np.random.Generator) -> tuple[NDArray[np.int16], str]:
    """Returns a sound at a random level, at times through a codec, in sixteen bits."""
    out, name = clips.at_level(sound, rng), "none"
    if rng.uniform() < _CODED_SHARE:
        codec, bit_rate = clips.CODECS[int(rng.integers(1, len(clips.CODECS)))]
        out = through_codec(out, RATE_HZ, codec, bit_rate)
        name = f"{codec}@{bit_rate}"
    return np.round(np.clip(out, -1, 1) * 32767).astype(np.int16), name


def excerpt(recordings: Sequence[Recording], rng: np.random.Generator) -> tuple[Recording, Mono]:
    """Returns an interval of programme and the recording that it begins with."""
    by_corpus: dict[str, list[Recording]] = {}
    for recording in recordings:
        by_corpus.setdefault(recording.corpus, []).append(recording)
    names = sorted(by_corpus)
    # Corpora differ in size a thousandfold: a large one is drawn more often, not as much more.
    weights = np.array([len(by_corpus[name]) ** 0.5 for name in names])
    for _ in range(MOST_DRAWS):
        own = by_corpus[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
        recording = own[int(rng.integers(len(own)))]
        sound = clips.read_mono(recording.path, RATE_HZ)
        length = round(float(np.exp(rng.uniform(*np.log((SHORTEST_S, LONGEST_S))))) * RATE_HZ)
        if len(sound) >= length:
            start = int(rng.integers(0, len(sound) - length + 1))
            sound = sound[start : start + length]
        elif len(sound) < _WHOLE_S * RATE_HZ or rng.uniform() < 0.5:
            sound = _joined(sound, own, length, rng)
        out = sound / 32768
        if float(np.sqrt(np.mean(out**2))) > _AUDIBLE_RMS:
            return recording, out
    raise too_quiet(recordings)


def too_quiet(recordings: Sequence[Recording]) -> InvalidParameterError:
    """Returns the error of recordings in which nothing sounds."""
    first = recordings[0]
    return InvalidParameterError(
        f"nothing sounds in any recording of the {first.split} split, such as {first.name}"
    )


def _joined(
    first: NDArray[np.int16], others: Sequence[Recording], length: int, rng: np.random.Generator
) -> NDArray[np.int16]:
    """Returns short recordings one after another, with pauses between."""
    parts, count = [first], len(first)
    while count < length:
        pause = np.zeros(round(float(rng.uniform(*_PAUSES_S)) * RATE_HZ), np.int16)
        following = others[int(rng.integers(len(others)))]
        parts += [pause, clips.read_mono(following.path, RATE_HZ)]
        count += len(parts[-1]) + len(pause)
    return np.concatenate(parts)[:length]


def _span(length_s: float, rng: np.random.Generator) -> Interval:
    """Returns where the defect goes: everywhere, up to the end, or 1.5 to 10 seconds somewhere."""
    kind = rng.uniform()
    if kind < 0.25:
        return Interval(0.0, length_s)
    if kind < 0.4:
        return Interval(float(rng.uniform(0.15, 0.6)) * length_s, length_s)
    lasts_s = min(0.7 * length_s, float(np.exp(rng.uniform(*np.log((1.5, 10.0))))))
    start_s = float(rng.uniform(0.05 * length_s, 0.98 * length_s - lasts_s))
    return Interval(start_s, start_s + lasts_s)


def by_simulator(
    sound: Mono, defect: str, span: Interval, level: int, rng: np.random.Generator
) -> tuple[Mono, Damage, NDArray[Any]]:
    """Returns a sound that the project's simulator has damaged, usual and rarer families alike."""
    module = clips.MODULES[defect]
    tool = cast("AudioSimulator[Any]", module.SIMULATORS[0])
    audio = AudioInfo(RATE_HZ, ("FC",), "mono", "pcm_f32le")
    stream = StreamInfo("piece", "wav", len(sound) / RATE_HZ, None, audio)
    plan = tool.plan(stream, span, seed=int(rng.integers(2**31)), severity=level)
    if rng.uniform() < _RARER_SHARE:
        family = str(rng.choice(module.RARER))
        plan = replace(plan, params=module.rarer(plan.params, family, level, rng))
    events: list[Any] = []
    clean = sound.astype(np.float32)
    (run,) = tool.apply([Samples(0, clean[:, None])], plan, events)
    damaged = run.data[:, 0]
    residual = damaged - clean * clips.level_gain(clean, damaged, span, RATE_HZ)
    spans = tuple((e.start_s, e.end_s) for e in events)
    damage = Damage(defect, plan.params.family, level, spans, {})
    return damaged.astype(np.float64), damage, residual


def by_either(
    sound: Mono, defect: str, span: Interval, level: int, rng: np.random.Generator
) -> tuple[Mono, Damage, NDArray[Any]]:
    """Returns a sound damaged by the simulator or, every other time, by a cause of no name."""
    if rng.uniform() < 0.5:
        return by_simulator(sound, defect, span, level, rng)
    clean = sound.astype(np.float32)
    damaged, damage, residual = clips.by_chance(clean, RATE_HZ, defect, span, level, rng)
    return damaged.astype(np.float64), damage, residual
