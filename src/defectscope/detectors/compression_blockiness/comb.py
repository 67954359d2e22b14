"""How clearly one frame shows a block grid of any period, in any phase: pure functions on lines.

A block's edge is a step between two flat sides. Along a line such steps are counted by position;
a grid makes them periodic, and the spectrum of the counts has lines at the multiples of one
frequency. After scaling the period need not be whole samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from defectscope.features.lines import Codes, Lines
from defectscope.temporal.order import median, quantile

Floats = NDArray[np.float64]

_KINDS = ("step", "wide")
_PER_KIND = ("clarity_min", "clarity_mean", "share", "rise", "on", "off", "same")
NAMES = (*(f"{kind}_{name}" for kind in _KINDS for name in _PER_KIND), "block_px", "edges_on_grid")

# Under which names measures and combs are kept for other measures of the same lines.
_MEMO, _COMBS = "comb", "combs"
_LEAST_STEP_CODE = 2
# Scaling up spreads a step over so many samples.
_WIDE_PX = 3
_SHORTEST_PX, _LONGEST_PX = 5.5, 66
_LEAST_LENGTH_PX = 96
_HARMONICS = 4
# The spectrum is looked at in quarters of a bin: the fourth harmonic moves by four bins in one.
_FINE = 8
_SURROUND_PX = 33
# What an outlier of the profile counts at most, beside all but one in fifty of it.
_OUTLIER_QUANTILE, _OUTLIER_RATIO = 0.98, 1.5
# Added to lines of the spectrum, as a share of the typical one, before their logarithm.
_LEAST_LINE = 0.25
# Edges of things; as few of them as this tell nothing.
_EDGE_CODE, _LEAST_EDGES = 32, 60


@dataclass(frozen=True, slots=True)
class Comb:
    """The strongest comb of a profile.

    Attributes:
        clarity: Mean natural logarithm of its spectral lines over the typical one.
        period_px: Its period, 0 for none.
        on: Median count of steps on the grid.
        off: Median count of steps elsewhere.
        shows: Share of the grid's lines that show.
        near: Samples on the grid and next to it.
    """

    clarity: float = 0.0
    period_px: float = 0.0
    on: float = 0.0
    off: float = 0.0
    shows: float = 0.0
    near: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))


_NOTHING = Comb()


def comb_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (16,).

    For steps that stand out of both neighbours (`step`), and for such over three samples (`wide`):
    the clarity of the grid (mean natural logarithm of its spectral lines over the typical one) in
    the less clear direction and on average, the share of grid lines that show, how much more often
    steps are on the grid than off it, both counts, and how far the two periods are apart (0 for
    equal ones). Then the period, and the share of edges of things that lie on the grid: nearly all
    of them where things are drawn in blocks. Zeros where a side is too short to tell.
    """
    if _MEMO in lines.memo:
        return lines.memo[_MEMO]
    out: list[float] = []
    period = drawn = 0.0
    for kind, (a, b) in enumerate(combs(lines)):
        rise = np.sqrt(max(a.on - a.off, 0.0) * max(b.on - b.off, 0.0))
        both = a.period_px and b.period_px
        apart = abs(np.log(a.period_px / b.period_px)) if both else 0.0
        out += [min(a.clarity, b.clarity), (a.clarity + b.clarity) / 2]
        out += [min(a.shows, b.shows), rise, np.sqrt(a.on * b.on), np.sqrt(a.off * b.off)]
        out.append(min(apart, 2.0))
        if kind == 0:
            period = a.period_px
            drawn = min(_edges_on(lines.across, a), _edges_on(lines.down, b))
    lines.memo[_MEMO] = np.array([*out, period, drawn])
    return lines.memo[_MEMO]


def combs(lines: Lines) -> tuple[tuple[Comb, Comb], ...]:
    """Returns the strongest comb of rows and of columns for either kind of step, kept for reuse."""
    if _COMBS not in lines.memo:
        pairs = zip(profiles(lines.across), profiles(lines.down), strict=True)
        lines.memo[_COMBS] = tuple((strongest_comb(a), strongest_comb(b)) for a, b in pairs)
    return lines.memo[_COMBS]


