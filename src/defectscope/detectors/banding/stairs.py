"""Stairs in one frame: flat treads between steps that go the same way, under grain.

Along a contour the grain averages out, as it does to the eye: lines are averaged with their
neighbours first. Where a gradient broke into bands, steps follow each other up or down, with
nothing but a flat tread between them. Stripes, frames and letters go up and down again, so treads
between opposite steps count against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.banding.profiles import Singles, profiles_of
from defectscope.features.lines import Lines
from defectscope.measurements import Table
from defectscope.temporal.tables import column

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

NAMES = ("stair_share", "flight_share", "stair_code")
# Samples on either side of a step that have to be flat.
_FLANK_PX = 8
_HALF_PX = _FLANK_PX // 2
_LEAST_CODE, _MOST_CODE = 1.5, 24.0
# What flanks and treads may change and vary by, as a share of the step.
_FLAT_SHARE = 0.3
# How much of a step lies between two samples.
_SHARP_SHARE = 0.5
# The smaller of the two steps that bound a tread, as a share of the larger.
_LEAST_RATIO = 0.4
# Steps of so many codes make a gradient's bands of these grades: 3 is plain to anybody.
_STEP_CODES, _STEP_GRADES = (0.0, 2.0, 4.0, 6.0, 9.0, 14.0), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


def stair_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (3,); zeros for planes too small to tell.

    The share of all places that lies on treads between steps of one direction, less those between
    opposite ones, 0 or more; the share on treads of flights, which are three such steps or more,
    each the next one's beginning; and the size of steps in codes, the mean over the treads' places.
    """
    places, net, codes, held, flights = 0, 0.0, 0.0, 0.0, 0.0
    for profiles in profiles_of(lines):
        if profiles.shape[1] < 4 * _FLANK_PX:
            continue
        means = _means(profiles)
        steps = _steps(profiles, means)
        places += profiles.shape[0] * (profiles.shape[1] - 2 * _FLANK_PX)
        width, code, same, flight = _treads(profiles, means, steps)
        net += float(width[same].sum() - width[~same].sum())
        codes += float((width * code)[same].sum())
        held += float(width[same].sum())
        flights += float(width[flight].sum())
    if not places or net <= 0.0:
        return np.zeros(len(NAMES))
    return np.array([net / places, flights / places, codes / held])


def stair_grades(looks: Table, bounds: Mapping[str, float]) -> Floats:
    """Returns (looks,) grades by the height of the stairs, 0 where there are none.

    However few contours a coarse gradient has left, each of them is as tall. Blocks make treads of
    their own, so a look counts only where neither it nor the ones before and after it show a grid.

    Args:
        looks: Measures of the looks; those of a grid and of stairs are read.
        bounds: The operating thresholds.
    """
    share, code = column(looks, "stair_share"), column(looks, "stair_code")
    if not len(share):
        return np.zeros(0)
    clarity = ndimage.maximum_filter1d(column(looks, "grid_clarity"), 3)
    there = share >= bounds["least_stair_share"]
    there &= column(looks, "flight_share") >= bounds["least_flight_share"]
    there &= clarity <= bounds["stair_grid_clarity"]
    there &= column(looks, "grid_share") <= bounds["stair_grid_share"]
    return np.where(there, np.interp(code, _STEP_CODES, _STEP_GRADES), 0.0)


def _means(profiles: Singles) -> Singles:
    """Returns (profiles, length - 3) means of four samples from each place on.

    They are whole multiples of a small power of two: single precision holds them exactly.
    """
    pairs = profiles[:, :-1] + profiles[:, 1:]
    return (1 / _HALF_PX * (pairs[:, :-2] + pairs[:, 2:])).astype(np.float32, copy=False)


