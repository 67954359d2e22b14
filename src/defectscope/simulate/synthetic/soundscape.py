"""Sound made from a seed that behaves like speech, music or a room, so that tests need no media."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from defectscope.media.frames import Samples

Sound = NDArray[np.float32]

# First two formants in hertz and their bandwidths' share, for five vowels of a male voice.
# Source: Peterson and Barney, "Control methods used in a study of the vowels", JASA 24 (1952).
_VOWELS_HZ = ((270, 2290), (530, 1840), (730, 1090), (570, 840), (300, 870))


def pink_noise(rng: np.random.Generator, samples: int) -> NDArray[np.float64]:
    """Returns noise whose power falls 3 dB an octave, deviation 1."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.maximum(np.arange(len(spectrum)), 1)
    pink = np.fft.irfft(spectrum / np.sqrt(frequency), samples)
    return pink / pink.std()


def _to_level(sound: NDArray[np.float64], level_dbfs: float) -> Sound:
    """Sets the RMS level, and bends what would clip."""
    rms = float(np.sqrt(np.mean(sound**2))) or 1.0
    scaled = sound / rms * 10 ** (level_dbfs / 20)
    return (np.tanh(scaled / 0.9) * 0.9).astype(np.float32)


def speech_like(
    seed: int, duration_s: float, rate_hz: int = 48000, *, level_dbfs: float = -26.0
) -> Sound:
    """Returns a voice: syllables of voiced vowels and fricatives, and pauses with room tone.

    Args:
        seed: Everything follows from it.
        duration_s: Length in seconds.
        rate_hz: Samples a second.
        level_dbfs: RMS level.

    Returns:
        (samples, 1) float32.
    """
    rng = np.random.default_rng([seed, 11])
    total = round(duration_s * rate_hz)
    out = np.zeros(total)
    base_hz = float(rng.uniform(95, 210))
    at = round(0.15 * rate_hz)
    left = int(rng.integers(4, 10))
    while at < total:
        length = round(float(rng.uniform(0.12, 0.28)) * rate_hz)
        voice = _syllable(rng, length, rate_hz, base_hz)
        end = min(total, at + length)
        out[at:end] += voice[: end - at]
        left -= 1
        gap_s = float(rng.uniform(0.01, 0.06))
        if left == 0:
            gap_s = float(rng.uniform(0.3, 0.7))
            left = int(rng.integers(4, 10))
        at = end + round(gap_s * rate_hz)
    # The room is never silent: 45 dB under the voice.
    out += pink_noise(rng, total) * out.std() * 10 ** (-45 / 20)
    return _to_level(out, level_dbfs)[:, None]


