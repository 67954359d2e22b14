"""How sharp the sharpest edges of one frame are: pure functions on lines.

Where luma changes much over eight samples, the largest step within them, as a share of the change,
tells how acute the edge is: 1 for an edge of one sample, 1/8 for a ramp. In a frame with anything
in focus some edges are acute; in a soft one none is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.features.lines import Codes, Lines

Floats = NDArray[np.float64]

_REACH_PX = 8
_CONTRASTS_CODE = (12, 30)
_QUANTILES = (0.5, 0.8, 0.9, 0.95, 0.99)
NAMES = (
    *(f"acute{c}_{round(q * 100)}" for c in _CONTRASTS_CODE for q in _QUANTILES),
    *(f"edges{c}" for c in _CONTRASTS_CODE),
    "height_px",
)
_STEPS = 64
# Fewer edges tell nothing: a night sky is not soft.
_LEAST_EDGES = 150
_UNKNOWN = 1.0
_CODES = 256
# The step as a share of the change, in steps, by change and step; at most three halves.
_RATIOS = np.minimum(
    np.arange(_CODES) * _STEPS // np.maximum(np.arange(_CODES), 1)[:, None], 3 * _STEPS // 2
)


def acuteness_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (13,).

    Quantiles of the acuteness of edges of at least 12 and of 30 codes, the share of places with
    such edges, and the frame's height.
    """
    both = [_along(codes) for codes in (lines.across, lines.down)]
    known = [each for each in both if each is not None]
    mean = np.mean(known, axis=0) if known else np.zeros(len(NAMES) - 1)
    return np.array([*mean, lines.down.shape[1]])


def _along(codes: Codes) -> Floats | None:
    if codes.shape[1] < 2 * _REACH_PX:
        return None
    step = np.abs(np.diff(codes, axis=1))
    two = np.maximum(step[:, :-1], step[:, 1:])
    four = np.maximum(two[:, :-2], two[:, 2:])
    largest = np.maximum(four[:, :-4], four[:, 4:])
    change = np.abs(codes[:, _REACH_PX:] - codes[:, :-_REACH_PX])
    largest = largest[:, : change.shape[1]]
    # How often each pair of a change and its largest step occurs says all, at once.
    pairs = change.astype(np.intp).ravel() * _CODES + largest.ravel()
    joint = np.bincount(pairs)
    seen = np.flatnonzero(joint)
    often, ratios = joint[seen], _RATIOS.ravel()[seen]
    out: list[float] = []
    shares: list[float] = []
    for least in _CONTRASTS_CODE:
        first = int(np.searchsorted(seen, least * _CODES))
        occur = np.bincount(ratios[first:], often[first:], minlength=3 * _STEPS // 2 + 1)
        counts = np.cumsum(occur.astype(np.int64))
        total = int(counts[-1])
        if total < _LEAST_EDGES:
            out += [_UNKNOWN] * len(_QUANTILES)
        else:
            at = np.searchsorted(counts, np.array(_QUANTILES) * total)
            out += ((at + 0.5) / _STEPS).tolist()
        shares.append(total / change.size)
    return np.array([*out, *shares])
