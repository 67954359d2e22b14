"""Hiss: noise that a tape, an amplifier or a codec lays over the sound."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters, switch
from defectscope.simulate.contract import Simulator
from defectscope.simulate.effects.audio_span import (
    Events,
    Sound,
    WholeSpanSimulator,
    band_level,
    gates,
    rms,
)
from defectscope.simulate.effects.sound import from_db
from defectscope.simulate.parameters import ladder

# SciPy annotates its results with arrays of other libraries as well.
signal = cast("Any", scipy.signal)

# What `draw` chooses among, and what is made when it is asked for by name.
FAMILIES = ("white", "pink", "codec")
RARER = ("air", "blue", "tape", "radio")
# The band in which noise is heard as hiss, and in which its level is set.
_BAND_HZ = (1500.0, 12000.0)
# Level in that band at the five severities: the first hides in all but the pauses.
_LADDER_DB = (-12.0, -6.0, 0.0, 6.0, 14.0)
_CODEC_FRAME = 1024


@parameters
class Params:
    """How the hiss sounds."""

    family: Annotated[
        str,
        choice(
            FAMILIES + RARER,
            "`white`, `pink`, or `codec` (band-limited noise whose bands come and go from"
            " frame to frame, as a coder that runs out of bits leaves it), `air` (dull, 6"
            " dB less with every octave: ventilation), `blue` (sharp, 3 to 6 dB more with"
            " every octave: a microphone amplifier at its limit), `tape` (white, and "
            "louder where the programme is) or `radio` (white, swelling and fading as "
            "reception does).",
        ),
    ] = "white"
    level_db: Annotated[
        float,
        number(
            -40,
            40,
            "Level between 1.5 and 12 kHz relative to the programme's usual level there.",
            "dB",
        ),
    ] = 0.0
    low_hz: Annotated[float, number(20, 4000, "High-pass corner.", "Hz")] = 20.0
    high_hz: Annotated[float, number(2000, 24000, "Low-pass corner.", "Hz")] = 24000.0
    gated: Annotated[bool, switch("A noise gate opens and closes on it.")] = False
    correlation: Annotated[float, number(0, 1, "How alike the channels are.")] = 0.0


class AudioHiss(WholeSpanSimulator[Params]):
    """Adds hiss to the span."""

    name = "audio_hiss"
    defects = ("audio_hiss",)
    summary = "noise lies over the sound"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws family, band and gating; the level follows the severity."""
        family = FAMILIES[int(rng.choice(3, p=[0.4, 0.3, 0.3]))]
        narrow = float(rng.uniform()) < 0.35
        return Params(
            family=family,
            level_db=ladder(severity, (-10.0, -4.0, 2.0, 8.0, 16.0))
            + float(rng.uniform(-1.5, 1.5)),
            low_hz=float(rng.uniform(200, 3000)) if narrow else 20.0,
            high_hz=float(rng.uniform(6000, 16000)) if narrow else 24000.0,
            gated=float(rng.uniform()) < 0.25,
            correlation=float(rng.uniform()),
        )

    def render(
        self, programme: Sound, rate_hz: int, params: Params, rng: np.random.Generator
    ) -> tuple[Sound, Events]:
        """Returns the programme with hiss in every channel."""
        length, channels = programme.shape
        shared = _noise(length, rate_hz, params, rng)
        columns = [shared]
        mix = np.sqrt(1 - params.correlation**2)
        for _ in range(channels - 1):
            columns.append(params.correlation * shared + mix * _noise(length, rate_hz, params, rng))
        noise = np.stack(columns, axis=1)
        high = min(_BAND_HZ[1], 0.45 * rate_hz)
        sos = signal.butter(2, [_BAND_HZ[0], high], "bandpass", fs=rate_hz, output="sos")
        level = max(rms(signal.sosfilt(sos, shared)), 1e-9)
        noise *= band_level(programme, rate_hz, *_BAND_HZ) * from_db(params.level_db) / level
        if params.family == "tape":
            noise *= 1.0 + 1.5 * _envelope(programme, rate_hz)[:, None]
        events: Events = [(0, length)]
        if params.gated:
            envelope, events = gates(length, rate_hz, rng)
            noise *= envelope[:, None]
        return (programme + noise).astype(np.float32), events


