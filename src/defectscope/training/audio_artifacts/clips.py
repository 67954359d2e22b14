"""Clips for training on sound: excerpts, impaired or not, all through the same chain.

Whether a clip is impaired or not, it goes through the same mixing, levels, band limits and
codecs, so that nothing but the defect tells the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.media.opening import open_media
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.contract import AudioSimulator
from defectscope.simulate.defects import audio_clicks, audio_distortion, audio_hiss, audio_hum
from defectscope.simulate.effects.audio_span import match_level, seam
from defectscope.simulate.effects.sound import sample_span
from defectscope.training.audio_artifacts import ways
from defectscope.training.audio_artifacts.coding import resample
from defectscope.training.audio_artifacts.hard_negatives import hard_negative

# SciPy annotates its results with arrays of other libraries as well.
signal = cast("Any", scipy.signal)

Mono = NDArray[np.float32]

# Codec, bits per second of a mono programme (None: the lossless chain).
CODECS: tuple[tuple[str, int | None], ...] = (
    ("none", None),
    ("aac", 48000),
    ("aac", 64000),
    ("aac", 96000),
    ("libmp3lame", 56000),
    ("libmp3lame", 80000),
    ("libmp3lame", 128000),
    ("libopus", 48000),
    ("libopus", 96000),
)
MODULES: dict[str, Any] = {
    module.SIMULATORS[0].name: module
    for module in (audio_hum, audio_hiss, audio_distortion, audio_clicks)
}
FAMILIES: dict[str, tuple[str, ...]] = {k: m.FAMILIES for k, m in MODULES.items()}
# In varied clips this share of the defects is of rarer families, and this share of the hum comes
# from supplies of any frequency in between: motors, converters, aircraft.
_RARER_SHARE, _SUPPLY_SHARE = 0.4, 0.5
# And this share has causes of no name, see `ways`.
_CHANCE_SHARE = 0.5
_SUPPLIES_HZ = (40.0, 250.0)
_SUPPLIED = ("mains", "buzz", "loop", "transformer")


@dataclass(frozen=True, slots=True)
class Damage:
    """One defect of a clip.

    Attributes:
        defect: Which.
        family: Which way of making it.
        severity: Step, 1 to 5.
        spans_s: Where it is, in seconds of the clip.
        parameters: What made it.
    """

    defect: str
    family: str
    severity: int
    spans_s: tuple[tuple[float, float], ...]
    parameters: dict[str, Any]


def read_mono(path: Path, rate_hz: int) -> NDArray[np.int16]:
    """Returns a recording as 16-bit mono at a rate; kept in memory for the next call.

    Raises:
        UnreadableMediaError: It cannot be decoded.
    """
    return _read(str(path), rate_hz)


@lru_cache(maxsize=2048)
def _read(path: str, rate_hz: int) -> NDArray[np.int16]:
    with open_media(path) as reader:
        parts = [i.data.mean(axis=1) for i in reader.read(video=False) if isinstance(i, Samples)]
        own_hz = reader.info.audio.rate_hz if reader.info.audio else rate_hz
    sound = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    out = resample(sound, own_hz, rate_hz)
    peak = float(np.max(np.abs(out))) if len(out) else 0.0
    # Decoders overshoot full scale; clipping that would plant a defect into clean sound.
    return np.round(out * (32767 / max(peak, 1.0))).astype(np.int16)


def excerpt(recording: NDArray[np.int16], length: int, rng: np.random.Generator) -> Mono:
    """Returns an interval of a recording; a short one lies somewhere in silence, perhaps twice."""
    if len(recording) >= length:
        start = int(rng.integers(0, len(recording) - length + 1))
        return (recording[start : start + length] / 32768).astype(np.float32)
    out = np.zeros(length, np.float32)
    place = int(rng.integers(0, max(1, length - len(recording))))
    while place < length:
        end = min(length, place + len(recording))
        out[place:end] = recording[: end - place] / 32768
        place = end + int(rng.integers(0, length))
    return out


def dress(base: Mono, other: Mono | None, rate_hz: int, rng: np.random.Generator) -> Mono:
    """Returns the clean programme: mixed, coloured and band-limited as programmes are."""
    out = base.astype(np.float64)
    level = max(float(np.sqrt(np.mean(out**2))), 1e-5)
    if other is not None:
        theirs = max(float(np.sqrt(np.mean(other.astype(np.float64) ** 2))), 1e-5)
        out = out + other * (level / theirs * 10 ** (float(rng.uniform(-18, 3)) / 20))
    if rng.uniform() < 0.3:
        _, sound = hard_negative(len(out), rate_hz, rng)
        out = out + sound * level * 10 ** (float(rng.uniform(-20, 6)) / 20)
    if rng.uniform() < 0.4:
        out = _tilted(out, rate_hz, rng)
    if rng.uniform() < 0.3:
        out = low_passed(out, rate_hz, rng)
    return out.astype(np.float32)


def low_passed(sound: NDArray[Any], rate_hz: int, rng: np.random.Generator) -> NDArray[Any]:
    """Returns the sound with its treble cut off, as narrow channels do."""
    corner = float(rng.choice([3600.0, 7500.0, 11000.0, 13500.0, 15000.0]))
    sos = signal.cheby2(8, 60, min(corner * 1.1, 0.49 * rate_hz), fs=rate_hz, output="sos")
    return np.asarray(signal.sosfilt(sos, sound))


def _tilted(sound: NDArray[np.float64], rate_hz: int, rng: np.random.Generator) -> Any:
    corner = float(np.exp(rng.uniform(np.log(200), np.log(6000))))
    b, a = signal.butter(1, corner, "highpass", fs=rate_hz)
    gain = 10 ** (float(rng.uniform(-9, 9)) / 20)
    return sound + (gain - 1) * signal.lfilter(b, a, sound)


def impair(
    programme: Mono,
    rate_hz: int,
    wanted: Sequence[tuple[str, int]],
    rng: np.random.Generator,
    *,
    varied: bool = False,
) -> tuple[Mono, list[Damage], list[NDArray[Any]]]:
    """Returns a clip with defects, the truth of each, and what each has added to the sound.

    Args:
        programme: The clean clip.
        rate_hz: Its rate.
        wanted: Defects with their severity steps, in the order they are made.
        rng: Where chance comes from.
        varied: Rarer families, supplies, and causes of no name as well.
    """
    length_s = len(programme) / rate_hz
    audio = AudioInfo(rate_hz, ("FC",), "mono", "pcm_f32le")
    stream = StreamInfo("clip", "wav", length_s, None, audio)
    out = programme
    damages: list[Damage] = []
    residuals: list[NDArray[Any]] = []
    for defect, severity in wanted:
        module = MODULES[defect]
        tool = cast("AudioSimulator[Any]", module.SIMULATORS[0])
        span = Interval(0.0, length_s)
        if rng.uniform() < 0.4:
            start = float(rng.uniform(0, length_s - 1.2))
            span = Interval(start, float(rng.uniform(start + 0.9, length_s)))
        if varied and rng.uniform() < _CHANCE_SHARE:
            changed, damage, residual = by_chance(
                out, rate_hz, defect, span, severity, rng, more=True
            )
            gain = level_gain(out, changed, span, rate_hz)
            residuals = [*(r * gain for r in residuals), residual]
            damages.append(damage)
            out = changed
            continue
        family = str(rng.choice(FAMILIES[defect]))
        while True:  # redraw until the family fits: its other parameters depend on it
            plan = tool.plan(stream, span, seed=int(rng.integers(2**31)), severity=severity)
            if plan.params.family == family:
                break
        if varied and rng.uniform() < _RARER_SHARE:
            family = str(rng.choice(module.RARER))
            plan = replace(plan, params=module.rarer(plan.params, family, severity, rng))
        if varied and family in _SUPPLIED and rng.uniform() < _SUPPLY_SHARE:
            hz = float(np.exp(rng.uniform(*np.log(_SUPPLIES_HZ))))
            plan = replace(plan, params=replace(plan.params, mains_hz=hz))
        truth: list[Any] = []
        (run,) = tool.apply([Samples(0, out[:, None])], plan, truth)
        gain = level_gain(out, run.data[:, 0], span, rate_hz)
        residuals = [r * gain for r in residuals]
        residuals.append(run.data[:, 0] - out * gain)
        out = run.data[:, 0]
        spans = tuple((t.start_s, t.end_s) for t in truth)
        parameters = dict(truth[0].parameters) if truth else {}
        damages.append(Damage(defect, family, severity, spans, parameters))
    return out.astype(np.float32), damages, residuals


def by_chance(
    sound: Mono,
    rate_hz: int,
    defect: str,
    span: Interval,
    severity: int,
    rng: np.random.Generator,
    *,
    more: bool = False,
) -> tuple[Mono, Damage, NDArray[Any]]:
    """Returns a sound that some cause of no name has damaged, what it did, and what it added.

    `more` as for `ways.make`.
    """
    first, last = sample_span(span, rate_hz)
    own = sound[first:last].astype(np.float64)
    made = ways.make(defect, own, rate_hz, severity, rng, more=more)
    clean = sound[first:last, None].astype(np.float32)
    changed = match_level(clean, made.sound[:, None].astype(np.float32))
    out = sound.astype(np.float32)
    out[first:last] = seam(clean, changed, rate_hz)[:, 0]
    spans = tuple(((first + a) / rate_hz, (first + b) / rate_hz) for a, b in made.spans)
    residual = out - sound * level_gain(sound, out, span, rate_hz)
    return out, Damage(defect, made.family, severity, spans, {}), residual


def level_gain(before: Mono, after: Mono, span: Interval, rate_hz: int) -> NDArray[Any]:
    """Returns the gain by which a simulator kept the programme's loudness, sample by sample."""
    first, last = round(span.start_s * rate_hz), round(span.end_s * rate_hz)
    own = before[first:last].astype(np.float64)
    power = float(np.sum(own * own))
    out = np.ones(len(before), np.float32)
    if power > 0:
        out[first:last] = float(np.sum(own * after[first:last])) / power
    return out


def at_level(sound: NDArray[Any], rng: np.random.Generator) -> Mono:
    """Returns the sound at a random level, never clipped."""
    level = max(float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))), 1e-7)
    gain = 10 ** (float(rng.uniform(-36, -14)) / 20) / level
    peak = float(np.max(np.abs(sound))) * gain
    return (sound * (gain / max(1.0, peak / 0.9))).astype(np.float32)
