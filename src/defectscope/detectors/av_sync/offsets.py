"""How alike video and sound are at every offset, and where they are most alike.

Positive offsets mean that the sound is late: what the lips do at frame t is heard at t + offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.crops import RATE_FPS

Floats = NDArray[np.float64]

# Offsets that are tried, in frames of the 25 fps grid. Source: Chung and Zisserman 2016, "Out of
# time: automated lip sync in the wild", section 4.
REACH_FRAMES = 15
OFFSETS = np.arange(-REACH_FRAMES, REACH_FRAMES + 1)
# Likeness is added up over cells of this many frames; cells add up to windows.
CELL_FRAMES = 10
# What lies this close to a peak belongs to it.
PEAK_FRAMES = 3

MS_PER_FRAME = 1000 / RATE_FPS


@dataclass(frozen=True, slots=True)
class Likeness:
    """Likeness added up over a cell or a window.

    Attributes:
        total: (31,) sum over the pairs of video and sound at every offset.
        pairs: (31,) how many pairs there were.
    """

    total: Floats
    pairs: Floats

    @property
    def mean(self) -> Floats:
        """(31,) likeness per pair."""
        return self.total / np.maximum(self.pairs, 1.0)


@dataclass(frozen=True, slots=True)
class Peak:
    """Where a curve of likeness is highest.

    Attributes:
        frames: The offset, between frames, positive where the sound is late.
        index: The highest of `OFFSETS`.
        lead: How far it exceeds the highest of what does not belong to it.
        at_end: It lies at an end of the range; the true offset may lie beyond.
    """

    frames: float
    index: int
    lead: float
    at_end: bool

    @property
    def ms(self) -> float:
        """The offset in milliseconds."""
        return self.frames * MS_PER_FRAME


def cells(
    lips: Floats,
    sound: Floats,
    weights: Floats,
    *,
    first: int,
    frame: int,
    shot: tuple[int, int],
) -> list[tuple[int, Likeness]]:
    """Adds up likeness cell by cell; a cell is never part of two shots.

    Args:
        lips: (T, signals) of a mouth.
        sound: (N, signals) of the sound on the same grid.
        weights: (signals,).
        first: Row of `sound` that belongs to the first of `lips`.
        frame: Frame of the programme that it is, 25 a second.
        shot: Rows of `sound` that belong to the shot, half-open; pairs reaching beyond are left
            out.

    Returns:
        For every cell its first row of `lips` and its likeness. Cells begin at frames that are
        multiples of CELL_FRAMES, and where the lips begin.
    """
    out: list[tuple[int, Likeness]] = []
    low, high = max(0, shot[0]), min(len(sound), shot[1])
    weighted = lips * weights
    edges = [e for e in range(len(lips) + 1) if not (frame + e) % CELL_FRAMES]
    starts = sorted({0, *edges} - {len(lips)})
    for start, end in zip(starts, [*starts[1:], len(lips)], strict=True):
        rows = np.arange(start, end)
        total, pairs = np.zeros(len(OFFSETS)), np.zeros(len(OFFSETS))
        for place, offset in enumerate(OFFSETS):
            sound_rows = rows + first + offset
            there = (sound_rows >= low) & (sound_rows < high)
            total[place] = np.sum(weighted[rows[there]] * sound[sound_rows[there]])
            pairs[place] = np.count_nonzero(there)
        out.append((start, Likeness(total, pairs)))
    return out


def joined(parts: list[Likeness]) -> Likeness:
    """Adds up the likeness of several cells."""
    return Likeness(
        np.sum([p.total for p in parts], axis=0), np.sum([p.pairs for p in parts], axis=0)
    )


def peak(curve: Floats) -> Peak:
    """Finds the highest point of a curve over `OFFSETS`, between frames by a parabola."""
    index = int(np.argmax(curve))
    at_end = index in (0, len(curve) - 1)
    between = 0.0
    if not at_end:
        before, here, after = curve[index - 1 : index + 2]
        bend = before - 2 * here + after
        between = 0.5 * (before - after) / bend if bend < 0 else 0.0
    others = np.ones(len(curve), bool)
    others[max(0, index - PEAK_FRAMES) : index + PEAK_FRAMES + 1] = False
    lead = float(curve[index] - curve[others].max())
    return Peak(float(OFFSETS[index] + between), index, lead, at_end)
