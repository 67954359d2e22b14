"""Ways to break the picture for a while: combing, colours, bars, patterns, with what is true."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from unseen.frames import Pixels, Run, joined, planes
from unseen.ways_time import Made, span

Colours = NDArray[np.float32]

_SPAN = (0.3, 0.75)


def _changed(run: Run, change: Callable[[int, Pixels], Pixels]) -> Made:
    """Returns the run with frames of the middle changed, and where that is."""
    first, last = (round(share * len(run.frames)) for share in _SPAN)
    frames = list(run.frames)
    for k in range(first, last):
        frames[k] = change(k, run.frames[k])
    return run.with_frames(frames), [span(run, first, last)]


# Interlacing: the rows of two instants in one frame.


def _woven(run: Run, at: int, *, top_first: bool, apart: int = 1) -> Pixels:
    late = run.frames[min(at + apart, len(run.frames) - 1)]
    parts: list[Pixels] = []
    for now, then in zip(planes(run.frames[at]), planes(late), strict=True):
        fresh = now.copy()
        fresh[int(top_first) :: 2] = then[int(top_first) :: 2]
        parts.append(fresh)
    return joined(*parts)


def fields_as_frames(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Fields taken for frames, all through the insert."""
    top_first, apart = bool(rng.random() < 0.5), (1, 1, 1, 2, 3)[level - 1]
    return _changed(run, lambda k, f: _woven(run, k, top_first=top_first, apart=apart))


def filtered_fields(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A camera that softens lines against twitter, before its fields are woven."""
    apart = (1, 1, 1, 2, 3)[level - 1]
    kernel = np.array([[0.25], [0.5], [0.25]], np.float32)

    def softened(plane: Pixels) -> Pixels:
        return np.asarray(cv2.filter2D(plane, -1, kernel), np.uint8)

    soft = run.with_frames([joined(*map(softened, planes(f))) for f in run.frames])
    return _changed(soft, lambda k, f: _woven(soft, k, top_first=True, apart=apart))


def window_of_fields(run: Run, level: int, rng: np.random.Generator) -> Made:
    """An interlaced feed in a window of a progressive programme."""
    share = (0.3, 0.4, 0.5, 0.6, 0.75)[level - 1]
    apart = 1 if level < 4 else 2
    wide, high = round(run.width * share / 4) * 4, round(run.height * share / 4) * 4
    x, y = (run.width - wide) // 4 * 2, (run.height - high) // 4 * 2

    def change(k: int, frame: Pixels) -> Pixels:
        parts = zip(
            planes(frame),
            planes(_woven(run, k, top_first=True, apart=apart)),
            (1, 2, 2),
            strict=True,
        )
        out: list[Pixels] = []
        for plain, woven, s in parts:
            fresh = plain.copy()
            box = np.s_[y // s : (y + high) // s, x // s : (x + wide) // s]
            fresh[box] = woven[box]
            out.append(fresh)
        return joined(*out)

    return _changed(run, change)


def phase_of_the_field(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Progressive film shifted by a field in the plant: each frame shows half of the next."""
    return _changed(run, lambda k, f: _woven(run, k - 1, top_first=False, apart=1))


# Colours.


def _rgb(frame: Pixels) -> Colours:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_I420), np.float32)


def _yuv(rgb: Colours) -> Pixels:
    codes = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(codes, cv2.COLOR_RGB2YUV_I420), np.uint8)


