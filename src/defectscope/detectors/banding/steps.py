"""How much one frame's gradients are broken into steps: pure functions on lines.

Along a line a change of luma is either a ramp or a step between two flat sides. Gradients are
ramps, or steps of one code; banding turns them into steps of several codes that go on from line to
line, of few sizes, and leaves codes of the histogram empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.compression_blockiness.comb import NAMES as COMB_NAMES
from defectscope.detectors.compression_blockiness.comb import comb_measures
from defectscope.features.lines import Codes, Lines

Floats = NDArray[np.float64]

# Sizes of steps that are counted together, first code of each and of the one after the last.
_SIZES_CODE = (2, 3, 4, 6, 9, 13, 21, 33)
NAMES = (
    *(f"step_{size}" for size in _SIZES_CODE[:-1]),
    *("large", "faint", "flat", "ramp", "steps", "coherent"),
    *("step_over_ramp", "coherent_over_ramp", "coherent_share", "size_peak", "size_mean"),
    *("middle", "middle_over_ramp", "middle_over_large", "comb", "empty", "spread", "repeat"),
)
# Blocks of a coarse codec have steps between flats too, but on a grid.
_GRID = ("step_clarity_min", "step_share")
LOOK_NAMES = (*NAMES, "grid_clarity", "grid_share")
# Flanks: five samples on either side that differ by no more than this.
_FLAT_CODE = 1
_LEAST_STEP_CODE, _MOST_STEP_CODE, _MOST_RAMP_CODE = 2, 20, 16
# A band seen from a larger raster is wider: lines longer than this are averaged down.
_LENGTH_PX = 960
# What nothing counts as, as a share of all places.
_LEAST = 1e-3
_REPEATS_CODE = range(2, 20)
# Codes up to here are black bars as well; they say nothing of how tones are spread.
_BAR_CODE = 17


def step_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (25,); zeros for lines too short to tell.

    Shares of all places unless the name says otherwise: steps by size, beyond all sizes, of one
    code, flats, ramps, steps of 2 to 20 codes and those that a neighbouring line bears out; these
    beside ramps; the share of the commonest sizes and their mean in codes; steps of 3 to 20 codes
    beside ramps and beside larger ones; and of the histogram how jagged it is, its empty codes, how
    many codes hold nine tenths, and how much it repeats.
    """
    sizes, tones = np.zeros(256), np.zeros(256)
    places = ramps = coherent = 0
    by = max(1, round(max(lines.across.shape[1], lines.down.shape[1]) / _LENGTH_PX))
    for codes in (lines.across, lines.down):
        shrunk = _averaged(codes, by)
        if shrunk.shape[1] < 16:
            continue
        step, ramp = steps_and_ramps(shrunk)
        # 256, where there is no flat flank, is counted and left out.
        sizes += np.bincount(np.abs(step).ravel(), minlength=257)[:256]
        places += step.size
        ramps += ramp
        coherent += _borne_out(step)
        tones += np.bincount(shrunk.ravel(), minlength=256)[:256]
    if not places:
        return np.zeros(len(NAMES))
    least = _LEAST * places
    counts = np.concatenate([[0], np.cumsum(sizes)])
    binned = np.diff(counts[list(_SIZES_CODE)]) / places
    steps = float(sizes[_LEAST_STEP_CODE : _MOST_STEP_CODE + 1].sum())
    visible = sizes[_LEAST_STEP_CODE : _MOST_STEP_CODE + 1]
    peak = max(float(visible[k : k + 3].sum()) for k in range(len(visible) - 2))
    mean = float(visible @ np.arange(len(visible)) / (steps + least / 10)) + _LEAST_STEP_CODE
    middle = float(sizes[3 : _MOST_STEP_CODE + 1].sum())
    large = float(sizes[_MOST_STEP_CODE + 1 :].sum())
    shares = [sizes[33:].sum(), sizes[1], sizes[0], ramps, steps, coherent]
    ratios = [
        steps / (steps + ramps + 2 * least),
        coherent / (coherent + ramps + 2 * least),
        coherent / (steps + least),
        peak / (steps + least / 10),
        mean,
        middle / places,
        middle / (middle + ramps + 2 * least),
        middle / (middle + large + least),
    ]
    return np.array([*binned, *(s / places for s in shares), *ratios, *_tones(tones)])


