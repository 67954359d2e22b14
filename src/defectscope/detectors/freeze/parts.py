"""Frozen frames in which a small part still moves, or only the noise.

A player that stalls draws a spinner over the frame; a paused frame that is encoded again keeps its
noise. Neither repeats a frame, yet what was moving all over the frame stands from one frame to the
next, and goes on as suddenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.features.geometry import TILE_COLUMNS, TILE_ROWS, tile_samples
from defectscope.measurements import Table
from defectscope.media.stream import VideoInfo
from defectscope.temporal.spans import Rows, runs
from defectscope.temporal.standing import all_but_free
from defectscope.temporal.tables import column, saturate

Series = NDArray[np.float64]

_STEPS_PER_CODE, _STEPS_PER_CORRELATION = 256, 250
# A tile goes on by itself where it changes by this, and by so much more than the typical one.
_BUSY_CODE, _BUSY_RATIO = 0.5, 3.0
_ALL_TILES = TILE_ROWS * TILE_COLUMNS
# A few frames in an interval may be key frames.
_MOST_OF_RUN = 0.9
_SETTLED_FRAMES = 3
# How long motion is followed beyond the window, in windows; and how fast it must be at the edge of
# an interval, beside how fast it usually is there.
_LONG, _AS_FAST = 2.5, 0.4
# What stops moved so many times more in its last frame than nearly all frames do that stand. Noise
# that is encoded anew is as large in every frame, and says less.
_EDGE_RATIO, _EVEN_EDGE = 2.0, 1.3
# How much more nearly all frames of an interval change than the calmest; what is even, and what no
# noise is; the change that says nothing, and that of frames that stand, codes.
_EVEN, _UNEVEN = 1.6, 4.0
_CALM_MOST_CODE, _STANDS_CODE = 0.05, 0.08
KINDS: Mapping[str, Any] = {
    "most": np.uint16,
    "drift": np.uint16,
    "alike": np.uint8,
    "first_tile": np.uint8,
    "last_tile": np.uint8,
}


class Parts:
    """Measures how much of each frame stands.

    `most` is the mean absolute difference of luma of the tile that changed most once 15 of 96 are
    left out; `drift` likewise the change of a tile's mean luma, which noise hardly moves; both in
    8-bit-equivalent codes. `similarity` is the correlation of the tiles' luma with the frame
    before, 0 to 1. `first_tile` and `last_tile` are the corners of what changed more than the
    rest, as row x 12 + column; 255 where nothing did.
    """

    def __init__(self, video: VideoInfo) -> None:
        samples = np.maximum(tile_samples(video.width, video.height, every=True), 1)
        self._scale = samples.reshape(-1) * float(1 << (video.bit_depth - 8))
        self._last: Series | None = None

    def columns(self, features: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Returns the columns named in `KINDS` of some frames."""
        count = len(features["tile_sad"])
        changed = features["tile_sad"].reshape(count, -1) / self._scale
        luma = features["tile_luma"].reshape(count, -1) / self._scale
        both = np.concatenate([luma[:1] if self._last is None else self._last, luma])
        self._last = luma[-1:].copy()
        corners = _corners(changed)
        return {
            "most": saturate(all_but_free(changed) * _STEPS_PER_CODE, np.uint16),
            "drift": saturate(
                all_but_free(np.abs(np.diff(both, axis=0))) * _STEPS_PER_CODE, np.uint16
            ),
            "alike": saturate(_correlations(both) * _STEPS_PER_CORRELATION, np.uint8),
            "first_tile": corners[0],
            "last_tile": corners[1],
        }


def _correlations(luma: Series) -> Series:
    even = luma - luma.mean(axis=1, keepdims=True)
    norms = np.sqrt(np.einsum("ij,ij->i", even, even))
    along = np.einsum("ij,ij->i", even[:-1], even[1:])
    # Without contrast nothing tells two frames apart.
    flat = norms[:-1] * norms[1:] < 1.0
    return np.where(flat, 1.0, along / np.maximum(norms[:-1] * norms[1:], 1e-9))


def _corners(changed: Series) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    typical = np.median(changed, axis=1, keepdims=True)
    busy = changed > np.maximum(_BUSY_CODE, _BUSY_RATIO * typical)
    busy = busy.reshape(-1, TILE_ROWS, TILE_COLUMNS)
    rows: NDArray[np.bool_] = np.any(busy, axis=2)
    columns: NDArray[np.bool_] = np.any(busy, axis=1)
    top, left = rows.argmax(axis=1), columns.argmax(axis=1)
    bottom = TILE_ROWS - 1 - rows[:, ::-1].argmax(axis=1)
    right = TILE_COLUMNS - 1 - columns[:, ::-1].argmax(axis=1)
    known: NDArray[np.bool_] = np.any(rows, axis=1)
    first = np.where(known, top * TILE_COLUMNS + left, 255)
    last = np.where(known, bottom * TILE_COLUMNS + right, 255)
    return first.astype(np.uint8), last.astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Held:
    """An interval in which nearly all of the frame stands.

    Attributes:
        first: First row that repeats what the row before shows.
        last: Row that goes on.
        noisy: Whether noise goes on all over the frame.
    """

    first: int
    last: int
    noisy: bool