def _steps(profiles: Singles, means: Singles) -> tuple[Places, Places, Floats]:
    """Returns sharp steps between flat flanks: line, where its first flank begins, signed size.

    Most places drop out by sizes and drifts alone, so the rest is measured at the few others.
    """
    count = profiles.shape[1] - 2 * _FLANK_PX
    # From the four samples before a place to the four after it.
    changes = means[:, _HALF_PX:] - means[:, :-_HALF_PX]
    sizes = np.abs(changes)
    size = sizes[:, _HALF_PX:][:, :count]
    drift = np.maximum(sizes[:, :count], sizes[:, _FLANK_PX:][:, :count])
    maybe = (size >= _LEAST_CODE) & (size <= _MOST_CODE)
    # A little more than is wanted: single precision rounds the product.
    maybe &= drift <= size * np.float32(1.01 * _FLAT_SHARE)
    line, place = np.nonzero(maybe)

    eight = sliding_window_view(profiles, _FLANK_PX, axis=1)
    large = size[line, place].astype(np.float64)
    middle = eight[line, place + _FLANK_PX - _HALF_PX // 2][:, :_HALF_PX]
    there = drift[line, place] <= _FLAT_SHARE * large
    there &= np.abs(np.diff(middle, axis=1)).max(axis=1, initial=0.0) >= _SHARP_SHARE * large
    line, place, large = line[there], place[there], large[there]

    edged = np.zeros((len(size), count + 2 * _HALF_PX), np.float32)
    edged[:, _HALF_PX:-_HALF_PX] = size
    around = sliding_window_view(edged, _FLANK_PX, axis=1)[line, place]
    flanks = (eight[line, place], eight[line, place + _FLANK_PX])
    power = [flank.var(axis=1, dtype=np.float64) for flank in flanks]
    there = np.sqrt(0.5 * (power[0] + power[1])) <= _FLAT_SHARE * large
    there &= large >= around.max(axis=1, initial=0.0)
    line, place = line[there], place[there]
    return line, place, changes[line, place + _HALF_PX].astype(np.float64)


def _treads(
    profiles: Singles, means: Singles, steps: tuple[Places, Places, Floats]
) -> tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns flat treads: width in samples, smaller step in codes, whether both steps go one way.

    And whether the tread is one of a flight: a box within a box has two steps up and two down, a
    gradient has more.
    """
    line, place, size = steps
    first, last, on = place[:-1] + _FLANK_PX, place[1:] + _FLANK_PX, line[:-1]
    width = last - first
    near = (line[1:] == on) & (width >= _FLANK_PX)
    first, last, on, width = first[near], last[near], on[near], width[near]
    one, other = size[:-1][near], size[1:][near]
    least = np.minimum(np.abs(one), np.abs(other))
    most = np.maximum(np.abs(one), np.abs(other))
    drift = np.abs(means[on, last - _HALF_PX] - means[on, first])
    flat = (drift <= _FLAT_SHARE * least) & (least >= _LEAST_RATIO * most)
    rest = np.flatnonzero(flat)
    flat[rest] = _spread(profiles, on[rest], first[rest], last[rest]) <= _FLAT_SHARE * least[rest]
    same = flat & (one * other > 0)
    joined = same[1:] & same[:-1] & (on[1:] == on[:-1]) & (first[1:] == last[:-1])
    flight = np.zeros(len(same), bool)
    flight[1:] |= joined
    flight[:-1] |= joined
    return width[flat].astype(np.float64), least[flat], same[flat], flight[flat]


def _spread(profiles: Singles, line: Places, first: Places, last: Places) -> Floats:
    """Returns the standard deviation of each tread's samples."""
    lines, row = np.unique(line, return_inverse=True)
    used = profiles[lines]
    sums, squares = _running(used), _running(np.square(used, dtype=np.float64))
    width = last - first
    mean = (sums[row, last] - sums[row, first]) / width
    return np.sqrt(np.maximum((squares[row, last] - squares[row, first]) / width - mean**2, 0.0))


def _running(values: NDArray[Any]) -> Floats:
    """Returns the sums of all samples before each place, one place more."""
    out = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, dtype=np.float64, out=out[:, 1:])
    return out
