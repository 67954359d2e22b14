"""Clicks: impulses, the crackle of vinyl, and buffers repeated, swapped or never filled."""

from __future__ import annotations

from typing import Annotated, Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Simulator
from defectscope.simulate.effects.audio_span import (
    Events,
    Sound,
    WholeSpanSimulator,
    band_level,
    rms,
)
from defectscope.simulate.effects.sound import from_db
from defectscope.simulate.parameters import ladder

# SciPy annotates its results with arrays of other libraries as well.
signal = cast("Any", scipy.signal)

# What `draw` chooses among, and what is made when it is asked for by name.
FAMILIES = ("impulse", "crackle", "repeat", "gap")
RARER = ("pop", "burst", "swap", "hold")
_BUFFERS = ("repeat", "gap", "burst", "swap", "hold")
_BAND_HZ = (2000.0, 12000.0)
# A dropped or repeated buffer is only heard where there is sound: places must reach this share of
# the programme's level.
_AUDIBLE_DB = -12.0
_TRIES = 12


@parameters
class Params:
    """How it clicks."""

    family: Annotated[
        str,
        choice(
            FAMILIES + RARER,
            "`impulse` (single clicks), `crackle` (many, small and large, each ringing as"
            " a scratched groove does), `repeat` (buffers played twice or more), `gap` "
            "(buffers of digital silence), `pop` (a plug that is pulled: a step and its "
            "thump), `burst` (buffers of garbage), `swap` (two buffers in each other's "
            "place) or `hold` (buffers of the last sample before them).",
        ),
    ] = "impulse"
    level_db: Annotated[
        float,
        number(
            -10,
            60,
            "Peak of a click relative to the programme's usual level between 2 and 12 "
            "kHz; of `impulse`, `crackle`, `pop` and `burst`.",
            "dB",
        ),
    ] = 18.0
    rate_hz: Annotated[float, number(0.1, 200, "Clicks per second.", "Hz")] = 3.0
    length_ms: Annotated[
        float, number(0.02, 100, "Length of a click's ringing or of a buffer.", "ms")
    ] = 1.0
    repeats: Annotated[int, number(1, 8, "How often a buffer is repeated.")] = 1


class AudioClicks(WholeSpanSimulator[Params]):
    """Puts clicks into the span."""

    name = "audio_clicks"
    defects = ("audio_clicks",)
    summary = "clicks, crackle, and buffers repeated or left empty"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws the family and its pace; level or length follow the severity."""
        family = FAMILIES[int(rng.integers(len(FAMILIES)))]
        level_db = ladder(severity, (17.0, 21.0, 26.0, 32.0, 40.0)) + float(rng.uniform(-2, 2))
        if family == "impulse":
            return Params(family, level_db, _log(rng, 1.5, 12), _log(rng, 0.03, 2.0))
        if family == "crackle":
            return Params(family, level_db, _log(rng, 8, 60), _log(rng, 0.2, 3.0))
        length_ms = ladder(severity, (4.0, 7.0, 12.0, 20.0, 35.0)) * float(rng.uniform(0.8, 1.25))
        repeats = round(ladder(severity, (1, 1, 2, 3, 4))) if family == "repeat" else 1
        return Params(family, 0.0, _log(rng, 1.5, 6), length_ms, repeats)

    def render(
        self, programme: Sound, rate_hz: int, params: Params, rng: np.random.Generator
    ) -> tuple[Sound, Events]:
        """Returns the programme with clicks, and one span for each."""
        if params.family in _BUFFERS:
            return _buffers(programme, rate_hz, params, rng)
        out = programme.astype(np.float64)
        events: Events = []
        level = band_level(programme, rate_hz, *_BAND_HZ) * from_db(params.level_db)
        for place in _places(len(programme), rate_hz, params.rate_hz, rng):
            size = level
            if params.family == "crackle":
                # Most scratches are small: an exponential spread below the nominal level.
                size *= from_db(-min(30.0, float(rng.exponential(7.0))))
            click = size * _click(rate_hz, params, rng)
            end = min(len(out), place + len(click))
            sides = rng.uniform(0.3, 1.0, programme.shape[1])
            out[place:end] += click[: end - place, None] * (sides / sides.max())
            events.append((place, end))
        return out.astype(np.float32), events


def rarer(params: Params, family: str, severity: float, rng: np.random.Generator) -> Params:
    """Returns drawn parameters as one of the `RARER` families has them."""
    level_db = ladder(severity, (17.0, 21.0, 26.0, 32.0, 40.0)) + float(rng.uniform(-2, 2))
    if family == "pop":
        return Params(family, level_db + 4.0, _log(rng, 0.7, 4), _log(rng, 3.0, 25.0))
    if family == "burst":
        return Params(family, level_db - 4.0, _log(rng, 0.7, 5), _log(rng, 0.7, 8.0))
    length_ms = ladder(severity, (3.0, 6.0, 10.0, 18.0, 30.0)) * float(rng.uniform(0.8, 1.25))
    return Params(family, 0.0, _log(rng, 1.5, 6), length_ms)


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _places(
    length: int, rate_hz: int, clicks_hz: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Returns Poisson arrivals, at least one."""
    count = max(1, int(rng.poisson(clicks_hz * length / rate_hz)))
    return np.sort(rng.integers(0, max(1, length - 8), count))