def drift_of(table: Table) -> Series:
    """Returns the column `drift`, codes."""
    return column(table, "drift") / _STEPS_PER_CODE


def held_parts(
    table: Table, starts_s: Series, thresholds: Mapping[str, float], window_s: float, least_s: float
) -> list[Held]:
    """Returns where motion all over the frame stops at once and goes on at once.

    Args:
        table: With the columns named in `KINDS`.
        starts_s: When each row begins, seconds.
        thresholds: those of the artifact.
        window_s: Interval on either side that says how much motion there is, seconds.
        least_s: Shorter intervals tell nothing, seconds.
    """
    most, drift = column(table, "most") / _STEPS_PER_CODE, drift_of(table)
    similarity = column(table, "alike") / _STEPS_PER_CORRELATION
    found: list[Held] = []
    reached = 0
    # Slow motion lies below what much noise leaves: what is calm is tried at both.
    calm = [runs(drift <= thresholds[name]) for name in ("calm_code", "calmest_code")]
    for first, last in sorted([*calm[0], *calm[1]]):
        if first < reached:
            continue
        if first < 2 or last >= len(drift) or starts_s[last] - starts_s[first - 1] < least_s:
            continue
        before = drift[np.searchsorted(starts_s, starts_s[first] - window_s) : first]
        after = drift[last : np.searchsorted(starts_s, starts_s[last] + window_s)]
        if not len(before) or not len(after):
            # Frames further apart than the window tell nothing of the motion beside.
            continue
        moved = min(float(np.median(before)), float(np.median(after)))
        inside = float(np.median(drift[first:last]))
        low, high = np.quantile(most[first:last], [1 - _MOST_OF_RUN, _MOST_OF_RUN]).tolist()
        unevenness = high / max(low, _CALM_MOST_CODE)
        if unevenness > _UNEVEN and float(np.median(most[first:last])) > _STANDS_CODE:
            continue  # somebody who stands still, and breathes
        even = unevenness <= _EVEN and low > _CALM_MOST_CODE
        stop = thresholds["even_stop_ratio" if even else "stop_ratio"]
        if moved < max(thresholds["moving_code"], inside * stop):
            continue
        # Cameras and things come to rest; what stops is as fast up to its last frame as before.
        long_s = _LONG * window_s
        led = drift[np.searchsorted(starts_s, starts_s[first] - long_s) : first]
        followed = drift[last : np.searchsorted(starts_s, starts_s[last] + long_s)]
        # Where all is still but for the last moments, those are the pace.
        lately = float(np.mean(led[-_SETTLED_FRAMES:])) / (float(np.median(led)) or moved)
        went_on = float(np.mean(followed[:_SETTLED_FRAMES])) / (float(np.median(followed)) or moved)
        edge = (_EVEN_EDGE if even else _EDGE_RATIO) * float(
            np.quantile(drift[first:last], _MOST_OF_RUN)
        )
        sudden = min(lately, went_on) >= _AS_FAST
        sudden &= min(moved, before[-1], after[0]) >= edge
        sudden &= float(np.median(most[first - len(before) : first])) >= thresholds["least_code"]
        # Another scene begins where the tiles have nothing in common with the frame before.
        ends = (similarity[first - 1], similarity[last])
        if sudden and min(ends) >= thresholds["least_alike"]:
            noisy = float(np.median(most[first:last])) > thresholds["still_code"]
            found.append(Held(first, last, noisy))
            reached = last
    return found


def going_on(table: Table, rows: Rows) -> tuple[int, int, int, int] | None:
    """Returns the tiles that go on in most of some rows: first row, first column, last row, last.

    None where none do.
    """
    inside = slice(*rows)
    first, last = column(table, "first_tile")[inside], column(table, "last_tile")[inside]
    known = first < _ALL_TILES
    if np.count_nonzero(known) < len(first) / 2:
        return None
    top, left = np.divmod(first[known], TILE_COLUMNS)
    bottom, right = np.divmod(last[known], TILE_COLUMNS)
    corners = (np.quantile(top, 0.1), np.quantile(left, 0.1))
    others = (np.quantile(bottom, 0.9), np.quantile(right, 0.9))
    return int(corners[0]), int(corners[1]), int(others[0]), int(others[1])


def as_box_px(tiles: tuple[int, int, int, int], video: VideoInfo) -> list[int]:
    """Returns [x, y, width, height] in pixels of a rectangle of tiles."""
    top, left, bottom, right = tiles
    x, y = left * video.width // TILE_COLUMNS, top * video.height // TILE_ROWS
    until_x = (right + 1) * video.width // TILE_COLUMNS
    until_y = (bottom + 1) * video.height // TILE_ROWS
    return [x, y, until_x - x, until_y - y]


def standing_share(tiles: tuple[int, int, int, int] | None) -> float:
    """Returns which share of the frame's tiles stands."""
    if tiles is None:
        return 1.0
    top, left, bottom, right = tiles
    return 1.0 - (bottom - top + 1) * (right - left + 1) / _ALL_TILES
