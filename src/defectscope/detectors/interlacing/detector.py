"""Interlacing: a frame is made of two fields from different instants.

Combing alone is no proof, because fine texture looks the same. The detector compares how well the
fields of neighbouring frames fit each other, in both orders. The fields of a progressive frame fit
the frame before equally well. Of an interlaced frame, one field was captured next to a field of the
frame before, and the other was not.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.interlacing.cadence import telecined
from defectscope.detectors.interlacing.fields import Fields, evaluate_fields
from defectscope.detectors.interlacing.params import Params
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.geometry import sampled_rows
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import bridge, curve, row_ends, runs
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.verdicts import result_of

_STEPS_PER_SHARE = 65535


class Interlacing:
    """Finds interlaced frames shown as progressive ones."""

    name: ClassVar[str] = "interlacing"
    defects: ClassVar[tuple[str, ...]] = ("interlacing",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"comb_counts"}),
            context_before_s=0.5,
        )

    def open(self, stream: StreamInfo) -> InterlacingAnalysis:
        """Returns a fresh analysis."""
        return InterlacingAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns the fits of the fields into woven intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        fields = Fields(
            *(
                column(table, name) / _STEPS_PER_SHARE
                for name in ("within", "control", "top_first", "bottom_first")
            )
        )
        flagged = column(table, "flagged") > 0
        scored = evaluate_fields(fields, self.tuned.thresholds)
        pulldown = telecined(fields.within)
        shown = scored.woven | flagged if self.params.report_flagged else scored.woven
        counted = shown | pulldown if self.params.report_telecine else shown & ~pulldown
        findings: list[Finding] = []
        for first, last in bridge(runs(counted), starts_s, ends_s, self.params.bridge_s):
            start_s, end_s = float(starts_s[first]), float(ends_s[last - 1])
            if end_s - start_s < self.params.min_duration_s:
                continue
            inside = slice(first, last)
            combed = scored.woven[inside] | pulldown[inside]
            evidence = _evidence(fields, flagged, combed, pulldown, inside)
            evidence["woven_s"] = round(float(np.sum((ends_s - starts_s)[inside][combed])), 4)
            score = float(np.median(scored.score[inside][combed])) if combed.any() else 0.5
            findings.append(
                Finding(
                    detector=self.name,
                    defect="interlacing",
                    start_s=start_s,
                    end_s=end_s,
                    confidence=round(float(np.clip(score, 0.5, 0.99)), 4),
                    severity=severity_of(self.tuned.severity["interlacing"], evidence),
                    evidence=evidence,
                )
            )
        score = np.where(pulldown, 0.0, scored.score)
        return result_of("interlacing", findings, curve(starts_s, score))


def _evidence(
    fields: Fields,
    flagged: NDArray[np.bool_],
    combed: NDArray[np.bool_],
    pulldown: NDArray[np.bool_],
    inside: slice,
) -> dict[str, Any]:
    order = float(np.sum(fields.top_first[inside] - fields.bottom_first[inside]))
    pattern = "interlaced" if combed.any() else "flag_only"
    if np.mean(pulldown[inside]) > 0.5:
        pattern = "telecine"
    evidence: dict[str, Any] = {
        "pattern": pattern,
        "combed_share": round(float(np.mean(fields.within[inside])), 5),
        "woven_share": round(float(np.mean(combed)), 4),
        "flagged_share": round(float(np.mean(flagged[inside])), 4),
    }
    if pattern != "flag_only":
        evidence["field_order"] = "top_first" if order < 0 else "bottom_first"
    return evidence


class InterlacingAnalysis:
    """Measures the comb, its control, and how the fields fit in both orders."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        rows = sampled_rows(video.width, video.height, above=2, below=2)
        self._steps_per_sample = _STEPS_PER_SHARE / max(len(rows) * video.width, 1)
        self._table = TableBuilder(
            1 / video.time_base,
            pts=np.int64,
            within=np.uint16,
            control=np.uint16,
            top_first=np.uint16,
            bottom_first=np.uint16,
            flagged=np.uint8,
        )

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        counts = video.features["comb_counts"].astype(np.float64) * self._steps_per_sample
        # counts: (n, parity of the row, weave); docs/kernel.md has the four weaves.
        self._table.add(
            pts=video.pts,
            within=saturate(counts[:, 0, 0] + counts[:, 1, 0], np.uint16),
            control=saturate(counts[:, 0, 3] + counts[:, 1, 3], np.uint16),
            top_first=saturate(counts[:, 1, 1] + counts[:, 0, 2], np.uint16),
            bottom_first=saturate(counts[:, 0, 1] + counts[:, 1, 2], np.uint16),
            flagged=video.interlaced,
        )

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("interlacing", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns the shares."""
        return Measurements("interlacing", {"frames": self._table.table()})
