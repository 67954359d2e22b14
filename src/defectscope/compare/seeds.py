"""Finds frames that two versions surely share, anywhere in them: the anchors of an alignment.

Frames that stand out in the baseline are looked up in the whole candidate; pairs that agree with
each other in order form the chain of anchors. This finds shifts of minutes, inserted slates and
shortened credits; what lies between two anchors is aligned frame by frame in `path`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# One frame is looked up for each of these many frames of the baseline.
_FRAMES_PER_QUERY = 12
_MAX_QUERIES = 6000
# Fewer anchors than one for each of these many frames are few.
_FEW_FRAMES = 60
# Two frames are alike when the correlation of their tiles is at least this.
_SIMILAR = 0.9
# Codes: frames with less contrast between their tiles (black, white) are not looked up.
_MIN_CONTRAST_CODES = 4.0
# Candidate frames whose correlation is this close to the best one are as good as it.
_AS_GOOD = 0.002
# A query that fits frames further apart than this, in frames, is ambiguous.
_MAX_SPREAD_FRAMES = 50
# Two anchors of the chain may differ in speed by this much (25 for 24 is 1.04, 60 for 24 is 2.5).
_SPEEDS = (0.3, 3.4)
_BLOCK = 256


@dataclass(frozen=True)
class Anchors:
    """Pairs of frames, ascending in both versions.

    Attributes:
        base: Frame numbers in the baseline.
        candidate: Frame numbers in the candidate.
    """

    base: NDArray[np.int64]
    candidate: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.base)


def standardized(tiles: NDArray[np.float32], *, without_still: bool = True) -> NDArray[np.float32]:
    """Returns each frame's tiles with mean 0 and length 1, so that a dot product is a correlation.

    Args:
        tiles: (frames, tiles) mean luma codes.
        without_still: What never changes in a version (a logo, bars of a graphic) is taken out
            first.
    """
    still = without_still and len(tiles) > 50
    centred = tiles - np.median(tiles, axis=0) if still else tiles
    centred = centred - centred.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    floor = _MIN_CONTRAST_CODES * np.sqrt(tiles.shape[1])
    return (centred / np.maximum(length, floor)).astype(np.float32)


def find_anchors(base: NDArray[np.float32], candidate: NDArray[np.float32]) -> Anchors:
    """Returns the longest chain of pairs that look alike and keep their order.

    Args:
        base: (frames, tiles) mean luma codes of the baseline.
        candidate: (frames, tiles) of the candidate.
    """
    anchors = _found(standardized(base), standardized(candidate))
    if len(anchors) >= min(len(base), len(candidate)) // _FEW_FRAMES:
        return anchors
    # Of a few shots, or of a capture that stands for long, the median is a shot of its own.
    whole = [standardized(tiles, without_still=False) for tiles in (base, candidate)]
    return max(anchors, _found(*whole), key=len)


def _found(left: NDArray[np.float32], right: NDArray[np.float32]) -> Anchors:
    queries = _distinctive(left)
    pairs: list[tuple[int, int, float]] = []
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        likeness = left[block] @ right.T
        best = likeness.argmax(axis=1)
        top = likeness[np.arange(len(block)), best]
        for row, query in enumerate(block):
            if top[row] < _SIMILAR:
                continue
            good = np.flatnonzero(likeness[row] >= top[row] - _AS_GOOD)
            if good[-1] - good[0] <= _MAX_SPREAD_FRAMES:
                pairs.append((int(query), int(best[row]), float(top[row])))
    return _chain(pairs)


def _distinctive(frames: NDArray[np.float32]) -> NDArray[np.int64]:
    """Returns in each run of frames the one that differs most from its neighbours."""
    if len(frames) < 3:
        return np.arange(len(frames), dtype=np.int64)
    step = max(_FRAMES_PER_QUERY, len(frames) // _MAX_QUERIES)
    change = np.zeros(len(frames))
    change[1:-1] = np.linalg.norm(frames[2:] - frames[:-2], axis=1)
    contrast = np.linalg.norm(frames, axis=1)
    starts = range(0, len(frames), step)
    picked = [s + int(change[s : s + step].argmax()) for s in starts]
    return np.array([p for p in picked if contrast[p] > 0.5], np.int64)


def _chain(pairs: list[tuple[int, int, float]]) -> Anchors:
    """Returns the heaviest ascending chain, by dynamic programming over all pairs."""
    if not pairs:
        return Anchors(np.empty(0, np.int64), np.empty(0, np.int64))
    base = np.array([p[0] for p in pairs], np.int64)
    candidate = np.array([p[1] for p in pairs], np.int64)
    weight = np.ones(len(pairs))
    total = weight.copy()
    before = np.full(len(pairs), -1)
    for k in range(1, len(pairs)):
        across, down = candidate[k] - candidate[:k], base[k] - base[:k]
        speed = across / np.maximum(down, 1)
        # A pair that keeps the speed counts whole; a cut or an insert on the way costs a little.
        gain = total[:k] - np.where((speed > _SPEEDS[0]) & (speed < _SPEEDS[1]), 0.0, 0.5)
        gain = np.where((across > 0) & (down > 0), gain, -1.0)
        at = int(gain.argmax())
        if gain[at] > 0:
            total[k] += gain[at]
            before[k] = at
    chain: list[int] = []
    k = int(total.argmax())
    while k >= 0:
        chain.append(k)
        k = int(before[k])
    chain.reverse()
    return Anchors(base[chain], candidate[chain])
