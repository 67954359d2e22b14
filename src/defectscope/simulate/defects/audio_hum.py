"""Hum: what the mains, motors and telephones leave in a recording, from a drone to a buzz."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
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
from defectscope.simulate.parameters import jitter, ladder

# What `draw` chooses among, and what is made when it is asked for by name.
FAMILIES = ("mains", "buzz")
RARER = ("loop", "transformer", "motor", "phone")
_TABLE = 4096
# Of a motor's commutator.
_SEGMENTS = 8
# How many segments of a motor pass by in a second.
_MOTORS_HZ = (60.0, 380.0)
# The band whose programme level hum competes with.
_BAND_HZ = (40.0, 800.0)
# Level in that band at the five severities: the first hides in all but the pauses.
_LADDER_DB = (-12.0, -6.0, 0.0, 6.0, 14.0)


@parameters
class Params:
    """How the hum sounds."""

    family: Annotated[
        str,
        choice(
            FAMILIES + RARER,
            "`mains` (a few harmonics of the mains frequency), `buzz` (the pulses of a "
            "rectifier or dimmer, rich in harmonics of twice that frequency), `loop` (an "
            "earth loop: harmonics of the mains far up, odd ones first), `transformer` "
            "(its iron: twice the mains and what lies over it), `motor` (a commutator, "
            "swaying once a turn) or `phone` (the bursts of a mobile telephone).",
        ),
    ] = "mains"
    mains_hz: Annotated[
        float,
        number(
            40,
            400,
            "Frequency of the supply: the mains' 50 or 60, 400 aboard aircraft, anything "
            "between for motors and converters; of `phone` how many bursts a second, 217 "
            "for GSM.",
            "Hz",
        ),
    ] = 50.0
    level_db: Annotated[
        float,
        number(
            -40, 40, "Level relative to the programme's usual level between 40 and 800 Hz.", "dB"
        ),
    ] = 0.0
    harmonics: Annotated[int, number(1, 60, "Harmonics of the fundamental.")] = 6
    tilt_db: Annotated[float, number(0, 24, "Fall of the harmonics per octave.", "dB")] = 6.0
    drift_hz: Annotated[
        float, number(0, 2, "Largest slow deviation from the nominal frequency.", "Hz")
    ] = 0.1
    flutter_db: Annotated[float, number(0, 12, "Depth of the slow change of its level.", "dB")] = (
        1.0
    )


class AudioHum(WholeSpanSimulator[Params]):
    """Adds hum to the span."""

    name = "audio_hum"
    defects = ("audio_hum",)
    summary = "mains hum or buzz lies under the sound"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws family, frequency, harmonics and drift; the level follows the severity."""
        buzz = float(rng.uniform()) < 0.4
        return Params(
            family="buzz" if buzz else "mains",
            mains_hz=50.0 if float(rng.uniform()) < 0.5 else 60.0,
            level_db=ladder(severity, (-10.0, -4.0, 2.0, 8.0, 16.0))
            + float(rng.uniform(-1.5, 1.5)),
            harmonics=int(rng.integers(12, 50)) if buzz else int(rng.integers(2, 14)),
            tilt_db=float(rng.uniform(1, 6)) if buzz else float(rng.uniform(3, 14)),
            drift_hz=float(rng.uniform(0, 0.5)),
            flutter_db=jitter(rng, 1.5, 1.0),
        )

    def render(
        self, programme: Sound, rate_hz: int, params: Params, rng: np.random.Generator
    ) -> tuple[Sound, Events]:
        """Returns the programme with hum in all channels."""
        length = len(programme)
        hum = _tone(length, rate_hz, params, rng)
        level = band_level(programme, rate_hz, *_BAND_HZ) * from_db(params.level_db)
        hum *= level / max(rms(hum), 1e-12)
        # Earth loops seldom reach both channels alike.
        balance = 1.0 - 0.3 * rng.uniform(size=programme.shape[1])
        balance /= balance.max()
        mixed = programme + (hum[:, None] * balance[None, :]).astype(np.float32)
        return mixed.astype(np.float32), [(0, length)]


