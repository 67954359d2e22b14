"""Tearing: the upper part of a frame belongs to one instant, the lower part to another.

The rows above and below the seam do not continue each other, in one frame and not in its
neighbours, and the two parts move differently. One part falls back to an earlier instant while the
other continues. A seam that stays at one row has such an onset and end, and the luma below it
changes some frames after the luma above. The edge of an object does not show all of this.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.tearing.analysis import TearingAnalysis, coarse_group
from defectscope.detectors.tearing.intervals import (
    fewness,
    heaviest,
    in_company,
    joined,
    lags_one_way,
    moving_edge_share,
    tracks,
)
from defectscope.detectors.tearing.params import Params
from defectscope.detectors.tearing.rolling import rolling_lines
from defectscope.detectors.tearing.signs import Signs, signs_of
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.differences import FEATURES, TONES
from defectscope.temporal.spans import Rows, bridge, curve, row_ends
from defectscope.temporal.tables import times_s
from defectscope.temporal.verdicts import result_of

_SAME_ROW_PX = 1
_MAX_LISTED = 1000
# A single sign is worth so many times what it must be, at most.
_MAX_WEIGHT = 3.0
# Steps within so long on either side bear a return out.
_COMPANY_S = 0.5


@dataclass(frozen=True, slots=True)
class _Torn:
    """Rows [first, last) of the table that are torn, and the row of the frame of each seam."""

    first: int
    last: int
    seams: list[int]
    frames: int
    sure: float


class Tearing:
    """Finds torn frames."""

    name: ClassVar[str] = "tearing"
    defects: ClassVar[tuple[str, ...]] = ("tearing",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"row_step", "row_sad", "row_luma"}) | FEATURES | TONES,
            context_before_s=1.4,
            context_after_s=1.4,
        )

    def open(self, stream: StreamInfo) -> TearingAnalysis:
        """Returns a fresh analysis."""
        return TearingAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns signs of seams into torn intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        signs = signs_of(table, self.tuned.thresholds, video.height)
        by_step, by_return = self._weights_of(signs)
        reach = max(1, round(_COMPANY_S * float(video.frame_rate)))
        weight = by_step + in_company(by_return, by_step, reach)
        rows_px = max(_SAME_ROW_PX, coarse_group(video.height))
        torn = self._gatherings(weight, signs, starts_s, ends_s, video.height)
        torn += self._standing(signs, starts_s, fewness(video.height), rows_px)
        torn += self._lagging(signs, starts_s, ends_s, rows_px)
        torn += self._rolling(signs, float(video.frame_rate), video.height)
        torn = [each for each in torn if self._moves(each, signs)]
        torn.sort(key=lambda each: (each.first, each.last))
        findings: list[Finding] = []
        begins = [each.first for each in torn]
        for first, last in joined(
            [(t.first, t.last) for t in torn], starts_s, ends_s, self.params.bridge_s
        ):
            inside = torn[bisect_left(begins, first) : bisect_left(begins, last)]
            findings.append(self._finding((first, last), inside, starts_s, ends_s))
        score = weight / (weight + 1.0)
        for each in torn:
            score[each.first : each.last] = np.maximum(
                score[each.first : each.last], min(each.sure, 0.99)
            )
        return result_of("tearing", findings, curve(starts_s, score))

    def _moves(self, torn: _Torn, signs: Signs) -> bool:
        """Tells whether frames move where they are torn: else two instants are alike."""
        apart = signs["apart"][torn.first : max(torn.last, torn.first + 1)]
        return float(np.median(apart)) >= self.tuned.thresholds["moving_apart"]

    def _weights_of(self, signs: Signs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What each frame's step, and its return, say for being torn; 1 for a plain sign."""
        limits = self.tuned.thresholds
        seen = (signs["step"] >= limits["step_code"]) & (signs["clear"] >= limits["clear"])
        seen &= signs["contrast"] >= limits["contrast"]
        steady = signs["light"] <= limits["light_share"]
        step = np.where(seen, np.minimum(signs["clear"] / limits["clear"], _MAX_WEIGHT), 0.0)
        fallen = np.abs(signs["back"]) / limits["back"]
        back = np.where((fallen >= 1) & (signs["late"] >= limits["late"]), fallen, 0.0)
        return step * steady, limits["back_worth"] * back * steady

    def _gatherings(
        self,
        weight: NDArray[np.float64],
        signs: Signs,
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
        height_px: int,
    ) -> list[_Torn]:
        """Intervals in which signs come often enough, more so the fewer rows there are."""
        limits = self.tuned.thresholds
        few = fewness(height_px)
        # What an interval is worth, less what clean programme of its length may be.
        net = weight - limits["usual_worth_hz"] * (ends_s - starts_s)
        clear = [
            (first, last)
            for first, last in heaviest(net)
            if np.sum(net[first:last]) >= limits["least_part_worth"]
        ]
        begins = np.array([a for a, _ in clear], np.int64)
        gained = np.concatenate([[0.0], np.cumsum([np.sum(net[a:b]) for a, b in clear])])
        found: list[_Torn] = []
        for first, last in bridge(clear, starts_s, ends_s, self.params.bridge_s):
            rows = first + np.flatnonzero(weight[first:last])
            part = np.searchsorted(begins, (first, last))
            left = float(gained[part[1]] - gained[part[0]])
            if len(rows) < limits["least_pictures"] or left < few * limits["least_worth"]:
                continue
            steps = signs["step"][rows] >= limits["step_code"]
            clear_rows = rows[steps & (signs["clear"][rows] >= limits["clear"])]
            # Nobody sees a step of a code; coding leaves such where it begins anew.
            shown = np.median(signs["step"][clear_rows]) if len(clear_rows) else np.inf
            if shown < limits["plain_step_code"]:
                continue
            edge = moving_edge_share(signs["step_row"][clear_rows], height_px, _SAME_ROW_PX)
            if edge == 1.0 or (edge and left < few * limits["edge_worth"]):
                continue
            seams = np.where(steps, signs["step_row"][rows], signs["back_row"][rows]).astype(int)
            sure = left / (left + limits["least_worth"] / 2)
            found.append(_Torn(first, last, seams.tolist(), len(rows), sure))
        return found

    def _standing(
        self, signs: Signs, starts_s: NDArray[np.float64], few: float, rows_px: int
    ) -> list[_Torn]:
        """Seams that stay at one row, from the fall back to the leap."""
        limits = self.tuned.thresholds
        begun = (signs["on"] >= limits["on"]) & (signs["on_back"] >= limits["on_back"])
        begun &= signs["light"] <= limits["light_share"]
        gone = np.flatnonzero(signs["off"] >= limits["off"])
        found: list[_Torn] = []
        for first in np.flatnonzero(begun).tolist():
            row = signs["on_row"][first]
            begun_s = starts_s[first]
            since, until = np.searchsorted(
                starts_s,
                (begun_s + limits["least_standing_s"], begun_s + self.params.longest_seam_s),
            )
            after = gone[slice(*np.searchsorted(gone, (since, until)))]
            same = np.abs(signs["off_row"][after] - row) <= _SAME_ROW_PX
            # Whether a seam goes on in another scene, nobody can tell.
            same &= signs["scene"][after] == signs["scene"][first]
            same &= signs["on"][first] * signs["off"][after] >= few * limits["on_off"]
            ends = after[same]
            if not len(ends):
                continue
            # Motion hides a seam and shows it again: its last end is the end.
            last = int(ends[-1])
            off = float(signs["off"][ends].max())
            # An edge comes and goes at a row as well: no part of the frame is late there.
            late = signs["lagging"][first:last] >= limits["standing_lagging"]
            late &= np.abs(signs["lag_row"][first:last] - row) <= 2 * rows_px
            plain = signs["on"][first] * off >= few * limits["plain_on_off"]
            share = lags_one_way(signs["lag"][first:last], late)
            if not plain and share < limits["standing_share"]:
                continue
            sign = min(signs["on"][first] / limits["on"], off / limits["off"])
            found.append(_Torn(first, last, [int(row)], last - first, sign / (sign + 0.4)))
        return found

    def _rolling(self, signs: Signs, rate_fps: float, height_px: int) -> list[_Torn]:
        """Seams that drift up or down at a steady pace."""
        rows, heights, sunk = (
            np.stack([signs[f"ridge{of}"], signs[f"second{of}"]], axis=1)
            for of in ("_row", "", "_sunk")
        )
        lines = rolling_lines(rows, heights, sunk, rate_fps, height_px)
        least = self.tuned.thresholds["rolling"]
        return [
            _Torn(
                at,
                min(at + lines.least_frames, len(rows)),
                [int(lines.row[at])],
                lines.least_frames,
                float(lines.clear[at] / (lines.clear[at] + least / 2)),
            )
            for at in np.flatnonzero(lines.clear >= least).tolist()
        ]

    def _lagging(
        self,
        signs: Signs,
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
        rows_px: int,
    ) -> list[_Torn]:
        """Intervals in which the part below one row lags behind the part above it."""
        limits = self.tuned.thresholds
        steady = signs["light"] <= limits["light_share"]
        weight = (
            np.maximum(signs["lagging"] - limits["lagging"], 0.0) * (ends_s - starts_s) * steady
        )
        found: list[_Torn] = []
        for rows in tracks(weight, signs["lag_row"], signs["lag"] > 0, starts_s, rows_px):
            total = float(np.sum(weight[rows]))
            if total < limits["least_lagging_s"]:
                continue
            row = int(np.median(signs["lag_row"][rows]))
            first, last = self._ends(rows[0], rows[-1] + 1, row, signs, starts_s, rows_px)
            sure = total / (total + limits["least_lagging_s"] / 2)
            found.append(_Torn(first, last, [row], last - first, sure))
        return found

    def _ends(
        self,
        first: int,
        last: int,
        row: int,
        signs: Signs,
        starts_s: NDArray[np.float64],
        rows_px: int,
    ) -> Rows:
        """Returns where a seam that lags came and went, if its row shows that."""
        limits = self.tuned.thresholds
        begun = (signs["on"] >= limits["on"]) & (signs["on_back"] >= limits["on_back"])
        begun &= np.abs(signs["on_row"] - row) <= 2 * rows_px
        gone = (signs["off"] >= limits["off"]) & (np.abs(signs["off_row"] - row) <= 2 * rows_px)
        longest = self.params.longest_seam_s
        since = int(np.searchsorted(starts_s, starts_s[first] - longest))
        came = np.flatnonzero(begun[since:last])
        since_last, until = np.searchsorted(
            starts_s, (starts_s[last - 1] - _COMPANY_S, starts_s[last - 1] + 2 * _COMPANY_S)
        )
        went = np.flatnonzero(gone[since_last:until])
        if len(came):
            first = min(first, int(since + came[0]))
        if len(went):
            last = max(last, int(since_last + went[-1]))
        return first, last

    def _finding(
        self,
        rows: Rows,
        torn: list[_Torn],
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
    ) -> Finding:
        (first, last), seams = rows, [row for each in torn for row in each.seams]
        evidence: dict[str, Any] = {
            "seam_row_px": int(np.median(seams)),
            "seam_rows_px": seams[:_MAX_LISTED],
            "torn_frames": max(each.frames for each in torn),
            "duration_s": round(float(ends_s[last - 1] - starts_s[first]), 4),
        }
        return Finding(
            detector=self.name,
            defect="tearing",
            start_s=float(starts_s[first]),
            end_s=float(ends_s[last - 1]),
            confidence=round(float(np.clip(max(each.sure for each in torn), 0.5, 0.99)), 4),
            severity=severity_of(self.tuned.severity["tearing"], evidence),
            evidence=evidence,
        )
