"""Finds which part of the baseline's frame the candidate shows: crop, scale and bars.

A crop moves what lies in a tile, and in a pan that looks like a shift in time. So the window is
found first, over frames of many shots whose motion differs, and the baseline's tiles are resampled
to it; time is compared afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.compare.signature import TILE_COLUMNS, TILE_ROWS

# What is compared: 8 x 12 tiles of the part that both show.
ROWS = 8
COLUMNS = 12
_SAMPLES = 240
# A pair may be wrong by this many frames while the window is sought; without a window by more: in a
# pan a few frames look like a shift, and of the two the frames are the likelier.
_SLACK_FRAMES, _PLAIN_SLACK_FRAMES = 3, 12
# Edges move by these shares of a side, the largest first.
_STEPS = (0.06, 0.03, 0.015, 0.008, 0.004, 0.002)
_FURTHEST = 0.25
# A window is taken when it lowers the unlikeness by this factor.
_WORTHWHILE = 0.9


@dataclass(frozen=True)
class Window:
    """The candidate's active area within the baseline's, in shares of its sides.

    Attributes:
        left: Left edge; 0 is the baseline's own.
        top: Upper edge.
        right: Right edge; 1 is the baseline's own.
        bottom: Lower edge.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def sampled(self, tiles: NDArray[np.float16]) -> NDArray[np.float32]:
        """Returns the (frames, 96) tiles of the window, from (frames, 384) of the whole area."""
        down = _shares(self.top, self.bottom, TILE_ROWS, ROWS)
        across = _shares(self.left, self.right, TILE_COLUMNS, COLUMNS)
        kernel = np.kron(down, across).T.astype(np.float32)
        made = np.empty((len(tiles), ROWS * COLUMNS), np.float32)
        for start in range(0, len(tiles), 4096):
            made[start : start + 4096] = tiles[start : start + 4096].astype(np.float32) @ kernel
        return made


def _shares(low: float, high: float, fine: int, coarse: int) -> NDArray[np.float64]:
    """Returns (coarse, fine) weights: how much of each fine tile lies in each coarse one."""
    edges = (low + (high - low) * np.linspace(0.0, 1.0, coarse + 1)) * fine
    tiles = np.arange(fine, dtype=np.float64)
    upper = np.minimum(edges[1:, None], tiles + 1)
    lower = np.maximum(edges[:-1, None], tiles)
    weights = np.maximum(upper - lower, 0.0)
    # What lies outside the baseline is thought to look like its edge.
    weights[:, 0] += np.maximum(np.minimum(edges[1:], 0.0) - edges[:-1], 0.0)
    weights[:, -1] += np.maximum(edges[1:] - np.maximum(edges[:-1], float(fine)), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def find_window(
    base: NDArray[np.float16],
    candidate: NDArray[np.float32],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Window:
    """Returns the window in which the baseline's frames look most like the candidate's.

    Args:
        base: (frames, 384) tiles of the baseline.
        candidate: (frames, 96) tiles of the candidate's whole area.
        pairs: Frame numbers of pairs, right to a few frames.
    """
    left, right = pairs
    kept = np.unique(np.linspace(0, len(left) - 1, _SAMPLES).astype(np.int64))
    samples = base[left[kept]]

    def around(slack: int) -> NDArray[np.float32]:
        near = right[kept][:, None] + np.arange(-slack, slack + 1)
        return _centred(candidate[near.clip(0, len(candidate) - 1)])

    def unlikeness(window: Window, targets: NDArray[np.float32]) -> float:
        shown = _centred(window.sampled(samples))
        likeness = np.einsum("nk,njk->nj", shown, targets).max(axis=1)
        return float(np.mean(np.sort(1.0 - likeness)[: max(1, int(0.8 * len(kept)))]))

    targets = around(_SLACK_FRAMES)
    plain = unlikeness(Window(), around(_PLAIN_SLACK_FRAMES))
    edges, least = [0.0, 0.0, 1.0, 1.0], unlikeness(Window(), targets)
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for change in _changes(step):
                tried = [edge + by for edge, by in zip(edges, change, strict=True)]
                if max(abs(t - e) for t, e in zip(tried, (0, 0, 1, 1), strict=True)) > _FURTHEST:
                    continue
                found = unlikeness(Window(*tried), targets)
                if found < least - 1e-7:
                    edges, least, improved = tried, found, True
    return Window(*edges) if least < _WORTHWHILE * plain else Window()


def _changes(step: float) -> list[tuple[float, float, float, float]]:
    """Returns how edges are moved: one alone, opposite ones alike (zoom) and together (shift)."""
    one = [tuple(step * sign * (k == at) for k in range(4)) for at in range(4) for sign in (1, -1)]
    zoom = [(step, 0.0, -step, 0.0), (0.0, step, 0.0, -step), (step, step, -step, -step)]
    shift = [(step, 0.0, step, 0.0), (0.0, step, 0.0, step)]
    both = [tuple(sign * by for by in change) for change in (*zoom, *shift) for sign in (1, -1)]
    return [(c[0], c[1], c[2], c[3]) for c in (*one, *both)]


def _centred(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = tiles - tiles.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return centred / np.maximum(length, 1e-3)
