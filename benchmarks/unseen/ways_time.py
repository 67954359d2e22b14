"""Ways to disturb what happens in time: stutter, tearing and freezes, with what is true of each.

A way gives the impaired frames and the intervals in which something is wrong, seconds. Nothing is
told of what cannot be seen: frames that hardly differ from those that they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unseen.frames import Pixels, Run, joined, planes

Spans = list[tuple[float, float]]
Made = tuple[Run, Spans]

# Mean change from frame to frame below which nobody sees motion stop, codes.
_VISIBLE_CODE = 1.0
# How far the two instants of a torn frame differ around the seam, by level, and how far apart in
# time they may be. Looked at: below 3 codes nobody finds the seam in a still frame.
_SEAM_CODE = (1.5, 3.0, 6.0, 9.0, 13.0)
_LATEST_S = 0.25


def moves(run: Run, first: int, last: int) -> bool:
    """Tells whether frames [first, last) visibly move from one to the next."""
    lumas = [f[: run.height : 2, ::2].astype(np.int16) for f in run.frames[first:last]]
    steps = [float(np.abs(b - a).mean()) for a, b in pairwise(lumas)]
    return bool(steps) and float(np.median(steps)) >= _VISIBLE_CODE


def _shown(run: Run, order: list[int]) -> Run:
    return run.with_frames([run.frames[min(max(k, 0), len(run.frames) - 1)] for k in order])


def span(run: Run, first: int, last: int) -> tuple[float, float]:
    """Returns the interval of frames [first, last), seconds."""
    return float(first / run.rate), float(last / run.rate)


# Stutter: which source frame is shown when.


def one_repeat_a_second(run: Run, level: int, rng: np.random.Generator) -> Made:
    """24 shown at 25: every 25th frame is shown twice, all along."""
    every = max(4, round(float(run.rate)))
    order = [k - k // every for k in range(len(run.frames))]
    repeats = [k for k in range(1, len(order)) if order[k] == order[k - 1]]
    return _shown(run, order), [span(run, repeats[0], repeats[-1] + 1)] if repeats else []


def capture_jitter(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A capture that samples late and early: frames are doubled and the next one is lost."""
    count = len(run.frames)
    first, last = round(0.3 * count), round(0.75 * count)
    order = list(range(count))
    share = (0.06, 0.1, 0.16, 0.24, 0.34)[level - 1]
    hit: list[int] = []
    for k in range(first, last):
        if rng.random() < share and (not hit or k - hit[-1] > 1):
            order[k] = order[k - 1]
            hit.append(k)
    return _shown(run, order), [span(run, hit[0], hit[-1] + 1)] if hit else []


