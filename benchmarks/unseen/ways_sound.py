"""Ways to lose sound: drop-outs, a channel that turns over or is gone, with what is true of each.

A way takes (samples, 2) float32 and their rate, and gives what is heard and the intervals, seconds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Spans = list[tuple[float, float]]
Heard = tuple[Sound, Spans]
# A fault is heard where there is sound: on both sides of it, and where it lies.
_AUDIBLE_DBFS = -42.0
_SIDE_S = 0.05


def level_dbfs(sound: Sound) -> float:
    """Returns the level of some samples, the quieter channel, dBFS RMS."""
    power = (sound.astype(np.float64) ** 2).mean(axis=0).min() if len(sound) else 0.0
    return float(10 * np.log10(power + 1e-12))


def _place(
    sound: Sound, rate_hz: int, length_s: float, rng: np.random.Generator
) -> tuple[int, int]:
    """Returns first and last sample of a place with sound in it and beside it.

    Raises:
        ValueError: There is none.
    """
    length, side = round(length_s * rate_hz), round(_SIDE_S * rate_hz)
    for _ in range(200):
        first = int(rng.integers(rate_hz, max(rate_hz + 1, len(sound) - length - rate_hz)))
        last = first + length
        parts = [sound[first - side : first], sound[last : last + side], sound[first:last]]
        # Every twentieth of a second of what is covered is heard, too.
        parts += [sound[k : k + side] for k in range(first, last - side + 1, side)]
        if all(level_dbfs(part) >= _AUDIBLE_DBFS for part in parts):
            return first, last
    raise ValueError("too quiet")


def _told(first: int, last: int, rate_hz: int) -> Spans:
    return [(first / rate_hz, last / rate_hz)]


_DROPOUT_S = (0.03, 0.06, 0.12, 0.25, 0.5)


def muted(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A switch that opens: digital silence on every channel."""
    first, last = _place(sound, rate_hz, _DROPOUT_S[level - 1], rng)
    out = sound.copy()
    out[first:last] = 0
    return out, _told(first, last, rate_hz)


def lost_packets(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """Packets that never came, concealed by a fade out and in of four milliseconds each."""
    first, last = _place(sound, rate_hz, _DROPOUT_S[level - 1], rng)
    out, fade = sound.copy(), round(0.004 * rate_hz)
    ramp = np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    out[first : first + fade] *= ramp
    out[first + fade : last - fade] = 0
    out[last - fade : last] *= ramp[::-1]
    return out, _told(first, last, rate_hz)


def one_side(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A plug that comes loose: one channel is gone for a moment."""
    first, last = _place(sound, rate_hz, min(0.3, _DROPOUT_S[level - 1]), rng)
    out = sound.copy()
    out[first:last, int(rng.integers(2))] = 0
    return out, _told(first, last, rate_hz)


def analogue_mute(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A relay before an analogue path: its noise at -80 dBFS goes on."""
    first, last = _place(sound, rate_hz, _DROPOUT_S[level - 1], rng)
    out = sound.copy()
    out[first:last] = rng.normal(0, 1e-4, (last - first, 2))
    return out, _told(first, last, rate_hz)


def held_sample(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A converter without data: it goes on with the last sample it had."""
    first, last = _place(sound, rate_hz, _DROPOUT_S[level - 1], rng)
    out = sound.copy()
    out[first:last] = out[first - 1]
    return out, _told(first, last, rate_hz)


_LASTING_S = (0.5, 0.8, 1.5, 2.5, 4.0)


def _inverted(
    sound: Sound, rate_hz: int, level: int, rng: np.random.Generator, fade_s: float, gain: float
) -> Heard:
    first, last = _place(sound, rate_hz, min(_LASTING_S[level - 1], 2.5), rng)
    sign = np.ones(len(sound), np.float32)
    sign[first:last] = -1
    if fade_s:
        width = max(1, round(fade_s * rate_hz))
        sign = np.convolve(sign, np.ones(width, np.float32) / width, "same").astype(np.float32)
    out = sound.copy()
    out[:, 1] *= sign
    out[first:last, 1] *= gain
    return out, _told(first, last, rate_hz)


def wires_exchanged(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A balanced line patched with its wires exchanged, at once."""
    return _inverted(sound, rate_hz, level, rng, 0.0, 1.0)


def mixed_over(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A desk that goes over to the inverted bus within fifteen milliseconds."""
    return _inverted(sound, rate_hz, level, rng, 0.015, 1.0)


def weaker_inverted(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A spare line, inverted and two decibels down."""
    return _inverted(sound, rate_hz, level, rng, 0.0, 10 ** (-2 / 20))


def inverted_throughout(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A master with one side inverted from end to end."""
    out = sound.copy()
    out[:, 1] *= -1
    return out, _told(0, len(sound), rate_hz)


def late_inverted(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A path through a converter that inverts, and comes two samples late."""
    out, told = _inverted(sound, rate_hz, level, rng, 0.0, 1.0)
    first, last = (round(at * rate_hz) for at in told[0])
    out[first + 2 : last, 1] = out[first : last - 2, 1].copy()
    return out, told


def channel_muted(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """One channel is digital silence for a while."""
    first, last = _place(sound, rate_hz, max(0.8, min(_LASTING_S[level - 1], 2.5)), rng)
    out = sound.copy()
    out[first:last, int(rng.integers(2))] = 0
    return out, _told(first, last, rate_hz)


def channel_unplugged(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """One channel is an open input: noise at -72 dBFS."""
    first, last = _place(sound, rate_hz, max(0.8, min(_LASTING_S[level - 1], 2.5)), rng)
    out = sound.copy()
    out[first:last, int(rng.integers(2))] = rng.normal(0, 2.5e-4, last - first)
    return out, _told(first, last, rate_hz)


def channel_never_there(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A mono feed on one side of a pair, from end to end."""
    out = sound.copy()
    out[:, int(rng.integers(2))] = 0
    return out, _told(0, len(sound), rate_hz)


def channel_pulled_down(sound: Sound, rate_hz: int, level: int, rng: np.random.Generator) -> Heard:
    """A fader pulled down within a tenth of a second, and pushed up again."""
    first, last = _place(sound, rate_hz, max(1.2, min(_LASTING_S[level - 1], 2.5)), rng)
    gain = np.ones(len(sound), np.float32)
    gain[first:last] = 0
    width = round(0.1 * rate_hz)
    gain = np.convolve(gain, np.ones(width, np.float32) / width, "same").astype(np.float32)
    out = sound.copy()
    out[:, int(rng.integers(2))] *= gain
    return out, _told(first, last, rate_hz)


WAYS_OF: dict[str, dict[str, Callable[..., Heard]]] = {
    "audio_dropout": {
        "muted": muted,
        "lost_packets": lost_packets,
        "one_side": one_side,
        "analogue_mute": analogue_mute,
        "held_sample": held_sample,
    },
    "phase_inversion": {
        "wires_exchanged": wires_exchanged,
        "mixed_over": mixed_over,
        "weaker_inverted": weaker_inverted,
        "inverted_throughout": inverted_throughout,
        "late_inverted": late_inverted,
    },
    "channel_missing": {
        "channel_muted": channel_muted,
        "channel_unplugged": channel_unplugged,
        "channel_never_there": channel_never_there,
        "channel_pulled_down": channel_pulled_down,
    },
}