def _syllable(
    rng: np.random.Generator, length: int, rate_hz: int, base_hz: float
) -> NDArray[np.float64]:
    attack = round(0.02 * rate_hz)
    hiss = min(length // 3, round(float(rng.uniform(0.0, 0.09)) * rate_hz))
    glide = np.linspace(1.0, float(rng.uniform(0.85, 1.1)), length)
    pitch_hz = base_hz * float(rng.uniform(0.9, 1.15)) * glide
    phase = np.cumsum(pitch_hz / rate_hz)
    # A saw with a soft edge stands for the glottis: harmonics that fall 12 dB an octave.
    source = signal.lfilter([1.0], [1.0, -0.94], 1 - 2 * (phase % 1.0))
    voiced = np.zeros(length)
    for formant_hz, gain in zip(
        (*_VOWELS_HZ[int(rng.integers(len(_VOWELS_HZ)))], 2700.0), (1.0, 0.6, 0.25), strict=True
    ):
        if formant_hz < rate_hz * 0.45:
            b, a = signal.iirpeak(formant_hz, 6.0, rate_hz)
            voiced += gain * np.asarray(signal.lfilter(b, a, source))
    envelope = np.sin(np.pi * np.linspace(0, 1, length)) ** 0.6
    envelope[:attack] *= np.linspace(0, 1, attack)[: len(envelope[:attack])]
    out = voiced * envelope / (voiced.std() or 1.0)
    if hiss > 32:
        high = min(4500.0, rate_hz * 0.3)
        sos = signal.butter(2, high, "highpass", fs=rate_hz, output="sos")
        noise = np.asarray(signal.sosfilt(sos, rng.standard_normal(hiss)))
        out[:hiss] = out[:hiss] * 0.2 + noise * 0.25 * np.hanning(hiss)
    return out * float(rng.uniform(0.5, 1.0))


def music_like(
    seed: int,
    duration_s: float,
    rate_hz: int = 48000,
    *,
    channels: int = 2,
    level_dbfs: float = -20.0,
) -> Sound:
    """Returns music: chords of plucked harmonic tones placed across the channels, bass and drums.

    Args:
        seed: Everything follows from it.
        duration_s: Length in seconds.
        rate_hz: Samples a second.
        channels: How many; instruments lie at different places between the first two.
        level_dbfs: RMS level.

    Returns:
        (samples, channels) float32.
    """
    rng = np.random.default_rng([seed, 12])
    total = round(duration_s * rate_hz)
    out = np.zeros((total, channels))
    beat = 60 / float(rng.uniform(84, 132))
    root_hz = 55 * 2 ** (int(rng.integers(12)) / 12)
    scale = np.array([0, 2, 4, 7, 9, 12, 14, 16])
    for step in range(int(duration_s / beat * 2) + 1):
        at = round(step * beat / 2 * rate_hz)
        degree = int(rng.integers(len(scale)))
        pan = float(rng.uniform(0.1, 0.9))
        hz = root_hz * 4 * 2 ** (scale[degree] / 12)
        _add(out, at, _pluck(rng, hz, 0.9, rate_hz) * 0.5, pan)
        if step % 4 == 0:
            _add(out, at, _pluck(rng, root_hz * 2 ** (scale[degree % 4] / 12), 1.4, rate_hz), 0.5)
        if step % 2 == 0:
            _add(out, at, drum(rng, rate_hz) * (0.9 if step % 4 == 0 else 0.5), 0.5)
    # Each channel has its own room, so that channels are alike but never equal.
    for channel in range(channels):
        out[:, channel] += pink_noise(rng, total) * out.std() * 0.01
    return _to_level(out, level_dbfs)


def _pluck(
    rng: np.random.Generator, hz: float, length_s: float, rate_hz: int
) -> NDArray[np.float64]:
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    tone = np.zeros(len(time_s))
    for harmonic in range(1, 9):
        if hz * harmonic < rate_hz * 0.45:
            decay = np.exp(-time_s * (2.5 + harmonic))
            phase = float(rng.uniform(0, 6.28))
            tone += decay / harmonic * np.sin(2 * np.pi * hz * harmonic * time_s + phase)
    edge = min(len(tone), round(0.004 * rate_hz))
    tone[:edge] *= np.linspace(0, 1, edge)
    tone[-edge:] *= np.linspace(1, 0, edge)
    return tone


def drum(rng: np.random.Generator, rate_hz: int) -> NDArray[np.float64]:
    """Returns one drum hit: a falling tone and a burst of noise, 0.25 s."""
    time_s = np.arange(round(0.25 * rate_hz)) / rate_hz
    sweep_hz = 60 + 120 * np.exp(-time_s * 30)
    body = np.sin(2 * np.pi * np.cumsum(sweep_hz) / rate_hz) * np.exp(-time_s * 14)
    return body + 0.4 * rng.standard_normal(len(time_s)) * np.exp(-time_s * 45)


def _add(out: NDArray[np.float64], at: int, tone: NDArray[np.float64], pan: float) -> None:
    end = min(len(out), at + len(tone))
    if end <= at:
        return
    part = tone[: end - at]
    if out.shape[1] == 1:
        out[at:end, 0] += part
        return
    # Constant power between the first two channels; others get the room alone.
    out[at:end, 0] += part * np.cos(pan * np.pi / 2)
    out[at:end, 1] += part * np.sin(pan * np.pi / 2)


def room_tone(
    seed: int,
    duration_s: float,
    rate_hz: int = 48000,
    *,
    channels: int = 2,
    level_dbfs: float = -62.0,
) -> Sound:
    """Returns a quiet room: pink noise, different in each channel, (samples, channels) float32."""
    rng = np.random.default_rng([seed, 13])
    total = round(duration_s * rate_hz)
    noise = np.stack([pink_noise(rng, total) for _ in range(channels)], axis=1)
    return _to_level(noise, level_dbfs)


def runs_of(sound: Sound, run_samples: int = 4800, start: int = 0) -> Iterator[Samples]:
    """Returns sound as consecutive runs."""
    for first in range(0, len(sound), run_samples):
        yield Samples(start + first, sound[first : first + run_samples])
