"""How far the tones of one frame's flat places are apart: the strength of banding.

Grades learned from steps between flat sides fall again where a gradient has few tones left: its
contours are as plain, and there are fewer of them. The tones that are left say how coarse it is:
each stands alone among empty codes. Two surfaces that nobody banded are far apart as well, but the
codes of each are neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.banding.profiles import profiles_of
from defectscope.features.lines import Lines
from defectscope.measurements import Table
from defectscope.temporal.looks import settled
from defectscope.temporal.tables import column

Floats = NDArray[np.float64]

NAMES = ("tone_gap",)
# A place is a run of so many samples of a profile, flat where they differ by no more than this.
_PLACE_PX, _FLAT_CODE = 8, 1.0
# Codes up to here are black bars as well.
_BAR_CODE = 20
# Fewer flat places tell nothing.
_LEAST_PLACES = 50
# Codes next to a tone belong to it; so many places have to belong to one.
_REACH_CODE = 1
_COVERED_SHARE = 0.9
_CODES = 256
# Tones this far apart are those of a gradient of these grades, as its steps are.
_GAP_CODES, _GAP_GRADES = (0.0, 2.0, 4.0, 6.0, 9.0, 14.0), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


def tone_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (1,): 0 where too few places are flat to tell.

    The distance of each tone to the nearest other one, codes, the mean over flat places.
    """
    codes: list[NDArray[np.float32]] = []
    for profiles in profiles_of(lines):
        whole = profiles.shape[1] // _PLACE_PX * _PLACE_PX
        # Eight long rows are reduced far faster than many of eight.
        places = np.ascontiguousarray(profiles[:, :whole].reshape(-1, _PLACE_PX).T)
        mean = places.mean(axis=0)
        flat = places.max(axis=0) - places.min(axis=0) <= _FLAT_CODE
        codes.append(mean[flat & (mean > _BAR_CODE)])
    found = np.rint(np.concatenate(codes)).astype(np.intp)
    if len(found) < _LEAST_PLACES:
        return np.zeros(1)
    tones, often = _tones(np.bincount(found, minlength=_CODES))
    if len(tones) < 2:
        return np.zeros(1)
    order = np.argsort(tones)
    gaps = np.diff(tones[order]).astype(np.float64)
    nearest = np.minimum(np.append(gaps, np.inf), np.insert(gaps, 0, np.inf))
    return np.array([nearest @ often[order] / often.sum()])


def told(looks: Table, graded: Floats, least: float) -> Floats:
    """Returns (looks,) grades that tell how strong banding is, where it is there at all.

    The mean of the grade and of that of the tones' distance, and `least` or more, so that what
    counts goes on counting. Where no tones are known, or grades are lower, they stay as they are.

    Args:
        looks: Measures of the looks; `tone_gap` is read.
        graded: (looks,) settled grades.
        least: The grade from which banding counts.
    """
    gap = column(looks, "tone_gap")
    if not len(gap):
        return graded
    apart = settled(np.interp(gap, _GAP_CODES, _GAP_GRADES))
    there = (graded >= least) & (apart > 0.0)
    return np.where(there, np.maximum(0.5 * (graded + apart), least), graded)


def _tones(counts: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the commonest codes and how many places each has with its neighbours."""
    left, wanted = counts.copy(), _COVERED_SHARE * counts.sum()
    tones: list[int] = []
    often: list[int] = []
    while sum(often) < wanted:
        tone = int(left.argmax())
        near = slice(max(0, tone - _REACH_CODE), tone + _REACH_CODE + 1)
        tones.append(tone)
        often.append(int(left[near].sum()))
        left[near] = 0
    return np.array(tones), np.array(often)
