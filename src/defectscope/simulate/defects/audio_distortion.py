"""Distortion: clipping, overdrive, too few bits, or a codec that is starved of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, cast

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Simulator
from defectscope.simulate.effects.audio_span import Events, Sound, WholeSpanSimulator
from defectscope.simulate.parameters import ladder

# SciPy annotates its results with arrays of other libraries as well.
fft = cast("Any", scipy.fft)
signal = cast("Any", scipy.signal)

# What `draw` chooses among, and what is made when it is asked for by name.
FAMILIES = ("hard_clip", "soft_clip", "overdrive", "quantisation", "codec")
RARER = ("one_sided", "crossover", "wrapped", "held")
# Ratio of signal to distortion in dB at the five severities, by family: what a starved codec
# leaves is masked far better than what clipping leaves.
_LADDERS: dict[str, tuple[float, float, float, float, float]] = {
    "hard_clip": (22.0, 18.0, 14.5, 11.0, 7.0),
    "soft_clip": (21.0, 17.5, 14.0, 11.0, 8.0),
    "overdrive": (21.0, 17.5, 14.0, 11.0, 8.0),
    "quantisation": (24.0, 20.0, 16.0, 12.0, 8.0),
    "codec": (12.0, 10.0, 8.0, 6.0, 4.0),
    "one_sided": (22.0, 18.0, 14.5, 11.0, 8.0),
    "crossover": (24.0, 20.0, 16.0, 12.0, 8.0),
    "wrapped": (20.0, 16.0, 12.0, 8.0, 4.0),
    "held": (24.0, 20.0, 16.0, 12.0, 8.0),
}
_MDCT = 512
# The drive is found on an interval of this many seconds at most.
_PROBE_S = 4.0
_BISECTIONS = 9
# A drive so low that nothing is bent, rounded or dropped.
_LINEAR = -2.0


@parameters
class Params:
    """How the sound is distorted."""

    family: Annotated[
        str,
        choice(
            FAMILIES + RARER,
            "`hard_clip`, `soft_clip`, `overdrive` (asymmetric, harder on the treble), "
            "`quantisation`, `codec`, `one_sided` (one half of the wave is clipped), "
            "`crossover` (a worn amplifier that says nothing near zero), `wrapped` "
            "(numbers that overflow) or `held` (samples held as at a lower rate, their "
            "images left in).",
        ),
    ] = "hard_clip"
    sdr_db: Annotated[
        float, number(-5, 60, "Ratio of the signal to what the distortion adds.", "dB")
    ] = 17.0
    colour: Annotated[
        float,
        number(
            0,
            1,
            "What gives a family its variants: asymmetry of the overdrive, companding of "
            "the quantisation, bandwidth left by the codec.",
        ),
    ] = 0.5


class AudioDistortion(WholeSpanSimulator[Params]):
    """Distorts the sound of the span."""

    name = "audio_distortion"
    defects = ("audio_distortion",)
    summary = "the sound is clipped, overdriven or coded too coarsely"
    params = Params

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> Params:
        """Draws the family and its colour; signal to distortion follows the severity."""
        family = FAMILIES[int(rng.integers(len(FAMILIES)))]
        return Params(
            family=family,
            sdr_db=ladder(severity, _LADDERS[family]) + float(rng.uniform(-1, 1)),
            colour=float(rng.uniform()),
        )

    def render(
        self, programme: Sound, rate_hz: int, params: Params, rng: np.random.Generator
    ) -> tuple[Sound, Events]:
        """Returns the distorted programme; silence cannot be distorted and is left out of truth."""
        length = len(programme)
        peak = float(np.max(np.abs(programme))) if length else 0.0
        if peak < 1e-4:
            return programme.copy(), []
        shape = _shaper(params, rate_hz)
        probe = programme[: round(_PROBE_S * rate_hz)].astype(np.float64) / peak
        drive = _find_drive(shape, probe, params.sdr_db)
        out = shape(programme.astype(np.float64) / peak, drive) * peak
        return out.astype(np.float32), [(0, length)]


Shaper = Callable[[NDArray[np.float64], float], NDArray[np.float64]]


def _shaper(params: Params, rate_hz: int) -> Shaper:
    """Returns x, drive -> distorted x; x is (n, channels) with peak 1, drive 0 (least) to 1."""
    if params.family == "hard_clip":
        return lambda x, drive: np.clip(x, -_threshold(drive), _threshold(drive))
    if params.family == "soft_clip":
        return lambda x, drive: np.tanh(x / _threshold(drive)) * _threshold(drive)
    if params.family == "overdrive":
        return lambda x, drive: _overdrive(x, drive, params.colour, rate_hz)
    if params.family == "one_sided":
        sign = 1.0 if params.colour < 0.5 else -1.0
        return lambda x, drive: sign * np.minimum(sign * x, _threshold(drive))
    if params.family == "crossover":
        return lambda x, drive: np.sign(x) * np.maximum(np.abs(x) - 10.0 ** (4.0 * drive - 4.5), 0)
    if params.family == "wrapped":
        return lambda x, drive: _wrapped(x, _threshold(drive))
    if params.family == "held":
        return _held
    if params.family == "quantisation":
        return lambda x, drive: _quantise(x, drive, params.colour)
    return _Starved(params.colour, rate_hz)


def _threshold(drive: float) -> float:
    return 10.0 ** (-3.2 * drive + 0.3)


def _overdrive(
    x: NDArray[np.float64], drive: float, colour: float, rate_hz: int
) -> NDArray[np.float64]:
    # Treble is lifted before the bend and lowered after it, as a guitar stage does.
    b, a = signal.butter(1, 900.0, "highpass", fs=rate_hz)
    lifted = x + 1.5 * signal.lfilter(b, a, x, axis=0)
    limit = _threshold(drive)
    bias = 0.6 * colour * limit
    bent = limit * (np.tanh((lifted + bias) / limit) - np.tanh(bias / limit))
    lowered = signal.lfilter(*_lowering(rate_hz), bent, axis=0)
    b, a = signal.butter(1, 20.0, "highpass", fs=rate_hz)
    return signal.lfilter(b, a, lowered, axis=0)


def _lowering(rate_hz: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the inverse of `1 + 1.5 * highpass(900 Hz)`."""
    b, a = signal.butter(1, 900.0, "highpass", fs=rate_hz)
    return np.asarray(a), np.asarray(a) + 1.5 * np.asarray(b)