def profiles(lines: Codes) -> Floats:
    """Returns (2, length) how often a step of either kind lies before each sample, 0 to 1."""
    out = np.zeros((2, lines.shape[1]))
    if lines.shape[1] <= 3 * _WIDE_PX:
        return out
    for kind, reach in enumerate((1, _WIDE_PX)):
        step = np.abs(lines[:, reach:] - lines[:, :-reach])
        neighbours = np.maximum(step[:, : -2 * reach], step[:, 2 * reach :])
        stands = step[:, reach:-reach] >= neighbours + _LEAST_STEP_CODE
        first = reach + (reach + 1) // 2
        out[kind, first : first + stands.shape[1]] = np.count_nonzero(stands, axis=0)
    return out / len(lines)


def strongest_comb(profile: Floats) -> Comb:
    """Returns the comb that stands out most.

    Args:
        profile: (length,) counts of steps; shorter than 96 gives zeros.
    """
    size = len(profile)
    if size < _LEAST_LENGTH_PX or not profile.any():
        return _NOTHING
    window, bins, firsts = _plan(size)
    most = quantile(profile, _OUTLIER_QUANTILE) * _OUTLIER_RATIO + 1e-9
    bounded = np.minimum(profile, most)
    local = ndimage.uniform_filter1d(bounded, _SURROUND_PX, mode="nearest")
    shaped = (bounded - local) * window
    spectrum = np.abs(np.asarray(fft.rfft(shaped, _FINE * size), np.complex128))
    typical = median(spectrum[firsts[0] : _FINE * size // 2 : 4]) + 1e-9
    logs = np.log(spectrum + _LEAST_LINE * typical) - np.log(typical)
    total, count = np.zeros(len(firsts)), np.zeros(len(firsts))
    for line in bins:
        total[: len(line)] += logs[line]
        count[: len(line)] += 1
    clarity = np.where(count >= 2, total / count, 0.0)
    best = int(np.argmax(clarity))
    period = _FINE * size / float(firsts[best])
    turn = np.sum(shaped * np.exp(-2j * np.pi / period * np.arange(size)))
    offset = (-np.angle(turn) / (2 * np.pi) * period) % period
    at = np.rint(np.arange(offset, size - 1, period)).astype(np.intp)
    at = at[(at >= 1) & (at < size - 1)]
    if len(at) < 3:
        return _NOTHING
    near = np.stack([at - 1, at, at + 1])
    on = profile[near].max(axis=0)
    elsewhere = np.ones(size, bool)
    elsewhere[near] = False
    off = median(profile[elsewhere]) if elsewhere.any() else 0.0
    shows = float(np.mean(on > 2 * off + 1e-3))
    return Comb(float(clarity[best]), period, median(on), off, shows, near.reshape(-1))


def _edges_on(lines: Codes, comb: Comb) -> float:
    """Returns the share of edges of things that lie on a grid, 0 where there are hardly any."""
    edges = np.count_nonzero(np.abs(np.diff(lines, axis=1)) >= _EDGE_CODE, axis=0)
    total = int(edges.sum())
    if total < _LEAST_EDGES or not len(comb.near):
        return 0.0
    # `edges` counts the step before the sample after it.
    return float(np.concatenate([[0], edges])[comb.near].sum() / total)


@lru_cache(maxsize=16)
def _plan(size: int) -> tuple[Floats, list[NDArray[np.intp]], NDArray[np.intp]]:
    """Returns a window, the bins of each harmonic, and those of the fundamental."""
    half = _FINE * size // 2
    firsts = np.arange(_FINE * size // _LONGEST_PX, int(_FINE * size / _SHORTEST_PX))
    bins = [firsts[firsts * k < half] * k for k in range(1, _HARMONICS + 1)]
    return np.hanning(size), bins, firsts
