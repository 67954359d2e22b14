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
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.features.lines import Lines
from defectscope.measurements import Table
from defectscope.temporal.tables import column

Floats = NDArray[np.float64]

NAMES = ("stair_share", "flight_share", "stair_code")
# So many neighbouring lines make one profile, and so many profiles are taken each way.
_LINES, _PROFILES = 8, 40
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
    scale = 1.0 / (1 << (lines.bit_depth - 8))
    places, net, codes, held, flights = 0, 0.0, 0.0, 0.0, 0.0
    for pixels in (lines.luma.pixels, lines.luma.pixels.T):
        profiles = _profiles(pixels) * np.float32(scale)
        if profiles.shape[1] < 4 * _FLANK_PX:
            continue
        steps = _steps(profiles)
        places += steps.size
        width, code, same, flight = _treads(profiles, steps)
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


def _profiles(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Returns (profiles, length) means of neighbouring rows, evenly spaced over the plane."""
    height = pixels.shape[0]
    count = max(1, min(_PROFILES, height // _LINES))
    first = (2 * np.arange(count) + 1) * max(0, height - _LINES) // (2 * count)
    rows = pixels[first[:, None] + np.arange(min(_LINES, height))]
    return rows.mean(axis=1, dtype=np.float32)


def _steps(profiles: NDArray[np.float32]) -> Floats:
    """Returns (profiles, length - 16) signed sizes of sharp steps between flat flanks, or 0."""
    count = profiles.shape[1] - 2 * _FLANK_PX
    sums, squares = _running(profiles), _running(np.square(profiles, dtype=np.float64))

    def mean(of: Floats, first: int, length: int) -> Floats:
        return (of[:, first + length :][:, :count] - of[:, first:][:, :count]) / length

    far_left, left = mean(sums, 0, _HALF_PX), mean(sums, _HALF_PX, _HALF_PX)
    right = mean(sums, _FLANK_PX, _HALF_PX)
    far_right = mean(sums, _FLANK_PX + _HALF_PX, _HALF_PX)
    step = right - left
    size = np.abs(step)
    drift = np.maximum(np.abs(left - far_left), np.abs(far_right - right))
    power = [
        mean(squares, first, _FLANK_PX) - mean(sums, first, _FLANK_PX) ** 2
        for first in (0, _FLANK_PX)
    ]
    spread = np.sqrt(np.maximum(0.5 * (power[0] + power[1]), 0.0))
    between = ndimage.maximum_filter1d(np.abs(np.diff(profiles, axis=1)), 3, axis=1)
    sharpest = between[:, _FLANK_PX - 1 :][:, :count]
    there = (size >= _LEAST_CODE) & (size <= _MOST_CODE)
    there &= (drift <= _FLAT_SHARE * size) & (spread <= _FLAT_SHARE * size)
    there &= sharpest >= _SHARP_SHARE * size
    there &= size >= ndimage.maximum_filter1d(size, _FLANK_PX, axis=1)
    return np.where(there, step, 0.0)


def _treads(
    profiles: NDArray[np.float32], steps: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns flat treads: width in samples, smaller step in codes, whether both steps go one way.

    And whether the tread is one of a flight: a box within a box has two steps up and two down, a
    gradient has more.
    """
    line, place = np.nonzero(steps)
    size = steps[line, place]
    sums, squares = _running(profiles), _running(np.square(profiles, dtype=np.float64))
    first, last, on = place[:-1] + _FLANK_PX, place[1:] + _FLANK_PX, line[:-1]
    width = last - first
    near = (line[1:] == on) & (width >= _FLANK_PX)
    first, last, on, width = first[near], last[near], on[near], width[near]
    one, other = size[:-1][near], size[1:][near]
    least = np.minimum(np.abs(one), np.abs(other))
    most = np.maximum(np.abs(one), np.abs(other))
    mean = (sums[on, last] - sums[on, first]) / width
    spread = np.sqrt(np.maximum((squares[on, last] - squares[on, first]) / width - mean**2, 0.0))
    begins = sums[on, first + _HALF_PX] - sums[on, first]
    ends = sums[on, last] - sums[on, last - _HALF_PX]
    drift = np.abs(ends - begins) / _HALF_PX
    flat = (drift <= _FLAT_SHARE * least) & (spread <= _FLAT_SHARE * least)
    flat &= least >= _LEAST_RATIO * most
    same = flat & (one * other > 0)
    joined = same[1:] & same[:-1] & (on[1:] == on[:-1]) & (first[1:] == last[:-1])
    flight = np.zeros(len(same), bool)
    flight[1:] |= joined
    flight[:-1] |= joined
    return width[flat].astype(np.float64), least[flat], same[flat], flight[flat]


def _running(values: NDArray[Any]) -> Floats:
    """Returns the sums of all samples before each place, one place more."""
    out = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, dtype=np.float64, out=out[:, 1:])
    return out