def rarer(params: Params, family: str, severity: float, rng: np.random.Generator) -> Params:
    """Returns drawn parameters as one of the `RARER` families has them."""
    harmonics, tilt = {
        "loop": ((10, 45), (3.0, 9.0)),
        "transformer": ((2, 12), (4.0, 12.0)),
        "motor": ((3, 14), (3.0, 10.0)),
        "phone": ((14, 40), (0.0, 0.1)),
    }[family]
    out = replace(
        params,
        family=family,
        harmonics=int(rng.integers(*harmonics)),
        tilt_db=float(rng.uniform(*tilt)),
    )
    if family == "phone":
        return replace(out, mains_hz=217.0, drift_hz=0.0, flutter_db=0.0)
    if family == "motor":
        # A motor's pitch wanders with its load.
        hz = float(np.exp(rng.uniform(*np.log(_MOTORS_HZ))))
        return replace(out, mains_hz=hz, drift_hz=float(rng.uniform(0, 2)))
    return out


def _tone(
    length: int, rate_hz: int, params: Params, rng: np.random.Generator
) -> NDArray[np.float64]:
    family = params.family
    fundamental = params.mains_hz * (2 if family in ("buzz", "transformer") else 1)
    if family == "motor":
        # Everything repeats once a turn, not once a segment.
        fundamental /= _SEGMENTS
    count = params.harmonics * (_SEGMENTS if family == "motor" else 1)
    highest = max(1, min(count, int(0.45 * rate_hz / fundamental)))
    order = np.arange(1, highest + 1)
    strength = 10 ** (-params.tilt_db * np.log2(order) / 20)
    angle = rng.uniform(0, 2 * np.pi, highest)
    if family == "motor":
        strength = 10 ** (-params.tilt_db * np.log2(order / _SEGMENTS + 1) / 20)
        # No two segments are worn alike: lines beside each multiple, by a turn's frequency.
        away = np.abs((order + _SEGMENTS // 2) % _SEGMENTS - _SEGMENTS // 2)
        strength = strength * from_db(-9.0) ** away * rng.uniform(0.4, 1.0, highest)
    elif family == "phone":
        # A burst fills one of eight slots.
        strength = np.abs(np.sinc(order / 8))
        angle = order * rng.uniform(0, 2 * np.pi)
    elif family == "transformer":
        strength = strength * rng.uniform(0.3, 1.0, highest)
    elif family == "loop":
        strength = strength * np.where(order % 2 == 0, rng.uniform(0.05, 0.6), 1.0)
        strength = strength * rng.uniform(0.3, 1.0, highest)
    elif family == "mains":
        # Even harmonics depend on how asymmetric the load is.
        strength = strength * np.where(order % 2 == 0, rng.uniform(0.1, 1.0), 1.0)
        strength = strength * rng.uniform(0.4, 1.0, highest)
    else:
        # A dimmer cuts every half wave at the same angle: the harmonics pull together into pulses.
        angle = order * rng.uniform(0, 2 * np.pi) + rng.uniform(-0.4, 0.4, highest)
    grid = np.arange(_TABLE + 1) * (2 * np.pi / _TABLE)
    table = (strength[:, None] * np.sin(order[:, None] * grid + angle[:, None])).sum(axis=0)
    seconds = np.arange(length) / rate_hz
    speed, start = rng.uniform(0.05, 0.4), rng.uniform(0, 2 * np.pi)
    drift = params.drift_hz * np.sin(2 * np.pi * speed * seconds + start)
    offset = rng.uniform(-0.5, 0.5) * params.drift_hz
    share = params.mains_hz / fundamental
    phase = np.cumsum((fundamental + (drift + offset) / share) / rate_hz) % 1.0
    tone = np.interp(phase * _TABLE, np.arange(_TABLE + 1), table)
    pace, begin = rng.uniform(0.1, 1.5), rng.uniform(0, 2 * np.pi)
    return tone * 10 ** (params.flutter_db * np.sin(2 * np.pi * pace * seconds + begin) / 40)


SIMULATORS: tuple[Simulator[Params], ...] = (AudioHum(),)