def _click(rate_hz: int, params: Params, rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns one click with peak 1."""
    samples = max(1, round(params.length_ms / 1000 * rate_hz * float(rng.uniform(0.6, 1.4))))
    sign = 1.0 if float(rng.uniform()) < 0.5 else -1.0
    if params.family == "pop":
        at = np.arange(3 * samples)
        thump = np.exp(-2.0 * at / samples) * np.cos(np.pi * at / samples)
        thump[0] *= 0.7
        return sign * thump
    if params.family == "impulse" and samples < 4:
        return sign * np.array([1.0, -0.6, 0.3])[:samples]
    at = np.arange(2 * samples)
    ringing_hz = float(rng.uniform(900, min(9000, 0.4 * rate_hz)))
    wave = np.exp(-3.0 * at / samples) * np.cos(2 * np.pi * ringing_hz * at / rate_hz)
    if params.family == "crackle":
        wave = wave + 0.4 * np.exp(-4.0 * at / samples) * rng.standard_normal(len(at))
    elif float(rng.uniform()) < 0.4:
        # A digital click is a step that decays, not a ringing.
        wave = np.exp(-4.0 * at / samples)
        b, a = signal.butter(1, 60.0, "highpass", fs=rate_hz)
        wave = np.asarray(signal.lfilter(b, a, wave))
    return sign * wave / max(float(np.max(np.abs(wave))), 1e-9)


def _buffers(
    programme: Sound, rate_hz: int, params: Params, rng: np.random.Generator
) -> tuple[Sound, Events]:
    """Repeats or empties buffers, and only where there is something to hear."""
    out = programme.copy()
    length = max(2, round(params.length_ms / 1000 * rate_hz))
    whole = rms(programme)
    level = 0.0
    if params.family == "burst":
        level = band_level(programme, rate_hz, *_BAND_HZ) * from_db(params.level_db)
    events: Events = []
    reached = 0
    for place in _places(len(programme) - length, rate_hz, params.rate_hz, rng):
        for _ in range(_TRIES):
            near = programme[max(0, place - length) : place + length]
            if place > reached and rms(near) > whole * from_db(_AUDIBLE_DB):
                break
            place = int(rng.integers(0, max(1, len(programme) - length)))
        else:
            continue
        if place <= reached:
            continue
        if params.family == "gap":
            end = min(len(out), place + length)
            out[place:end] = 0
        elif params.family == "burst":
            end = min(len(out), place + length)
            out[place:end] = level * rng.uniform(-1, 1, (end - place, out.shape[1]))
        elif params.family == "hold":
            end = min(len(out), place + length)
            out[place:end] = programme[place - 1]
        elif params.family == "swap":
            end = place + 2 * length
            if end > len(out):
                continue
            out[place : place + length] = programme[place + length : end]
            out[place + length : end] = programme[place : place + length]
        else:
            end = min(len(out), place + length * params.repeats)
            held = programme[max(0, place - length) : place]
            if len(held) < 2:
                continue
            tiled = np.tile(held, (params.repeats + 1, 1))
            end = min(end, place + len(tiled))
            out[place:end] = tiled[: end - place]
        events.append((place, end))
        reached = end
    return out, events


SIMULATORS: tuple[Simulator[Params], ...] = (AudioClicks(),)
