"""Where one shot ends and the next begins: cuts, dissolves and fades, from the shared features."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.features.geometry import tile_samples
from defectscope.media.stream import VideoInfo

Floats = NDArray[np.float64]

FEATURES = frozenset({"tile_luma", "luma_histogram"})

# The histogram is compared in this many bins, so that grain and small changes of light pass.
_BINS = 32
# A cut changes this share of the histogram, or this many codes in the mean tile, from one frame
# to the next, and stands this far out of the changes around it. docs/results/av_sync.md has the
# comparison that fixed them.
_CUT_SHARE = 0.30
_CUT_CODE = 16.0
_CUT_RATIO = 3.5
_AROUND = 13
# Each of the two measures must reach this much of its bound where the other one exceeds its own.
_BOTH = 0.35
# Rows on either side of a cut between which the change must remain.
_LASTS = 3
# A dissolve changes as much over this time, seconds, as a cut does at once.
_SLOW_S = 0.8
_SLOW_SHARE = 0.55
_SLOW_CODE = 24.0
# A frame this dark and even is the black between two shots, codes.
_BLACK_CODE = 20.0
_BLACK_SPREAD = 3.0
# Rows that are looked at around each instant, in seconds: more never changes what is found there.
REACH_S = 1.6


@dataclass(slots=True)
class Shots:
    """Collects what the frames look like and tells where shots begin.

    Attributes:
        video: Facts of the stream.
    """

    video: VideoInfo
    _times: list[Floats] = field(default_factory=list[Floats])
    _tiles: list[Floats] = field(default_factory=list[Floats])
    _histograms: list[Floats] = field(default_factory=list[Floats])

    def push(
        self, times_s: Floats, tile_luma: NDArray[np.generic], histogram: NDArray[np.generic]
    ) -> None:
        """Takes the features of the next frames."""
        if not len(times_s):
            return
        sizes = tile_samples(self.video.width, self.video.height, every=True)
        # Small frames leave some tiles empty.
        full = sizes > 0
        codes = sizes[full] * float(1 << (self.video.bit_depth - 8))
        tiles = tile_luma[:, full].astype(np.float64) / codes
        bins = histogram.astype(np.float64).reshape(len(times_s), _BINS, -1).sum(axis=2)
        self._times.append(times_s)
        self._tiles.append(tiles)
        self._histograms.append(bins / np.maximum(bins.sum(axis=1, keepdims=True), 1))

    def forget(self, before_s: float) -> None:
        """Drops frames presented before an instant."""
        while self._times and self._times[0][-1] < before_s:
            del self._times[0], self._tiles[0], self._histograms[0]

    def between(self, start_s: float, end_s: float) -> list[float]:
        """Returns when shots begin in [start_s, end_s), seconds; a dissolve by its middle."""
        if not self._times:
            return []
        times = np.concatenate(self._times)
        near = (times >= start_s - REACH_S) & (times < end_s + REACH_S)
        times = times[near]
        if len(times) < 2:
            return []
        tiles = np.concatenate(self._tiles)[near]
        histograms = np.concatenate(self._histograms)[near]
        found = [*times[hard_cuts(tiles, histograms)], *_gradual(times, tiles, histograms)]
        return sorted({float(t) for t in found if start_s <= t < end_s})


def hard_cuts(tiles: Floats, histograms: Floats) -> NDArray[np.intp]:
    """Returns the rows that begin a new shot at once.

    Args:
        tiles: (n, 96) mean luma by tile, codes.
        histograms: (n, 32) luma histograms that sum to 1.
    """
    share, code = np.zeros(len(tiles)), np.zeros(len(tiles))
    share[1:] = np.abs(np.diff(histograms, axis=0)).sum(axis=1) / 2
    code[1:] = np.abs(np.diff(tiles, axis=0)).mean(axis=1)
    measure = np.maximum(share / _CUT_SHARE, code / _CUT_CODE)
    both = np.minimum(share / _CUT_SHARE, code / _CUT_CODE)
    baseline = ndimage.median_filter(measure, _AROUND, mode="nearest")
    # A flash changes everything twice; a shot lasts.
    lasting = np.zeros(len(tiles), bool)
    for row in np.flatnonzero((measure >= 1) & (both >= _BOTH)):
        ahead, behind = min(row + _LASTS, len(tiles) - 1), max(row - 1 - _LASTS, 0)
        back = np.abs(tiles[ahead] - tiles[behind]).mean()
        lasting[row] = back > 0.4 * code[row] and measure[row] > _CUT_RATIO * baseline[row]
    return np.flatnonzero(lasting)


def _gradual(times: Floats, tiles: Floats, histograms: Floats) -> list[float]:
    """When dissolves and fades are half done."""
    half = _SLOW_S / 2
    before = np.searchsorted(times, times - half)
    after = np.minimum(np.searchsorted(times, times + half), len(times) - 1)
    share = np.abs(histograms[after] - histograms[before]).sum(axis=1) / 2
    code = np.abs(tiles[after] - tiles[before]).mean(axis=1)
    # What a cut explains is no dissolve: its largest step makes up most of the change.
    step = np.zeros(len(times))
    step[1:] = np.abs(np.diff(tiles, axis=0)).mean(axis=1)
    longest = 2 * int(np.max(after - before, initial=1)) + 1
    largest = ndimage.maximum_filter1d(step, longest, mode="nearest")
    slow = (share > _SLOW_SHARE) & (code > _SLOW_CODE) & (largest < 0.5 * code)
    slow &= (after - before) >= 4
    out: list[float] = []
    rows = np.flatnonzero(slow)
    for run in np.split(rows, np.flatnonzero(np.diff(times[rows]) > _SLOW_S) + 1):
        if len(run):
            out.append(float(times[run[int(np.argmax(code[run]))]]))
    black = (tiles.mean(axis=1) < _BLACK_CODE) & (tiles.std(axis=1) < _BLACK_SPREAD)
    out += times[1:][~black[1:] & black[:-1]].tolist()
    return out
