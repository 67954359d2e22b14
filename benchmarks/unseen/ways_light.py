"""Ways to make light go wrong: flicker and black frames, with what is true of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unseen.frames import Pixels, Run, joined, planes
from unseen.ways_time import Made, span

Luma = NDArray[np.floating[Any]]

_BLACK, _GREY = 16.0, 128


def _inside(run: Run, first_share: float = 0.3, length_s: float = 2.0) -> tuple[int, int]:
    first = round(first_share * len(run.frames))
    return first, min(first + round(length_s * float(run.rate)), len(run.frames) - 6)


def _lit(run: Run, first: int, last: int, change: Callable[[int, Luma], Luma]) -> Run:
    """Returns the run with the luma of frames [first, last) changed."""
    frames = list(run.frames)
    for k in range(first, last):
        fresh = frames[k].copy()
        luma = change(k - first, fresh[: run.height].astype(np.float32))
        fresh[: run.height] = np.clip(np.rint(luma), 16, 235)
        frames[k] = fresh
    return run.with_frames(frames)


def _gained(luma: Luma, gain: float | Luma) -> Luma:
    return _BLACK + (luma - _BLACK) * gain


# Flicker.


def lamp_beat(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Lamps on the mains under a rolling shutter: a soft band beats with the frame rate."""
    first, last = _inside(run)
    depth = (0.06, 0.1, 0.17, 0.25, 0.35)[level - 1]
    beat_hz, rate = rng.uniform(4, 8), float(run.rate)
    rows = np.arange(run.height)[:, None] / run.height * np.pi

    def change(k: int, luma: Luma) -> Luma:
        return _gained(luma, 1 + depth * np.sin(2 * np.pi * beat_hz * k / rate + rows))

    return _lit(run, first, last, change), [span(run, first, last)]


def worn_film(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A hand-cranked film: each frame is exposed by chance."""
    first, last = _inside(run)
    depth = (0.05, 0.08, 0.13, 0.2, 0.3)[level - 1]
    gains = 1 + depth * rng.standard_normal(last - first).clip(-1.5, 1.5)
    return _lit(run, first, last, lambda k, y: _gained(y, gains[k])), [span(run, first, last)]


def hunting_exposure(run: Run, level: int, rng: np.random.Generator) -> Made:
    """An automatic exposure that hunts: it closes slowly and opens at once, by the tone curve."""
    first, last = _inside(run)
    depth = (0.1, 0.16, 0.25, 0.36, 0.5)[level - 1]
    hz, rate = rng.uniform(3.5, 6), float(run.rate)

    def change(k: int, luma: Luma) -> Luma:
        power = 1 + depth * ((k * hz / rate) % 1.0)
        return _BLACK + 219 * np.clip((luma - _BLACK) / 219, 0, 1) ** power

    return _lit(run, first, last, change), [span(run, first, last)]


def strobe(run: Run, level: int, rng: np.random.Generator) -> Made:
    """White flashes of two frames over most of the frame, four to eight a second."""
    first, last = _inside(run, length_s=1.6)
    period = max(3, round(float(run.rate) / rng.uniform(4, 8)))
    strength = (0.15, 0.25, 0.45, 0.65, 0.9)[level - 1]
    low = round(run.height * 0.15)

    def change(k: int, luma: Luma) -> Luma:
        if k % period < 2:
            luma[low:] += strength * (235 - luma[low:])
        return luma

    lit = first + (last - first - 1) // period * period + 2
    return _lit(run, first, last, change), [span(run, first, min(lit, last))]


def two_exposures(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A camera of two exposures, interleaved: every second frame is darker."""
    first, last = _inside(run)
    depth = (0.05, 0.09, 0.15, 0.22, 0.32)[level - 1]
    gains = 1 - depth * (np.arange(last - first) % 2)
    return _lit(run, first, last, lambda k, y: _gained(y, gains[k])), [span(run, first, last)]


# Black frames.


def black(run: Run, noise: Luma | float = 0.0) -> Pixels:
    """Returns a black frame like those of the run."""
    luma = np.clip(np.rint(_BLACK + np.zeros((run.height, run.width)) + noise), 0, 255)
    chroma = np.full((run.height // 2, run.width // 2), _GREY, np.uint8)
    return joined(luma.astype(np.uint8), chroma, chroma)


def lost_signal(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A link that goes black and comes back."""
    length_s = (0.1, 0.2, 0.3, 0.6, 1.2)[level - 1]
    first, last = _inside(run, 0.4, length_s)
    frames = list(run.frames)
    frames[first:last] = [black(run)] * (last - first)
    return run.with_frames(frames), [span(run, first, last)]


def noisy_black(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A tape without signal: black with set-up and noise, never the same."""
    length_s = (0.1, 0.2, 0.3, 0.6, 1.2)[level - 1]
    first, last = _inside(run, 0.4, length_s)
    sigma, lift = rng.uniform(0.8, 2.0), rng.uniform(0, 4)
    size = (run.height, run.width)
    frames = list(run.frames)
    for k in range(first, last):
        frames[k] = black(run, lift + rng.normal(0, sigma, size))
    return run.with_frames(frames), [span(run, first, last)]


def gap_of_the_edit(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Two clips that do not meet: one to five frames of black where the edit is."""
    count = (1, 1, 2, 3, 5)[level - 1]
    at = round(0.5 * len(run.frames))
    # The programme goes on elsewhere: its first part follows.
    frames = [*run.frames[:at], *(black(run) for _ in range(count)), *run.frames[: at - count]]
    return run.with_frames(frames), [span(run, at, at + count)]


def fade_and_return(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A fade to black from which the same shot comes back at once: a transition gone wrong."""
    length_s = (0.1, 0.2, 0.4, 0.7, 1.2)[level - 1]
    first, last = _inside(run, 0.5, length_s)
    fade = round(0.4 * float(run.rate))
    frames = list(run.frames)
    for k in range(first - fade, first):
        gain = (first - k) / (fade + 1)
        y, u, v = planes(frames[k])
        parts = (
            np.rint(offset + (p.astype(np.float32) - offset) * gain).astype(np.uint8)
            for p, offset in ((y, _BLACK), (u, _GREY), (v, _GREY))
        )
        frames[k] = joined(*parts)
    frames[first:last] = [black(run)] * (last - first)
    return run.with_frames(frames), [span(run, first, last)]


WAYS_OF: dict[str, dict[str, Callable[..., Made]]] = {
    "flicker": {
        "lamp_beat": lamp_beat,
        "worn_film": worn_film,
        "hunting_exposure": hunting_exposure,
        "strobe": strobe,
        "two_exposures": two_exposures,
    },
    "black_frames": {
        "lost_signal": lost_signal,
        "noisy_black": noisy_black,
        "gap_of_the_edit": gap_of_the_edit,
        "fade_and_return": fade_and_return,
    },
}