def look_measures(lines: Lines) -> Floats:
    """Returns the measures named in `LOOK_NAMES`, (27,): those of steps, and of a block grid."""
    grid = comb_measures(lines)
    return np.array([*step_measures(lines), *(grid[COMB_NAMES.index(name)] for name in _GRID)])


def steps_and_ramps(codes: Codes) -> tuple[NDArray[np.int16], int]:
    """Returns signed steps with flat flanks and how many ramps there are.

    Args:
        codes: (lines, length) luma.

    Returns:
        (lines, length - 11) codes, 256 where the flanks are not flat; and the count of places where
        luma changes by 2 to 16 codes over eleven samples, nowhere by more than half of that.
    """
    count = codes.shape[1] - 11
    view = [codes[:, k : k + count] for k in range(11)]
    left, right = (view[0], view[2], view[4]), (view[6], view[8], view[10])
    flat = np.maximum(_range(*left), _range(*right)) <= _FLAT_CODE
    step = np.where(flat, view[6] - view[4], np.int16(256))
    change = np.abs(np.diff(codes, axis=1))
    two = np.maximum(change[:, :-1], change[:, 1:])
    four = np.maximum(two[:, :-2], two[:, 2:])
    eight = np.maximum(four[:, :-4], four[:, 4:])[:, 1 : 1 + count]
    whole = np.abs(view[10] - view[0])
    ramp = (whole >= _LEAST_STEP_CODE) & (whole <= _MOST_RAMP_CODE)
    ramp &= (2 * eight < whole + 2) & ~flat
    return step, int(np.count_nonzero(ramp))


def _range(a: Codes, b: Codes, c: Codes) -> Codes:
    return np.maximum(np.maximum(a, b), c) - np.minimum(np.minimum(a, b), c)


def _averaged(codes: Codes, by: int) -> Codes:
    if by == 1:
        return codes
    used = codes.shape[1] // by * by
    # Slices are added far faster than an axis of two or three is summed.
    total = codes[:, :used:by].astype(np.int32)
    for first in range(1, by):
        total += codes[:, first:used:by]
    return (total // by).astype(np.int16)


def _borne_out(step: NDArray[np.int16]) -> int:
    """Counts steps that the other line of the pair has too, at most a sample away."""
    size = np.abs(step)
    seen = np.where((size >= _LEAST_STEP_CODE) & (size <= _MOST_STEP_CODE), step, np.int16(0))
    one, other = seen[::2, 1:-1], seen[1::2]
    near = np.zeros(one.shape, bool)
    for away in range(3):
        there = other[:, away : away + one.shape[1]]
        near |= (np.abs(there - one) <= 1) & (there != 0)
    return 2 * int(np.count_nonzero(near & (one != 0)))


def _tones(tones: Floats) -> list[float]:
    tones[: _BAR_CODE + 1] = 0.0
    share = tones / max(tones.sum(), 1.0)
    smooth = ndimage.uniform_filter1d(share, 9)
    jagged = float(np.abs(share - ndimage.uniform_filter1d(share, 3)).sum())
    used = smooth > _LEAST
    empty = float(np.mean(share[used] < 0.15 * smooth[used])) if used.any() else 0.0
    spread = float(np.count_nonzero(np.cumsum(np.sort(share)[::-1]) < 0.9))
    sharp = share - smooth
    power = float(sharp @ sharp) + 1e-9
    repeat = max(float(sharp[:-k] @ sharp[k:]) / power for k in _REPEATS_CODE)
    return [jagged, empty, spread, repeat]
