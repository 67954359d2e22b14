"""Frames that turn to mid grey at once, and back: a decoder that lacks a reference.

Decoders take a missing reference for a frame of mid grey. Whatever is predicted from it moves
towards that one level: by half where two references are averaged, altogether where there is no
other. Bright parts become darker and dark ones brighter, each by a share of its distance from mid
grey. Light, fades and flashes move everything towards white or black instead, and a dissolve to
grey takes more frames.

Source: Rec. ITU-T H.265, 8.3.3.2, which fills a missing picture with 1 << (bitDepth - 1); FFmpeg
does so for H.264 as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.events import Event

# What a frame does, as a set of bits.
TOWARDS, AWAY = 1, 2
_MID_GREY_CODE = 128.0
# The level that nothing moves at, codes from mid grey. In 32,475 clean frames of 213 recordings
# what else fits so well lies seven codes away or more.
_FARTHEST_CODE = 3.0
# Share of the distance that is gone at once; a dissolve of eight frames takes an eighth, and a
# photographic negative twice the distance.
_LEAST_SHARE, _MOST_SHARE = 0.2, 1.2
# How much of the changes that line explains, over how many of the tiles, and how much these differ.
_EXPLAINED, _TILES, _SPREAD_CODE = 0.85, 0.25, 12.0
_CHANGED_CODE = 2.0
# Such frames follow each other until the next random access point.
_LONGEST_S = 10.0
_CONFIDENCE = 0.95

Floats = NDArray[np.float64]


def mid_grey(luma: Floats) -> NDArray[np.uint8]:
    """Returns what every frame does: TOWARDS mid grey, AWAY from it, neither (0) or both.

    Args:
        luma: (frames + 1, rows, columns) mean luma of each tile, 8-bit codes, the frame before
            them first.
    """
    tiles = luma.reshape(len(luma), -1)
    out = np.zeros(len(tiles) - 1, np.uint8)
    # Most frames end here: too little changes in them.
    moved = (np.abs(np.diff(tiles, axis=0)) >= _CHANGED_CODE).mean(axis=1) >= _TILES
    for k in np.flatnonzero(moved).tolist():
        out[k] = TOWARDS * _is_mixed(*tiles[k : k + 2]) + AWAY * _is_mixed(*tiles[k : k + 2][::-1])
    return out


def _is_mixed(before: Floats, now: Floats) -> bool:
    """Tells whether tiles lose one share of their distance from mid grey."""
    change = now - before
    # The others are whole: where they are far from mid grey they would move far.
    least = np.maximum(_CHANGED_CODE, _LEAST_SHARE * np.abs(before - _MID_GREY_CODE))
    moved = np.abs(change) >= least
    before, change = before[moved], change[moved]
    if len(before) < _TILES * len(moved):
        return False
    spread = float(before.var())
    if spread < _SPREAD_CODE**2:
        return False
    # The straight line through them, by least squares.
    level, mean = float(before.mean()), float(change.mean())
    share = -float((before - level) @ (change - mean)) / (len(before) * spread)
    if not _LEAST_SHARE <= share <= _MOST_SHARE:
        return False
    if abs(level + mean / share - _MID_GREY_CODE) > _FARTHEST_CODE:
        return False
    return bool(share * share * spread >= _EXPLAINED * change.var())


def greyed(grey: NDArray[np.uint8], starts_s: Floats) -> list[Event]:
    """Returns events: from a frame that turns to mid grey to the one that comes back.

    Args:
        grey: What every frame does, from `mid_grey`.
        starts_s: When each is presented.
    """
    out: list[Event] = []
    begun: float | None = None
    for row in np.flatnonzero(grey).tolist():
        at_s = float(starts_s[row])
        if begun is not None and at_s - begun > _LONGEST_S:
            begun = None
        if begun is not None and grey[row] & AWAY:
            out.append(Event(begun, at_s, _CONFIDENCE))
            begun = None
        elif begun is None and grey[row] & TOWARDS:
            begun = at_s
    return out
