"""From evaluated frames to events with ends: evaluated frames are few, ends should be exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.steps import Steps

# Far below a frame, far above the rounding of seconds.
_ROUNDING_S = 1e-6
# Brief is at most so long; it is held against so much on both sides, but for the nearest frames.
_BRIEF_S = 0.4
_SIDE_S, _APART_S = 1.5, 0.1
# Evidence listens to frames up to a second away, so an interval may reach so much too far.
_SMEARED_S = 1.0
# What an interval scores inside: not the median, for it may reach too far on both sides.
_INSIDE_PERCENT = 75


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        start_s: First damaged instant.
        end_s: First instant after it.
        confidence: Highest probability of damage of a frame in it.
    """

    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Known:
    """The frames that were evaluated.

    Attributes:
        rows: Their rows in the table of frames, rising.
        scores: What was said of them.
        jumps: For every frame, how suddenly its most changed part changed.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    jumps: NDArray[Any]

    @staticmethod
    def of(
        rows: NDArray[Any], scores: NDArray[Any], previous: NDArray[Any], jumps: NDArray[Any]
    ) -> Known:
        """Joins what was said of frames and of the frames before them.

        A frame that was looked at twice, once for itself and once as the one before, counts with
        the mean of both.
        """
        both = np.concatenate([rows, rows - 1])
        values = np.concatenate([scores, previous]).astype(np.float64)
        order, place = np.unique(both[both >= 0], return_inverse=True)
        sums = np.bincount(place, values[both >= 0], len(order))
        return Known(order.astype(np.int64), sums / np.bincount(place, minlength=len(order)), jumps)


def events(
    known: Known,
    evidence: NDArray[np.float64],
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    steps: Steps,
    enter: float,
    bridge_s: float,
    least_step: float = 0.0,
) -> list[Event]:
    """Returns events: the most plausible path of clean and damaged intervals.

    Every interval must pay for its beginning and its end, so one frame of weak evidence begins
    nothing and one clean-looking frame ends nothing, while several, or one that is beyond doubt,
    do. Its ends are drawn in to the frames that look damaged by themselves; between a clean and a
    damaged evaluated frame the end lies where the frame changed most.

    Source: A. J. Viterbi 1967, Error bounds for convolutional codes (the search for the path).

    Args:
        known: The evaluated frames.
        evidence: For damage in each of them (positive) or against it, log-odds.
        starts_s: When each frame is presented.
        ends_s: When it is replaced.
        steps: What a beginning or an end costs where, and how the decision leaps there.
        enter: Probability that one frame of an event must reach.
        bridge_s: Events no further apart than this are joined.
        least_step: Step that an event must show at its beginning, within it or at its end.
    """
    out: list[Event] = []
    for first, stop in best_runs(evidence, steps):
        if steps.largest(first, stop) < least_step:
            continue
        peak = 1 / (1 + np.exp(-float(evidence[first:stop].max())))
        if peak < enter:
            continue
        first, stop = _drawn_in(known, starts_s, first, stop)
        start, end = _turn(known, first - 1, first), _turn(known, stop - 1, stop)
        event = Event(float(starts_s[start]), float(ends_s[end - 1]), peak)
        if out and event.start_s - out[-1].end_s <= bridge_s + _ROUNDING_S:
            before = out.pop()
            event = Event(before.start_s, event.end_s, max(before.confidence, peak))
        out.append(event)
    return out


def brief(
    known: Known,
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    logit: float,
    rise: float,
    steps: Steps,
    least_step: float = 0.0,
) -> list[Event]:
    """Returns events of a few frames: what leaps out of the frames on both sides of it.

    The path of intervals wants several frames to agree. Damage that is gone after one to ten is
    evaluated once or twice, but then it stands out like nothing else does.

    Args:
        known: The evaluated frames, their decision logits as scores.
        starts_s: When each frame is presented.
        ends_s: When it is replaced.
        logit: What the decision says of a frame at least.
        rise: By how much that exceeds what it says on either side, at the median.
        steps: How the decision leaps.
        least_step: Step that an event must show, as for `events`.
    """
    at_s, scores = starts_s[known.rows], known.scores
    out: list[Event] = []
    last = -1
    for k in np.flatnonzero(scores >= logit).tolist():
        if k <= last:
            continue
        sides = [
            scores[np.searchsorted(at_s, at_s[k] + low) : np.searchsorted(at_s, at_s[k] + high)]
            for low, high in ((-_SIDE_S, -_APART_S), (_APART_S, _SIDE_S))
        ]
        baseline = max((float(np.median(side)) for side in sides if len(side)), default=np.inf)
        if scores[k] - baseline < rise:
            continue
        like = (baseline + scores[k]) / 2
        first = last = k
        while first > 0 and scores[first - 1] >= like:
            first -= 1
        while last + 1 < len(scores) and scores[last + 1] >= like:
            last += 1
        if steps.largest(first, last + 1) < least_step:
            continue
        start, end = _turn(known, first - 1, first), _turn(known, last, last + 1)
        if ends_s[end - 1] - starts_s[start] <= _BRIEF_S:
            peak = 1 / (1 + np.exp(-float(scores[k])))
            out.append(Event(float(starts_s[start]), float(ends_s[end - 1]), peak))
    return out


def with_brief(events: list[Event], more: list[Event]) -> list[Event]:
    """Returns the events in order, with those of the others that touch none of them."""
    free = [m for m in more if all(m.end_s < e.start_s or m.start_s > e.end_s for e in events)]
    return sorted([*events, *free], key=lambda event: event.start_s)


def best_runs(evidence: NDArray[np.float64], steps: Steps) -> list[tuple[int, int]]:
    """Half-open intervals of damage that maximise the evidence in them less the cost of ends."""
    begins, ends = steps.begin.tolist(), steps.end.tolist()
    # Best sums so far that leave the last frame clean or damaged, and where each came from.
    clean, damaged = 0.0, -np.inf
    from_damaged = np.zeros(len(evidence), bool)
    stays_damaged = np.zeros(len(evidence), bool)
    for k, value in enumerate(evidence.tolist()):
        from_damaged[k] = damaged - ends[k] > clean
        # A tie goes on as it is: costs are paid only for a gain.
        stays_damaged[k] = damaged >= clean - begins[k]
        clean, damaged = (
            max(clean, damaged - ends[k]),
            max(damaged, clean - begins[k]) + value,
        )
    out: list[tuple[int, int]] = []
    # What is damaged to the last frame has no end to pay for.
    state = damaged > clean
    stop = len(evidence)
    for k in range(len(evidence) - 1, -1, -1):
        if state and not stays_damaged[k]:
            out.append((k, stop))
            state = False
        elif not state and from_damaged[k]:
            stop = k
            state = True
    return out[::-1]


def _drawn_in(
    known: Known, starts_s: NDArray[np.float64], first: int, stop: int
) -> tuple[int, int]:
    """Returns an interval without the frames at its ends that score as the frames outside do.

    Where none within reach looks damaged by itself, the end stays where it is.
    """
    at_s, scores = starts_s[known.rows], known.scores
    inside = float(np.percentile(scores[first:stop], _INSIDE_PERCENT))
    before = scores[np.searchsorted(at_s, at_s[first] - _SIDE_S) : first]
    after = scores[stop : np.searchsorted(at_s, at_s[stop - 1] + _SIDE_S, side="right")]
    own = np.arange(first, stop)
    if len(before):
        near = at_s[own] <= at_s[first] + _SMEARED_S
        like = own[near & (scores[own] >= (float(np.median(before)) + inside) / 2)]
        first = int(like[0]) if len(like) else first
    if len(after):
        near = at_s[own] >= at_s[stop - 1] - _SMEARED_S
        like = own[near & (scores[own] >= (float(np.median(after)) + inside) / 2)]
        stop = int(like[-1]) + 1 if len(like) and like[-1] >= first else stop
    return first, stop


def _turn(known: Known, before: int, after: int) -> int:
    """The first row of the state that begins between two neighbouring evaluated frames."""
    if after >= len(known.rows):
        # Nothing was evaluated after it: the damage lasts as long as anything is known.
        return int(known.rows[before]) + 1
    if before < 0:
        return int(known.rows[after])
    first, last = int(known.rows[before]) + 1, int(known.rows[after])
    if first >= last:
        return last
    return first + int(np.argmax(known.jumps[first : last + 1]))
