"""Tearing: the upper part of a picture belongs to one instant, the lower part to another.

Where the parts meet, rows stop continuing each other across the whole width. Edges of things do the
same, but they were there before, and stay. A seam appears from one picture to the next and vanishes
at the same row, and it does so again and again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.artifacts import severity_of
from defectscope.detection.contracts import Needs, Tuned
from defectscope.detection.spans import bridge, curve, row_ends, runs
from defectscope.detection.tables import column, times_s
from defectscope.detectors.tearing.analysis import (
    STEPS_PER_CLEAR,
    STEPS_PER_CODE,
    STEPS_PER_CONTRAST,
    STEPS_PER_JOINT,
    TearingAnalysis,
)
from defectscope.findings import DetectorResult, Finding, Measurements, Table
from defectscope.media.stream import StreamInfo

_SAME_ROW_PX = 2
_BRIEF_FRAMES = 2
_MAX_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Params:
    """Physical parameters.

    Attributes:
        bridge_s: Torn pictures this close belong to one finding, 0 to 5 seconds.
        longest_seam_s: A seam that stands longer is taken for a thing, 0.1 to 60 seconds.
    """

    bridge_s: float = 0.4
    longest_seam_s: float = 10.0


@dataclass(frozen=True, slots=True)
class _Pair:
    """A seam: first torn picture, first picture after it, row, and how surely."""

    first: int
    last: int
    row: int
    sure: float
    certain: bool


class Tearing:
    """Finds torn pictures."""

    name: ClassVar[str] = "tearing"
    defects: ClassVar[tuple[str, ...]] = ("tearing",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"row_step", "row_sad"}),
            context_before_s=0.5,
            context_after_s=0.3,
        )

    def open(self, stream: StreamInfo) -> TearingAnalysis:
        """Gives a fresh analysis."""
        return TearingAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns seams that appear and vanish into torn stretches."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        pairs = self._pairs(table, starts_s)
        torn = np.zeros(len(starts_s), bool)
        score = np.zeros(len(starts_s))
        for pair in pairs:
            torn[pair.first : pair.last] = True
            score[pair.first : pair.last] = pair.sure
        findings: list[Finding] = []
        for first, last in bridge(runs(torn), starts_s, ends_s, self.params.bridge_s):
            inside = [p for p in pairs if first <= p.first < last]
            if self._counts(inside, torn[first:last]):
                findings.append(self._finding(first, last, inside, torn, starts_s, ends_s))
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(findings),
            peak_score={"tearing": max((f.confidence for f in findings), default=0.0)},
            curves={"tearing": curve(starts_s, score)},
        )

    def _pairs(self, table: Table, starts_s: NDArray[np.float64]) -> list[_Pair]:
        """Seams that appear and vanish at one row: briefly, or surely."""
        limits = self.tuned.thresholds
        row, step, clear, contrast = _side(table, "on")
        off_row, off_step, off_clear, off_contrast = _side(table, "off")
        able = (step >= limits["sure_step_code"]) & (clear >= limits["sure_clear"])
        off_able = (off_step >= limits["sure_step_code"]) & (off_clear >= limits["sure_clear"])
        offs = np.flatnonzero(off_able)
        pairs: list[_Pair] = []
        for first in np.flatnonzero(able):
            until = np.searchsorted(starts_s, starts_s[first] + self.params.longest_seam_s)
            after = offs[np.searchsorted(offs, first, "right") :]
            after = after[after < until]
            same = after[np.abs(off_row[after] - row[first]) <= _SAME_ROW_PX]
            if not len(same):
                continue
            last = int(same[0])
            weakest = min(clear[first], off_clear[last])
            smallest = min(step[first], off_step[last])
            apart = np.sort(np.abs([contrast[first], off_contrast[last]]))
            certain = bool(
                smallest >= limits["sure_step_code"]
                and weakest >= limits["sure_clear"]
                and last - first > _BRIEF_FRAMES
                and apart[0] >= limits["sure_contrast"] / 2
                and apart[1] >= limits["sure_contrast"]
            )
            if certain:
                sure = float(weakest / (weakest + limits["sure_clear"]))
                pairs.append(_Pair(int(first), last, int(row[first]), sure, certain))
        joint, clear = column(table, "joint") / STEPS_PER_JOINT, column(table, "clear")
        clear = clear / STEPS_PER_CLEAR
        seen = (joint >= limits["joint"]) & (clear >= limits["clear"])
        seen &= column(table, "contrast") / STEPS_PER_CONTRAST >= limits["contrast"]
        rows = column(table, "row")
        for first in np.flatnonzero(seen):
            sure = float(clear[first] / (clear[first] + limits["clear"]))
            pairs.append(_Pair(int(first), int(first) + 1, int(rows[first]), sure, certain=False))
        return sorted(pairs, key=lambda p: (p.first, p.last))

    def _counts(self, pairs: list[_Pair], torn: NDArray[np.bool_]) -> bool:
        """Many seams in a short time are tearing; so is a certain one that lasts."""
        limits = self.tuned.thresholds
        lasting = any(p.certain and p.last - p.first > _BRIEF_FRAMES for p in pairs)
        dense = len(pairs) >= limits["least_seams"] and np.mean(torn) >= limits["torn_share"]
        clear = sum(p.sure for p in pairs) >= limits["least_sure"]
        return lasting or bool(dense and clear)

    def _finding(
        self,
        first: int,
        last: int,
        pairs: list[_Pair],
        torn: NDArray[np.bool_],
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
    ) -> Finding:
        rows = [p.row for p in pairs]
        evidence: dict[str, Any] = {
            "seam_row_px": int(np.median(rows)),
            "seam_rows_px": rows[:_MAX_LISTED],
            "torn_frames": int(np.sum(torn[first:last])),
            "duration_s": round(float(ends_s[last - 1] - starts_s[first]), 4),
        }
        return Finding(
            detector=self.name,
            defect="tearing",
            start_s=float(starts_s[first]),
            end_s=float(ends_s[last - 1]),
            confidence=round(float(np.clip(np.mean([p.sure for p in pairs]) + 0.2, 0.5, 0.99)), 4),
            severity=severity_of(self.tuned.severity["tearing"], evidence),
            evidence=evidence,
        )


def _side(table: Table, side: str) -> tuple[NDArray[Any], ...]:
    return (
        column(table, f"{side}_row").astype(np.int64),
        column(table, f"{side}_step") / STEPS_PER_CODE,
        column(table, f"{side}_clear") / STEPS_PER_CLEAR,
        column(table, f"{side}_contrast") / STEPS_PER_CONTRAST,
    )