def buffer_underrun(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A player that waits a few frames and leaves out as many: several within an interval."""
    hold = (2, 3, 3, 4, 6)[level - 1]
    gap = hold + max(4, round(float(run.rate) * 0.35))
    count = len(run.frames)
    order, hit = list(range(count)), []
    for start in range(round(0.3 * count), round(0.7 * count), gap):
        for k in range(start, min(start + hold, count)):
            order[k] = start - 1
        hit += [start, min(start + hold, count)]
    return _shown(run, order), [span(run, hit[0], hit[-1])]


def lost_frames(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Frames that never arrived, with nothing in their place: motion leaps."""
    lost = (2, 3, 4, 6, 8)[level - 1]
    order, hit, source = [], [], 0
    count = len(run.frames)
    apart = max(6, round(float(run.rate) * 0.4))
    while source < count:
        at = len(order)
        if 0.3 * count < at < 0.6 * count and (not hit or at - hit[-1] >= apart):
            hit.append(at)
            source += lost
        order.append(source)
        source += 1
    return _shown(run, order), [span(run, hit[0], hit[-1] + 1)] if hit else []


def broken_pulldown(run: Run, level: int, rng: np.random.Generator) -> Made:
    """3:2 at twice and a half the rate, whose rhythm an editor cut through, several times."""
    order: list[int] = []
    count = min(len(run.frames), 96)
    breaks = {round(count * at) for at in (0.4, 0.5, 0.6)[: 1 + level // 2]}
    long, hit = False, []
    for source in range(count):
        order += [source] * (3 if long else 2)
        if source in breaks:
            hit.append(len(order))  # the same length once more
        else:
            long = not long
    fast = replace(run, rate=run.rate * Fraction(5, 2))
    shown = fast.with_frames([run.frames[k] for k in order])
    return shown, [span(fast, hit[0] - 3, hit[-1] + 3)]


# Tearing: rows of two instants in one frame.


def _torn(run: Run, at: int, row: int, back: int) -> Pixels:
    now, before = run.frames[at], run.frames[max(at - back, 0)]
    row = row // 2 * 2
    parts = zip(planes(now), planes(before), (1, 2, 2), strict=True)
    return joined(*(np.concatenate([n[: row // s], b[row // s :]]) for n, b, s in parts))


def _seam_code(run: Run, at: int, row: int, back: int) -> float:
    """Returns how far two instants differ around a row, mean of a band, codes."""
    reach = max(4, run.height // 40)
    now, before = (
        run.frames[k][max(0, row - reach) : row + reach].astype(np.int16)
        for k in (at, max(at - back, 0))
    )
    return float(np.abs(now - before).mean())


def _tear(run: Run, rows: Callable[[int], int | None], level: int) -> Made:
    """Tears frames by as little time as makes the seam plain, none where no time does."""
    count = len(run.frames)
    first, last = round(0.35 * count), round(0.75 * count)
    hit = [(k, row) for k in range(first, last) if (row := rows(k)) is not None]
    for back in range(1, max(2, round(_LATEST_S * float(run.rate))) + 1):
        shown = [_seam_code(run, k, row, back) for k, row in hit]
        if hit and np.median(shown) >= _SEAM_CODE[level - 1]:
            break
    else:
        return run, []
    frames = list(run.frames)
    for k, row in hit:
        frames[k] = _torn(run, k, row, back)
    return run.with_frames(frames), [span(run, hit[0][0], hit[-1][0] + 1)]


def rolling_seam(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A screen read out while it is drawn: the seam drifts down, every frame."""
    pace = rng.uniform(2, 7) * run.height / 360
    offset = rng.uniform(0.1, 0.9) * run.height
    return _tear(run, lambda k: int(offset + k * pace) % (run.height - 16) + 8, level)


def standing_seam(run: Run, level: int, rng: np.random.Generator) -> Made:
    """Two halves of a wall that are out of step: the seam stays."""
    row = int(rng.uniform(0.3, 0.7) * run.height)
    return _tear(run, lambda k: row, level)


def loose_seams(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A game without vertical sync: seams anywhere, in some frames."""
    share = (0.25, 0.35, 0.5, 0.7, 0.9)[level - 1]
    dice = rng.random((len(run.frames), 2))
    low, high = 0.12 * run.height, 0.88 * run.height
    return _tear(
        run,
        lambda k: int(low + dice[k, 1] * (high - low)) if dice[k, 0] < share else None,
        level,
    )


def late_band(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A decoder that shows slices as they come: a band in the middle is late, in some frames."""
    share = (0.25, 0.35, 0.5, 0.7, 0.9)[level - 1]
    high = round(run.height * rng.uniform(0.2, 0.4)) // 2 * 2
    dice = rng.random((len(run.frames), 2))
    rooms = 0.76 * run.height - high
    tops = (0.12 * run.height + dice[:, 1] * rooms).astype(int) // 2 * 2
    rows = {k: int(tops[k]) for k in range(len(run.frames)) if dice[k, 0] < share}
    torn, told = _tear(run, rows.get, level)
    frames = list(torn.frames)
    for k, top in rows.items():
        if frames[k] is not run.frames[k]:
            # What is below the band is on time again.
            parts = zip(planes(frames[k]), planes(run.frames[k]), (1, 2, 2), strict=True)
            low = top + high
            frames[k] = joined(
                *(np.concatenate([t[: low // s], n[low // s :]]) for t, n, s in parts)
            )
    return torn.with_frames(frames), told


# Freezes.


def _held(run: Run, length_s: float, *, skip: bool) -> tuple[list[int], int, int]:
    first = round(0.35 * len(run.frames))
    last = min(first + round(length_s * float(run.rate)), len(run.frames) - 8)
    order = [k if k < first else first - 1 if k < last else k - 0 for k in range(len(run.frames))]
    if not skip:
        order = [k if k < last else k - (last - first) for k in order[:last]] + [
            k - (last - first) for k in range(last, len(run.frames))
        ]
    return order, first, last


def spinner_stall(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A player that stalls for two seconds with a spinner over the frame, then goes on."""
    order, first, last = _held(run, (0.8, 1.2, 2.0, 2.0, 3.0)[level - 1], skip=False)
    shown, size = _shown(run, order), run.height / (14 if level < 4 else 9)
    dim = 1.0 if rng.random() < 0.5 else 0.75
    frames = list(shown.frames)
    for k in range(first, last):
        frame = frames[k].copy()
        luma = frame[: run.height]
        luma[:] = 16 + (luma.astype(np.float32) - 16) * dim
        turn = (k - first) / float(run.rate) * 2 * np.pi
        for spoke in range(12):
            angle = turn + spoke * np.pi / 6
            x, y = run.width / 2 + size * np.cos(angle), run.height / 2 + size * np.sin(angle)
            cv2.circle(luma, (int(x), int(y)), max(2, int(size / 7)), 40 + spoke * 17, -1)
        frames[k] = frame
    return shown.with_frames(frames), [span(run, first - 1, last)]


def noisy_pause(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A pause before an analogue or grainy stage: the frame stands, noise goes on."""
    order, first, last = _held(run, (0.7, 1.0, 1.5, 2.0, 3.0)[level - 1], skip=False)
    sigma = rng.uniform(1.5, 4.0)

    def noised(luma: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        return luma + rng.normal(0, sigma, luma.shape)

    noisy = _shown(run, order).each(noised)
    return noisy, [span(run, first - 1, last)]


def lost_contact(run: Run, level: int, rng: np.random.Generator) -> Made:
    """A link that drops: the frame stands, the programme has gone on meanwhile."""
    order, first, last = _held(run, (0.5, 0.8, 1.2, 2.0, 3.0)[level - 1], skip=True)
    return _shown(run, order), [span(run, first - 1, last)]


def frozen_to_the_end(run: Run, level: int, rng: np.random.Generator) -> Made:
    """The frame stands until the clip ends."""
    first = round(0.6 * len(run.frames))
    order = [min(k, first) for k in range(len(run.frames))]
    return _shown(run, order), [span(run, first, len(run.frames))]


WAYS_OF: dict[str, dict[str, Callable[..., Made]]] = {
    "stutter": {
        "one_repeat_a_second": one_repeat_a_second,
        "capture_jitter": capture_jitter,
        "buffer_underrun": buffer_underrun,
        "lost_frames": lost_frames,
        "broken_pulldown": broken_pulldown,
    },
    "tearing": {
        "rolling_seam": rolling_seam,
        "standing_seam": standing_seam,
        "loose_seams": loose_seams,
        "late_band": late_band,
    },
    "freeze": {
        "spinner_stall": spinner_stall,
        "noisy_pause": noisy_pause,
        "lost_contact": lost_contact,
        "frozen_to_the_end": frozen_to_the_end,
    },
}