def rarer(params: Params, family: str, severity: float, rng: np.random.Generator) -> Params:
    """Returns drawn parameters as one of the `RARER` families has them."""
    if family in ("air", "blue"):
        # Their colour is what tells them: no corner cuts it off.
        return replace(params, family=family, low_hz=20.0, high_hz=24000.0)
    return replace(params, family=family, low_hz=float(rng.uniform(20, 600)))


def _envelope(programme: Sound, rate_hz: int) -> NDArray[np.float64]:
    """Returns how loud the programme is, 0 to about 1, smoothed over 20 ms."""
    b, a = signal.butter(1, 8.0, fs=rate_hz)
    size = np.asarray(signal.lfilter(b, a, np.abs(programme).mean(axis=1, dtype=np.float64)))
    return size / max(float(np.max(size)), 1e-9)


def _noise(
    length: int, rate_hz: int, params: Params, rng: np.random.Generator
) -> NDArray[np.float64]:
    noise = rng.standard_normal(length)
    if params.family == "codec":
        noise = _flicker(noise, rng)
    elif params.family == "air":
        b, a = signal.butter(1, 60.0, fs=rate_hz)
        noise = np.asarray(signal.lfilter(b, a, noise))
    elif params.family == "blue":
        # A difference rises by 6 dB an octave, one with a remainder by less.
        noise = np.diff(noise, prepend=0.0) + float(rng.uniform(0, 0.5)) * noise
    elif params.family == "radio":
        seconds = np.arange(length) / rate_hz
        pace, begin = rng.uniform(0.2, 2.0), rng.uniform(0, 2 * np.pi)
        noise = noise * 10 ** (5.0 * np.sin(2 * np.pi * pace * seconds + begin) / 20)
    elif params.family == "pink":
        # Minus 3 dB per octave as a ladder of poles and zeros an octave and a half apart.
        corners = 30.0 * 3.0 ** np.arange(0, 6)
        poles = np.exp(-2 * np.pi * corners / rate_hz)
        zeros = np.exp(-2 * np.pi * corners * np.sqrt(3.0) / rate_hz)
        sos = np.array(signal.zpk2sos(zeros, poles, 1.0))
        noise = signal.sosfilt(sos, noise)
    nyquist = rate_hz / 2
    if params.low_hz > 20:
        sos = signal.butter(2, params.low_hz, "highpass", fs=rate_hz, output="sos")
        noise = signal.sosfilt(sos, noise)
    if params.high_hz < 0.95 * nyquist:
        sos = signal.butter(4, params.high_hz, "lowpass", fs=rate_hz, output="sos")
        noise = signal.sosfilt(sos, noise)
    return np.asarray(noise, np.float64)


def _flicker(noise: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Lets groups of spectral lines come and go from frame to frame."""
    _, _, spectrum = signal.stft(noise, nperseg=_CODEC_FRAME)
    lines, frames = spectrum.shape
    edges = np.unique(np.round(np.geomspace(4, lines, 22)).astype(int))
    present = float(rng.uniform(0.35, 0.8))
    for low, high in pairwise(edges):
        # A band stays on or off for a few frames, as bit allocation does.
        hold = int(rng.integers(1, 5))
        state = np.repeat(rng.uniform(size=frames // hold + 1) < present, hold)[:frames]
        spectrum[low:high] *= np.where(state, 1.0, 0.05)
    _, shaped = signal.istft(spectrum, nperseg=_CODEC_FRAME)
    out = np.zeros_like(noise)
    out[: min(len(out), len(shaped))] = shaped[: len(out)]
    return out


SIMULATORS: tuple[Simulator[Params], ...] = (AudioHiss(),)
