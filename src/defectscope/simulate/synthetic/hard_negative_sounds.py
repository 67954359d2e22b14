"""The sound of the hard negatives: eight seconds each, 48 kHz."""

from __future__ import annotations

import numpy as np
from scipy import signal

from defectscope.simulate.synthetic.soundscape import (
    Sound,
    drum,
    music_like,
    room_tone,
    speech_like,
)

_SECONDS = 8.0
_RATE_HZ = 48000


def quiet_room(seed: int) -> Sound:
    """Returns room tone at -62 dBFS and nothing else."""
    return room_tone(seed, _SECONDS, _RATE_HZ)


def pause_between_words(seed: int) -> Sound:
    """Returns a voice with pauses of up to 0.7 s, in two channels with their own room."""
    return centred_voice(seed + 7)


def drum_hit(seed: int) -> Sound:
    """Returns eight drum hits, a second apart."""
    rng = np.random.default_rng([seed, 31])
    out = room_tone(seed, _SECONDS, _RATE_HZ, level_dbfs=-64.0)
    for second in range(int(_SECONDS)):
        hit = drum(rng, _RATE_HZ).astype(np.float32) * np.float32(0.3)
        at = second * _RATE_HZ + _RATE_HZ // 3
        out[at : at + len(hit)] += hit[:, None] * np.array([1.0, 0.9], np.float32)
    return np.clip(out, -0.95, 0.95)


def applause(seed: int) -> Sound:
    """Returns claps of many hands, each a short band-limited burst at its own place."""
    rng = np.random.default_rng([seed, 32])
    total = round(_SECONDS * _RATE_HZ)
    out = np.zeros((total, 2))
    for _ in range(int(_SECONDS * 500)):
        length = int(rng.uniform(0.004, 0.012) * _RATE_HZ)
        at = int(rng.integers(0, total - length))
        burst = rng.standard_normal(length) * np.exp(-np.linspace(0, 5, length))
        gain, pan = rng.uniform(0.05, 0.3), rng.uniform(0.2, 0.8)
        out[at : at + length, 0] += burst * gain * np.cos(pan * np.pi / 2)
        out[at : at + length, 1] += burst * gain * np.sin(pan * np.pi / 2)
    band = signal.butter(1, (500, 6000), "bandpass", fs=_RATE_HZ, output="sos")
    shaped = np.asarray(signal.sosfilt(band, out, axis=0))
    shaped *= 10 ** (-26 / 20) / np.sqrt(np.mean(shaped**2))
    # A hall is never silent between two claps.
    hall = room_tone(seed, _SECONDS, _RATE_HZ, level_dbfs=-52.0)
    return np.clip(shaped + hall, -0.7, 0.7).astype(np.float32)


def centred_voice(seed: int) -> Sound:
    """Returns a voice equally in both channels, each with a room of its own 50 dB down."""
    voice = speech_like(seed, _SECONDS, _RATE_HZ)
    return np.repeat(voice, 2, axis=1) + room_tone(seed, _SECONDS, _RATE_HZ, level_dbfs=-66.0)


def wide_music(seed: int) -> Sound:
    """Returns music whose channels share little: two takes, one to each side, and a common bass."""
    left = music_like(seed, _SECONDS, _RATE_HZ, channels=1)
    right = music_like(seed + 900, _SECONDS, _RATE_HZ, channels=1)
    shared = music_like(seed + 1800, _SECONDS, _RATE_HZ, channels=1)
    mixed = np.concatenate([left, right], axis=1) * 0.7 + shared * 0.5
    return np.clip(mixed, -0.95, 0.95).astype(np.float32)
