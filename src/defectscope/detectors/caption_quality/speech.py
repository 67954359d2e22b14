"""How loud the band of speech is, and how that goes with the captions.

No network: what matters is not whether a sound is speech, but whether it comes and goes as the
captions do. The captions themselves tell how the programme's speech sounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from defectscope.temporal.speech_levels import BLOCKS_HZ, Series

# Half the longest pause inside a sentence, blocks.
_BREATH = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """How late captions are in one window.

    Attributes:
        centre_s: Middle of the window.
        late_s: Their delay against the speech; negative is early.
        agreement: Correlation of captions and speech at that delay.
    """

    centre_s: float
    late_s: float
    agreement: float


def shown(start_s: Series, end_s: Series, blocks: int) -> Series:
    """Returns, for every block, whether a caption is on screen, 0 or 1."""
    change = np.zeros(blocks + 1)
    first = np.clip(np.rint(start_s * BLOCKS_HZ).astype(np.int64), 0, blocks)
    last = np.clip(np.rint(end_s * BLOCKS_HZ).astype(np.int64), 0, blocks)
    good = last > first
    np.add.at(change, first[good], 1)
    np.add.at(change, last[good], -1)
    return (np.cumsum(change)[:blocks] > 0).astype(np.float64)


def activity(level: Series) -> Series | None:
    """Returns the level as 0 (the programme's pauses) to 1 (its speech), None where it is even."""
    low, top = np.percentile(level, (10, 85))
    if top - low < 8.0 or top < -65.0:
        return None
    # Half-way up is speech as good as its peaks; and a caption stays through a breath.
    raw = np.clip((level - low) / (0.6 * (top - low)), 0, 1)
    wide = np.pad(raw, 2 * _BREATH, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view
    risen = windows(wide, 2 * _BREATH + 1).max(axis=1)
    return windows(risen, 2 * _BREATH + 1).min(axis=1)


def delay(mask: Series, active: Series, most_s: float) -> tuple[float, float]:
    """Returns the delay at which captions and speech agree best, and how well they agree there."""
    reach = min(round(most_s * BLOCKS_HZ), len(mask) // 3)
    best = np.zeros(2 * reach + 1)
    for lag in range(-reach, reach + 1):
        a = mask[max(0, lag) : len(mask) + min(0, lag)]
        b = active[max(0, -lag) : len(active) + min(0, -lag)]
        a, b = a - a.mean(), b - b.mean()
        scale = float(np.sqrt((a @ a) * (b @ b)))
        best[lag + reach] = float(a @ b) / scale if scale > 0 else 0.0
    at = int(np.argmax(best))
    late = float(at - reach)
    if 0 < at < len(best) - 1:
        left, middle, right = best[at - 1 : at + 2]
        curve = left - 2 * middle + right
        late += 0.5 * float(left - right) / float(curve) if curve < 0 else 0.0
    return late / BLOCKS_HZ, float(best[at])


def delays(mask: Series, active: Series, window_s: float, most_s: float) -> list[Fit]:
    """Returns the delay in windows that overlap by two thirds; short programmes are one window."""
    size = round(window_s * BLOCKS_HZ)
    step = max(1, size // 3)
    starts = [0] if len(mask) <= size else range(0, len(mask) - size + 1, step)
    found: list[Fit] = []
    for first in starts:
        part = slice(first, first + size)
        if not 0.1 <= float(mask[part].mean()) <= 0.95:
            continue
        late_s, agreement = delay(mask[part], active[part], most_s)
        length_s = len(mask[part]) / BLOCKS_HZ
        found.append(Fit(first / BLOCKS_HZ + length_s / 2, late_s, agreement))
    return found
