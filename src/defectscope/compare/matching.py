"""Aligns two versions of a title: anchors, window, fit, and the way through all frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.compare.alignment import Alignment, NotComparableError
from defectscope.compare.edits import describe
from defectscope.compare.fit import fit_pair
from defectscope.compare.path import (
    BAND_FRAMES,
    NEAR_FRAMES,
    band_around,
    gap_costs,
    pair_frames,
)
from defectscope.compare.seeds import Anchors, find_anchors
from defectscope.compare.signature import Signatures
from defectscope.compare.window import Window, find_window
from defectscope.temporal.spans import runs

# Versions share a title when this share of the shorter one's frames is paired.
_MIN_SHARED = 0.2
_MIN_ANCHORS = 3
# Frames are surely shared between so many anchors that lie equally far apart in both versions.
_SURE_ANCHORS = 5


def align(base: Signatures, candidate: Signatures) -> Alignment:
    """Aligns the frames of two versions.

    Args:
        base: Signatures of the baseline.
        candidate: Signatures of the candidate.

    Raises:
        NotComparableError: They have too little in common.
    """
    if not len(base) or not len(candidate):
        raise NotComparableError("one of the versions has no frames")
    shown = Window().sampled(candidate.tiles)
    anchors = _common(Window().sampled(base.tiles), shown)
    window = find_window(base.tiles, shown, _filled(anchors))
    own = window.sampled(base.tiles)
    if window != Window():
        anchors = _common(own, shown)
    fitted = fit_pair(own, shown, _filled(anchors))
    expected = _expected(anchors, len(base), len(candidate))
    paired = np.full(len(base), -1, np.int64)
    # The fit is made, used for a way, and made again over that way, near which the last way lies.
    for frames in (_reach(anchors, len(base)), NEAR_FRAMES):
        band = band_around(expected, len(candidate), frames)
        paired = pair_frames(band, len(candidate), fitted.costs, gap_costs(_slope(expected)))
        rows = np.flatnonzero(paired >= 0)
        if len(rows) < _MIN_SHARED * min(len(base), len(candidate)):
            share = len(rows) / min(len(base), len(candidate))
            raise NotComparableError(
                f"the versions have too little in common: {share:.0%} of the frames of the "
                "shorter one can be paired"
            )
        fitted = fit_pair(own, shown, (rows, paired[rows]))
        expected = _expected(Anchors(rows, paired[rows]), len(base), len(candidate))
    return describe(paired, base, candidate, fitted, window)


def _common(base: NDArray[np.float32], candidate: NDArray[np.float32]) -> Anchors:
    anchors = find_anchors(base, candidate)
    if len(anchors) < min(_MIN_ANCHORS, max(1, len(base) // 24)):
        raise NotComparableError(
            "the versions have no frames in common: no run of frames of the baseline was found in "
            "the candidate"
        )
    return anchors


def _filled(anchors: Anchors) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns all pairs between anchors that are equally far apart in both versions."""
    rows = [anchors.base[:1]]
    columns = [anchors.candidate[:1]]
    for k in range(1, len(anchors)):
        gap = int(anchors.base[k] - anchors.base[k - 1])
        if gap == anchors.candidate[k] - anchors.candidate[k - 1]:
            rows.append(np.arange(anchors.base[k - 1] + 1, anchors.base[k] + 1))
            columns.append(np.arange(anchors.candidate[k - 1] + 1, anchors.candidate[k] + 1))
        else:
            rows.append(anchors.base[k : k + 1])
            columns.append(anchors.candidate[k : k + 1])
    return np.concatenate(rows), np.concatenate(columns)


def _expected(anchors: Anchors, rows: int, columns: int) -> NDArray[np.float64]:
    way = np.interp(np.arange(rows), anchors.base, anchors.candidate)
    first, last = int(anchors.base[0]), int(anchors.base[-1])
    span = max(last - first, 1)
    slope = max(float(anchors.candidate[-1] - anchors.candidate[0]) / span, 0.1)
    way[:first] = anchors.candidate[0] - slope * np.arange(first, 0, -1)
    way[last + 1 :] = anchors.candidate[-1] + slope * np.arange(1, rows - last)
    return np.clip(way, 0, columns)


def _reach(anchors: Anchors, rows: int) -> NDArray[np.int64]:
    """Returns how far from the expected way each frame of the baseline is looked for.

    One anchor may be off by many frames where little moves; neighbours would not be off alike.
    """
    reach = np.full(rows, BAND_FRAMES, np.int64)
    kept = np.diff(anchors.base) == np.diff(anchors.candidate)
    for first, end in runs(kept):
        # A gap on either side may hold an edit, so the ends of a run stay wide.
        if end - first >= _SURE_ANCHORS:
            reach[anchors.base[first + 1] : anchors.base[end - 1]] = NEAR_FRAMES
    return reach


def _slope(expected: NDArray[np.float64]) -> float:
    """Returns the usual number of candidate frames for one of the baseline."""
    step = max(1, min(48, len(expected) // 3))
    if len(expected) <= step:
        return 1.0
    return float(np.median((expected[step:] - expected[:-step]) / step))
