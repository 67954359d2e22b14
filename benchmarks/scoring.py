"""Matching found events with true ones, and the figures made of that."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from defectscope.findings import Interval

MATCH_IOU = 0.5
SEVERITIES = (1, 2, 3, 4, 5)
# From here on a defect is clearly perceptible, and goals hold.
MODERATE = 3
# From here on two findings are one and the same.
_KNOWN_IOU = 0.3
_KNOWN_SHARE = 0.5


def matched(
    truth: Sequence[Interval], found: Sequence[Interval]
) -> list[tuple[Interval, Interval]]:
    """Returns one-to-one pairs, best overlap first."""
    pairs = sorted(
        ((t.iou(f), i, j) for i, t in enumerate(truth) for j, f in enumerate(found)), reverse=True
    )
    used_t: set[int] = set()
    used_f: set[int] = set()
    out: list[tuple[Interval, Interval]] = []
    for iou, i, j in pairs:
        if iou >= MATCH_IOU and i not in used_t and j not in used_f:
            used_t.add(i)
            used_f.add(j)
            out.append((truth[i], found[j]))
    return out


def auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Returns the area under the ROC curve, ties counted half; None without both classes."""
    if not positive or not negative:
        return None
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return round(wins / (len(positive) * len(negative)), 3)


def is_known(found: Interval, clean: Sequence[Interval]) -> bool:
    """Tells whether a finding is one that the clean excerpt has too: then no defect is to blame.

    It overlaps one, or lies in it for the most part: what a defect covers cuts others in two.
    """
    return any(
        found.iou(k) > _KNOWN_IOU or found.intersection_s(k) > _KNOWN_SHARE * found.duration_s
        for k in clean
    )


@dataclass
class Tally:
    """What one detector (or peer) did on the clips of one defect.

    Attributes:
        recall: Found and true events by severity.
        extra: Events found at moderate severity and above that are not there.
        end_errors: Distances of matched ends, in frames (frames) or ms (sound).
        positive: Highest score of each impaired clip, by severity.
        negative: Highest score of each clean excerpt.
        sources: The recordings.
        missed: The clips in which something was missed, from moderate severity on.
        surplus: The clips in which something more was found, likewise.
    """

    recall: dict[int, list[int]] = field(default_factory=lambda: {s: [0, 0] for s in SEVERITIES})
    extra: int = 0
    end_errors: list[float] = field(default_factory=list[float])
    positive: dict[int, list[float]] = field(default_factory=lambda: {s: [] for s in SEVERITIES})
    negative: list[float] = field(default_factory=list[float])
    sources: set[str] = field(default_factory=set[str])
    missed: list[str] = field(default_factory=list[str])
    surplus: list[str] = field(default_factory=list[str])

    def add(
        self,
        name: str,
        severity: int,
        truth: Sequence[Interval],
        found: Sequence[Interval],
        known: Sequence[Interval],
        per_second: float,
    ) -> None:
        """Counts one clip.

        Args:
            name: What to call the clip where it fails.
            severity: Its severity.
            truth: What was made.
            found: What was found.
            known: What is found in the clean excerpt too: no fault of the simulated defect.
            per_second: Units of end errors in a second.
        """
        pairs = matched(truth, found)
        self.recall[severity][0] += len(pairs)
        self.recall[severity][1] += len(truth)
        if severity < MODERATE:
            return
        hit = {id(f) for _, f in pairs}
        more = [f for f in found if id(f) not in hit and not is_known(f, known)]
        self.extra += len(more)
        if len(pairs) < len(truth):
            self.missed.append(name)
        if more:
            self.surplus.append(name)
        for t, f in pairs:
            self.end_errors += [
                abs(t.start_s - f.start_s) * per_second,
                abs(t.end_s - f.end_s) * per_second,
            ]

    def summary(self) -> dict[str, object]:
        """Returns the figures as a JSON-ready row."""
        moderate = [s for s in SEVERITIES if s >= MODERATE]
        hits = sum(self.recall[s][0] for s in moderate)
        true = sum(self.recall[s][1] for s in moderate)
        asked = 2 * hits + (true - hits) + self.extra
        high = [score for s in moderate for score in self.positive[s]]
        return {
            "recordings": len(self.sources),
            "events": true,
            "f1": round(2 * hits / asked, 3) if asked else None,
            "missed": true - hits,
            "extra": self.extra,
            "median_end_error": _rounded(statistics.median(self.end_errors))
            if self.end_errors
            else None,
            "max_end_error": _rounded(max(self.end_errors)) if self.end_errors else None,
            "auc": auc(high, self.negative),
            "auc_by_severity": {s: auc(self.positive[s], self.negative) for s in SEVERITIES},
            "recall": {s: round(a / b, 2) if b else None for s, (a, b) in self.recall.items()},
            "missed_in": self.missed,
            "extra_in": self.surplus,
        }


def _rounded(value: float) -> float:
    return round(value, 2)