def _wrapped(x: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    return (x + limit) % (2 * limit) - limit


def _held(x: NDArray[np.float64], drive: float) -> NDArray[np.float64]:
    step = 1.0 + 15.0 * max(0.0, drive) ** 2
    return x[np.floor(np.floor(np.arange(len(x)) / step) * step).astype(np.int64)]


def rarer(params: Params, family: str, severity: float, rng: np.random.Generator) -> Params:
    """Returns drawn parameters as one of the `RARER` families has them."""
    sdr_db = ladder(severity, _LADDERS[family]) + float(rng.uniform(-1, 1))
    return replace(params, family=family, sdr_db=sdr_db)


def _quantise(x: NDArray[np.float64], drive: float, colour: float) -> NDArray[np.float64]:
    step = 10.0 ** (4.0 * drive - 4.5)
    if colour < 0.5:
        return np.round(x / step) * step
    # Companded: fine steps for soft sounds, coarse ones for loud, as in telephony.
    strength = 10.0 + 200.0 * (colour - 0.5)
    squeezed = np.sign(x) * np.log1p(strength * np.abs(x)) / np.log1p(strength)
    squeezed = np.round(squeezed / step) * step
    return np.sign(squeezed) * np.expm1(np.abs(squeezed) * np.log1p(strength)) / strength


class _Starved:
    """Quantises a lapped transform band by band, as a coder with too few bits does.

    The transform of what was heard last is kept: finding the drive asks for it again and again.

    Source: Princen, Johnson, Bradley 1987, the sine-windowed MDCT.
    """

    def __init__(self, colour: float, rate_hz: int) -> None:
        self._cut = max(8, int((2500 + 9000 * colour) / (rate_hz / 2) * _MDCT))
        self._edges = np.unique(np.round(np.geomspace(2, _MDCT, 18)).astype(int))
        rise = np.sin(np.pi * (np.arange(2 * _MDCT) + 0.5) / (2 * _MDCT))
        self._window = rise[:, None]
        self._last_input: NDArray[np.float64] | None = None
        self._lines = np.zeros((0, 0, 0))

    def __call__(self, x: NDArray[np.float64], drive: float) -> NDArray[np.float64]:
        if self._last_input is not x:
            self._last_input, self._lines = x, self._forward(x)
        lines = self._lines.copy()
        coarse = 10.0 ** (2.0 * drive - 1.1)
        for low, high in zip(np.r_[0, self._edges[:-1]], self._edges, strict=True):
            band = lines[:, low:high]
            step = coarse * (np.sqrt(np.mean(band**2, axis=1, keepdims=True)) + 1e-9)
            # A dead zone leaves holes in the spectrum: the warble of low bit rates.
            lines[:, low:high] = np.sign(band) * np.floor(np.abs(band) / step + 0.35) * step
        lines[:, self._cut :] *= float(np.clip(1.0 - 2.0 * drive, 0.0, 1.0))
        return self._backward(lines, len(x))

    def _forward(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        count = -(-len(x) // _MDCT) + 1
        padded = np.zeros(((count + 1) * _MDCT, x.shape[1]))
        padded[_MDCT : _MDCT + len(x)] = x
        halves = padded.reshape(count + 1, _MDCT, -1)
        frames = np.concatenate([halves[:-1], halves[1:]], axis=1) * self._window
        a, b, c, d = np.split(frames, 4, axis=1)
        folded = np.concatenate([-c[:, ::-1] - d, a - b[:, ::-1]], axis=1)
        return np.asarray(fft.dct(folded, type=4, axis=1, norm="ortho"))

    def _backward(self, lines: NDArray[np.float64], length: int) -> NDArray[np.float64]:
        unfolded = np.asarray(fft.idct(lines, type=4, axis=1, norm="ortho"))
        first, second = np.split(unfolded, 2, axis=1)
        grown = np.concatenate([second, -second[:, ::-1], -first[:, ::-1], -first], axis=1)
        grown *= self._window
        joined = np.zeros((len(grown) + 1, _MDCT, lines.shape[2]))
        joined[:-1] += grown[:, :_MDCT]
        joined[1:] += grown[:, _MDCT:]
        return joined.reshape(-1, lines.shape[2])[_MDCT : _MDCT + length]


def _find_drive(shape: Shaper, probe: NDArray[np.float64], sdr_db: float) -> float:
    """Returns the drive at which the distortion lies `sdr_db` below the signal."""
    # Against what the same stage does when nothing is bent: its filters turn phases, which
    # nobody hears and which must not pass for distortion.
    linear = shape(probe, _LINEAR)
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _sdr_db(linear, shape(probe, middle)) > sdr_db:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _sdr_db(clean: NDArray[np.float64], dirty: NDArray[np.float64]) -> float:
    """Returns the signal-to-distortion ratio, whatever the gain."""
    power = float(np.sum(clean * clean)) + 1e-12
    gain = float(np.sum(clean * dirty)) / power
    kept = gain * gain * power
    lost = float(np.sum((dirty - gain * clean) ** 2)) + 1e-15
    return 10 * np.log10(max(kept, 1e-15) / lost)


SIMULATORS: tuple[Simulator[Params], ...] = (AudioDistortion(),)