def white_balance_jump(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A camera that takes lamplight for daylight, from one frame to the next."""
    by = (0.06, 0.1, 0.18, 0.26, 0.36)[level - 1] * (1 if rng.random() < 0.5 else -1)
    gains = np.array([1 + by, 1.0, 1 - by], np.float32)
    return _changed(run, lambda k, f: _yuv(_rgb(f) * gains))


def planes_exchanged(run: Run, level: int, rng: np.random.Generator) -> Made:
    """YV12 read as I420: the planes of colour change places."""

    def change(k: int, frame: Pixels) -> Pixels:
        y, u, v = planes(frame)
        return joined(y, v, u)

    return _changed(run, change)


def lost_plane(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A component cable that is out: one plane of colour stands at nothing, or far off."""
    which, off = int(rng.integers(1, 3)), (10, 16, 26, 40, 60)[level - 1]
    sign = 1 if rng.random() < 0.5 else -1

    def change(k: int, frame: Pixels) -> Pixels:
        parts = list(planes(frame))
        parts[which] = np.full_like(parts[which], 128 + sign * off)
        return joined(*parts)

    return _changed(run, change)


def wrong_range(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Limited range stretched once more: blacks are crushed, whites clip, colours glow."""
    gain = (1.06, 1.1, 1.164, 1.25, 1.4)[level - 1]
    lit = np.stack([f[: run.height : 4, ::4] for f in run.frames]).astype(np.float32)
    if float(np.abs(lit - 32).mean()) * (gain - 1) < _LEAST_CHANGE_CODES:
        return run, []

    def change(k: int, frame: Pixels) -> Pixels:
        y, u, v = (p.astype(np.float32) for p in planes(frame))
        parts = ((y - 16) * gain + 16 * (2 - gain), (u - 128) * gain + 128, (v - 128) * gain + 128)
        return joined(*(np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in parts))

    return _changed(run, change)


def rotated_hue(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A subcarrier out of phase: every hue turns by one angle."""
    turn = np.deg2rad((20, 30, 50, 80, 120)[level - 1]) * (1 if rng.random() < 0.5 else -1)
    cos, sin = np.cos(turn), np.sin(turn)

    def change(k: int, frame: Pixels) -> Pixels:
        y, u, v = planes(frame)
        du, dv = u.astype(np.float32) - 128, v.astype(np.float32) - 128
        turned = (128 + cos * du - sin * dv, 128 + sin * du + cos * dv)
        return joined(y, *(np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in turned))

    return _changed(run, change)


_LEAST_CHANGE_CODES = 4.0
COLOURED = ("planes_exchanged", "rotated_hue")
"""Ways that nobody sees in a programme without colour."""


def colourful(run: Run) -> bool:
    """Tells whether colours stand out from grey."""
    chroma = np.stack([f[run.height :] for f in run.frames[:: max(1, len(run.frames) // 8)]])
    return float(np.abs(chroma.astype(np.float32) - 128).mean()) >= 6.0


# Bars.


def _barred(run: Run, bars: tuple[int, int, int, int], *, scale: bool, dark: Pixels) -> Made:
    """Returns the run with bars above, below, left and right in the middle."""
    top, bottom, left, right = bars
    if not scale and not _covers(run, bars):
        return run, []

    def change(k: int, frame: Pixels) -> Pixels:
        out: list[Pixels] = []
        for place, (plane, s) in enumerate(zip(planes(frame), (1, 2, 2), strict=True)):
            fresh = dark[: plane.shape[0], : plane.shape[1]].copy()
            if place:
                fresh[:] = 128
            high, wide = plane.shape
            inner = np.s_[top // s : high - bottom // s, left // s : wide - right // s]
            size = (fresh[inner].shape[1], fresh[inner].shape[0])
            small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
            fresh[inner] = small if scale else plane[inner]
            out.append(fresh)
        return joined(*out)

    return _changed(run, change)


def _covers(run: Run, bars: tuple[int, int, int, int]) -> bool:
    """Tells whether bars cover something: a recording may have bars, or a night sky, there."""
    shown = np.stack([f[: run.height] for f in run.frames[:: max(1, len(run.frames) // 8)]])
    top, bottom, left, right = bars
    parts = (
        shown[:, :top],
        shown[:, run.height - bottom :],
        shown[:, :, :left],
        shown[:, :, run.width - right :],
    )
    return all(float(p.mean()) >= _SEEN_CODE for p in parts if p.size)


def _even(value: float) -> int:
    return max(2, round(value / 4) * 4)


def _black(run: Run) -> Pixels:
    return np.full((run.height, run.width), 16, np.uint8)


# Mean luma from which on what a bar covers is missed.
_SEEN_CODE = 40.0
_BAR = (0.03, 0.05, 0.09, 0.12, 0.18)


def cinema_bars(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A wider picture in the same raster: bars above and below, from one frame to the next."""
    bar = _even(_BAR[level - 1] * run.height)
    return _barred(run, (bar, bar, 0, 0), scale=False, dark=_black(run))


def pillars(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A narrower picture squeezed in: bars at both sides."""
    bar = _even(_BAR[level - 1] * run.width)
    return _barred(run, (0, 0, bar, bar), scale=True, dark=_black(run))


def window_box(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Converted twice: bars all round a picture made smaller."""
    tall, wide = (_even(_BAR[level - 1] * side) for side in (run.height, run.width))
    return _barred(run, (tall, tall, wide, wide), scale=True, dark=_black(run))


def noisy_bars(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Bars that came over an analogue path: dark grey, with noise."""
    bar = _even(_BAR[level - 1] * run.height)
    noise = rng.normal(20, 1.5, (run.height, run.width))
    dark = np.clip(np.rint(noise), 16, 30).astype(np.uint8)
    return _barred(run, (bar, bar, 0, 0), scale=True, dark=dark)


def shifted_picture(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A raster out of place: one bar, at one side."""
    bar = _even(1.5 * _BAR[level - 1] * run.height)
    return _barred(run, (bar, 0, 0, 0), scale=False, dark=_black(run))


# Patterns.


def _from_rgb(run: Run, rgb: Colours) -> Pixels:
    wide = cv2.resize(rgb, (run.width, run.height), interpolation=cv2.INTER_NEAREST)
    return _yuv(np.asarray(wide, np.float32))


def _bars(colours: list[tuple[int, int, int]]) -> Colours:
    return np.array([colours], np.float32)


_SEVENTY_FIVE = [
    *[(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0)],
    *[(191, 0, 191), (191, 0, 0), (0, 0, 191)],
]


def european_bars(run: Run, level: int, rng: np.random.Generator) -> Made:
    """EBU bars of eight columns, full or three quarters."""
    top = 255 if level > 3 else 191
    hues = [(min(r, 1) * top, min(g, 1) * top, min(b, 1) * top) for r, g, b in _SEVENTY_FIVE[1:]]
    pattern = _from_rgb(run, _bars([(255, 255, 255), *hues, (0, 0, 0)]))
    return _changed(run, lambda k, f: pattern)


def american_bars(run: Run, level: int, rng: np.random.Generator) -> Made:
    """SMPTE bars: seven columns, a strip that runs the other way, and the black set below."""
    rows = np.zeros((12, 28, 3), np.float32)
    rows[:8] = np.repeat(_bars(_SEVENTY_FIVE), 4, axis=1)
    castle = [c if k % 2 == 0 else (19, 19, 19) for k, c in enumerate(_SEVENTY_FIVE[::-1])]
    rows[8] = np.repeat(_bars(castle), 4, axis=1)[0]
    rows[9:, :5], rows[9:, 5:10], rows[9:, 10:15] = (0, 33, 76), (255, 255, 255), (50, 0, 106)
    pattern = _from_rgb(run, rows)
    sigma = rng.uniform(0, 1.5)

    def change(k: int, frame: Pixels) -> Pixels:
        noise = rng.normal(0, sigma, pattern.shape)
        return np.clip(np.rint(pattern + noise), 0, 255).astype(np.uint8)

    return _changed(run, change)


def blue_screen(run: Run, level: int, rng: np.random.Generator) -> Made:
    """What a recorder shows without a signal: one colour all over."""
    colour = [(0, 0, 255), (0, 0, 180), (20, 20, 140), (0, 160, 0)][int(rng.integers(4))]
    pattern = _from_rgb(run, _bars([colour]))
    return _changed(run, lambda k, f: pattern)


def slate(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A production slate: lines of text on a plain ground, with a rule."""
    board = np.full((run.height, run.width), 20 if rng.random() < 0.5 else 200, np.uint8)
    ink = 235 if board[0, 0] < 100 else 20
    scale = run.height / 360
    lines = ("PROG  THE LONG ROAD", "EP    104   PART 2", "DUR   00:42:10:00", "DATE  2026-03-14")
    for number, line in enumerate(lines):
        place = (int(40 * scale), int((90 + 60 * number) * scale))
        cv2.putText(
            board, line, place, cv2.FONT_HERSHEY_SIMPLEX, 1.1 * scale, ink, max(1, round(2 * scale))
        )
    edge = max(2, round(4 * scale))
    cv2.rectangle(board, (edge, edge), (run.width - edge, run.height - edge), ink, edge)
    chroma = np.full((run.height // 2, run.width // 2), 128, np.uint8)
    pattern = joined(board, chroma, chroma)
    return _changed(run, lambda k, f: pattern)


WAYS_OF: dict[str, dict[str, Callable[..., Made]]] = {
    "interlacing": {
        "fields_as_frames": fields_as_frames,
        "filtered_fields": filtered_fields,
        "window_of_fields": window_of_fields,
        "phase_of_the_field": phase_of_the_field,
    },
    "color_error": {
        "white_balance_jump": white_balance_jump,
        "planes_exchanged": planes_exchanged,
        "lost_plane": lost_plane,
        "wrong_range": wrong_range,
        "rotated_hue": rotated_hue,
    },
    "letterbox": {
        "cinema_bars": cinema_bars,
        "pillars": pillars,
        "window_box": window_box,
        "noisy_bars": noisy_bars,
        "shifted_picture": shifted_picture,
    },
    "test_pattern": {
        "european_bars": european_bars,
        "american_bars": american_bars,
        "blue_screen": blue_screen,
        "slate": slate,
    },
}
