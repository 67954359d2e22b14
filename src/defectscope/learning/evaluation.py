"""How well a decision finds the events of titles with truth, with intervals over titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval

Doubles = NDArray[np.float64]
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Hits:
    """What a decision says of one defect in one title.

    Attributes:
        events: Evidence of the surest run over each event that is there, 0 where none is.
        false_runs: Evidence of each run over no event.
    """

    events: tuple[float, ...]
    false_runs: tuple[float, ...]


def hits(runs: Sequence[tuple[float, Interval]], events: Sequence[Interval],
         neutral: Sequence[Interval] = ()) -> Hits:  # fmt: skip
    """Compares runs with the truth.

    Args:
        runs: Evidence and ends.
        events: Where the defect is.
        neutral: Where it is too faint to be heard or seen: runs there count neither way.
    """
    over = [
        max((e for e, where in runs if where.intersection_s(event) > 0), default=0.0)
        for event in events
    ]
    known = [*events, *neutral]
    others = [e for e, where in runs if all(where.intersection_s(k) == 0 for k in known)]
    return Hits(tuple(over), tuple(others))


def average_precision(titles: Sequence[Hits]) -> float:
    """Returns the area under precision over recall; events never found count as missed."""
    return _average_precision(_flat(titles), np.ones(len(titles)))


def f1(titles: Sequence[Hits], threshold: float) -> float:
    """Returns the harmonic mean of precision and recall of events at a threshold of evidence."""
    return _f1(_flat(titles), np.ones(len(titles)), threshold)


@dataclass(frozen=True, slots=True)
class Difference:
    """How one decision compares with another on the same titles.

    Attributes:
        before: Of the one in service.
        after: Of the candidate.
        low: Lower end of the 95 % interval of `after - before`, by resampling titles.
        high: Its upper end.
    """

    before: float
    after: float
    low: float
    high: float

    @property
    def is_worse(self) -> bool:
        """Whether the candidate is worse beyond the interval."""
        return self.high < 0


def compare(
    before: Sequence[Hits], after: Sequence[Hits], thresholds: tuple[float, float], seed: int = 1
) -> dict[str, Difference]:
    """Returns the differences in average precision and F1, titles paired.

    Args:
        before: Hits of the decision in service, by title.
        after: Those of the candidate, in the same order.
        thresholds: Evidence that each asks for.
        seed: Of the resampling.
    """
    rng = np.random.default_rng(seed)
    count = len(before)
    old, new = _flat(before), _flat(after)
    least, least_after = thresholds
    # How often each title counts: once, and then as it is drawn.
    draws = [np.ones(count)] + [
        np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        for _ in range(_RESAMPLES if count else 0)
    ]
    both = {
        "average_precision": [
            (_average_precision(old, w), _average_precision(new, w)) for w in draws
        ],
        "f1": [(_f1(old, w, least), _f1(new, w, least_after)) for w in draws],
    }
    out: dict[str, Difference] = {}
    for name, values in both.items():
        gained = np.array([b - a for a, b in values[1:]])
        gained = gained[np.isfinite(gained)]
        low, high = np.quantile(gained, [0.025, 0.975]) if len(gained) else (np.nan, np.nan)
        out[name] = Difference(*values[0], float(low), float(high))
    return out


def worse(comparison: Mapping[str, Mapping[str, Difference]]) -> list[str]:
    """Returns in what a candidate is worse beyond its interval, as `audio_hum f1`."""
    return [
        f"{defect} {measure}"
        for defect, by_measure in comparison.items()
        for measure, difference in by_measure.items()
        if difference.is_worse
    ]


@dataclass(frozen=True, slots=True)
class _Flat:
    """Scores of all titles in falling order, whether each is an event, and of which title."""

    scores: Doubles
    positive: NDArray[np.bool_]
    title: NDArray[np.int64]


def _flat(titles: Sequence[Hits]) -> _Flat:
    rows = [
        (score, place < len(own.events), number)
        for number, own in enumerate(titles)
        for place, score in enumerate((*own.events, *own.false_runs))
    ]
    scores = np.array([r[0] for r in rows], np.float64)
    positive = np.array([r[1] for r in rows], bool)
    # Ties: false runs first, so that a constant score gains nothing.
    order = np.lexsort((positive, -scores))
    title = np.array([r[2] for r in rows], np.int64)
    return _Flat(scores[order], positive[order], title[order])


def _average_precision(flat: _Flat, weights: Doubles) -> float:
    weight = weights[flat.title]
    total = float(weight[flat.positive].sum())
    if not total:
        return float("nan")
    found = np.where(flat.positive & (flat.scores > 0), weight, 0.0)
    wrong = np.where(flat.positive, 0.0, weight)
    predicted = np.cumsum(found) + np.cumsum(wrong)
    precision = np.cumsum(found) / np.where(predicted > 0, predicted, 1.0)
    return float((precision * found).sum() / total)


def _f1(flat: _Flat, weights: Doubles, threshold: float) -> float:
    weight, predicted = weights[flat.title], flat.scores >= threshold
    true, wrong = weight[predicted & flat.positive].sum(), weight[predicted & ~flat.positive].sum()
    total = 2 * true + wrong + weight[~predicted & flat.positive].sum()
    return float(2 * true / total) if total else float("nan")
