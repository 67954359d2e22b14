"""Windows of cells: what the faces of some seconds say of the offset, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.crops import RATE_FPS
from defectscope.detectors.av_sync.fragments import FRAGMENT_FRAMES, Cell
from defectscope.detectors.av_sync.offsets import (
    CELL_FRAMES,
    MS_PER_FRAME,
    Peak,
    joined,
    peak,
)

Floats = NDArray[np.float64]

# Small windows that vote on what a large one says: 1.6 s each, one begins every 0.4 s.
_VOTE_CELLS = 4
# Votes this close to the large window's offset agree with it, frames.
_AGREE_FRAMES = 1.5
# One large window begins every so many cells.
_HOP_CELLS = 2
# Offsets of one interval differ by no more than this from one window to the next, frames.
_STEADY_FRAMES = 2.0

# What counts as in step, by name: the earliest and the latest sound, milliseconds, negative where
# it is early.
# Source: ITU-R BT.1359-1, annex 1 (thresholds of acceptability); EBU R37-2007 (at the end of the
# production chain).
TOLERANCES_MS: dict[str, tuple[float, float]] = {"bt1359": (-90.0, 185.0), "r37": (-40.0, 60.0)}
DEFAULT_TOLERANCE = "bt1359"


@dataclass(frozen=True, slots=True)
class Rules:
    """What was tuned.

    Attributes:
        slope: Of the probability that a window's offset is right, over its lead.
        offset: Likewise, the intercept; the probability is 1 / (1 + exp(-slope lead - offset)).
        network_share: How much the network's curve counts beside the linear model's, 0 to 1.
        conclusive: Less probable windows say nothing.
        early_ms: Sound this early is still in step, negative.
        late_ms: Sound this late is still in step.
        margin_ms: This close to either limit nothing is said.
        min_votes: Small windows that must agree.
        min_pairs: Pairs of video and sound that a window needs.
    """

    slope: float
    offset: float
    network_share: float
    conclusive: float
    early_ms: float
    late_ms: float
    margin_ms: float
    min_votes: int
    min_pairs: int

    @staticmethod
    def of(thresholds: Mapping[str, float], tolerance: str = DEFAULT_TOLERANCE) -> Rules:
        """Reads the thresholds of detector.json.

        Args:
            thresholds: By name.
            tolerance: One of `TOLERANCES_MS`.
        """
        early_ms, late_ms = TOLERANCES_MS[tolerance]
        return Rules(
            slope=thresholds["probability_slope"],
            offset=thresholds["probability_offset"],
            network_share=thresholds["network_share"],
            conclusive=thresholds["conclusive"],
            early_ms=early_ms,
            late_ms=late_ms,
            margin_ms=thresholds["margin_ms"],
            min_votes=int(thresholds["min_votes"]),
            min_pairs=int(thresholds["min_pairs"]),
        )

    def state(self, offset_ms: float) -> str:
        """Returns whether an offset is `in_step`, `out_of_step`, or too near a limit: `open`."""
        if self.early_ms + self.margin_ms <= offset_ms <= self.late_ms - self.margin_ms:
            return "in_step"
        if self.early_ms - self.margin_ms < offset_ms < self.late_ms + self.margin_ms:
            return "open"
        return "out_of_step"

    def excess(self, offset_ms: float) -> float:
        """Returns an offset as a share of what is still in step on its side."""
        return offset_ms / (self.late_ms if offset_ms >= 0 else self.early_ms)


@dataclass(frozen=True, slots=True)
class Window:
    """What an interval of a few seconds says.

    Attributes:
        start_frame: First frame, 25 a second.
        end_frame: First frame after it.
        curve: (31,) likeness by offset.
        peak: Where it is highest.
        lead: The peak's lead in units of its own noise.
        probability: That the offset is right.
        votes: Offsets of the small windows within it, frames.
        agreeing: How many of them agree.
        state: `in_step`, `out_of_step`, or `open` where nothing can be said.
        cells: What it was made of.
    """

    start_frame: int
    end_frame: int
    curve: Floats
    peak: Peak
    lead: float
    probability: float
    votes: tuple[float, ...]
    agreeing: int
    state: str
    cells: tuple[Cell, ...]

    @property
    def centre_s(self) -> float:
        """Its middle, seconds."""
        return (self.start_frame + self.end_frame) / 2 / RATE_FPS


def speaking(cells: Sequence[Cell], rules: Rules) -> list[Cell]:
    """Keeps, of every fragment, the face whose lips fit the sound best at some offset."""
    out: list[Cell] = []
    for _, group in groupby(cells, key=lambda c: c.frame // FRAGMENT_FRAMES):
        tracks: dict[int, list[Cell]] = {}
        for cell in group:
            tracks.setdefault(cell.track, []).append(cell)
        taken: list[Cell] = []
        # One after the other may speak; of those seen at the same time, one.
        for own in sorted(tracks.values(), key=lambda own: -_lead(own, rules)):
            busy = [(c.frame, c.frame + c.frames) for c in taken]
            taken += [
                c for c in own if all(c.frame + c.frames <= a or c.frame >= b for a, b in busy)
            ]
        out += sorted(taken, key=lambda c: c.frame)
    return out


def windows(cells: Sequence[Cell], rules: Rules, window_s: float) -> list[Window]:
    """Returns the windows of a programme: as long as asked for, or as long as it is."""
    if not cells:
        return []
    length = round(window_s * RATE_FPS)
    begins = np.array([c.frame for c in cells])
    last = int(begins[-1]) + cells[-1].frames
    starts = range(
        int(begins[0]), max(int(begins[0]) + 1, last - length + 1), _HOP_CELLS * CELL_FRAMES
    )
    out: list[Window] = []
    previous: tuple[int, int] | None = None
    for start in starts:
        low, high = (int(i) for i in np.searchsorted(begins, [start, start + length]))
        if high <= low or (low, high) == previous:
            continue
        previous = (low, high)
        window = _window(cells[low:high], rules)
        if window is not None:
            out.append(window)
    return out


def likeness(cells: Sequence[Cell], rules: Rules) -> tuple[Floats, float]:
    """Returns the curve of some cells, and how many pairs stand behind it."""
    canonical = joined([c.canonical for c in cells])
    curve = canonical.mean
    own = [c.network for c in cells if c.network is not None]
    if own and rules.network_share > 0:
        curve = (1 - rules.network_share) * curve + rules.network_share * joined(own).mean
    return curve, float(canonical.pairs.max(initial=0.0))


def _lead(cells: Sequence[Cell], rules: Rules) -> float:
    curve, pairs = likeness(cells, rules)
    return peak(curve).lead * float(np.sqrt(pairs))


def _window(cells: Sequence[Cell], rules: Rules) -> Window | None:
    curve, pairs = likeness(cells, rules)
    if pairs < rules.min_pairs:
        return None
    top = peak(curve)
    lead = top.lead * float(np.sqrt(pairs))
    probability = float(1 / (1 + np.exp(-np.clip(rules.slope * lead + rules.offset, -60, 60))))
    votes = tuple(
        peak(likeness(cells[i : i + _VOTE_CELLS], rules)[0]).frames
        for i in range(max(1, len(cells) - _VOTE_CELLS + 1))
    )
    agreeing = sum(abs(v - top.frames) <= _AGREE_FRAMES for v in votes)
    state = "open"
    if probability >= rules.conclusive and agreeing >= rules.min_votes and not top.at_end:
        state = rules.state(top.ms)
    return Window(
        cells[0].frame,
        cells[-1].frame + cells[-1].frames,
        curve,
        top,
        lead,
        probability,
        votes,
        agreeing,
        state,
        tuple(cells),
    )


def spread_ms(window: Window) -> float:
    """Returns the standard deviation of the agreeing votes, milliseconds."""
    near = [v for v in window.votes if abs(v - window.peak.frames) <= _AGREE_FRAMES]
    return float(np.std(near)) * MS_PER_FRAME if near else 0.0


def as_distances(curve: Floats) -> list[float]:
    """Returns likeness as distance: 0 where video and sound are most alike."""
    return [round(float(v), 4) for v in curve.max() - curve]
