"""Flicker: pulsating brightness, and flashes that can harm photosensitive viewers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.flicker.analysis import STEPS_PER_GAIN, TILES, FlickerAnalysis
from defectscope.detectors.flicker.params import Params
from defectscope.detectors.flicker.swings import (
    first_after,
    last_before,
    opposing_changes,
    swing_sequences,
    too_frequent,
    turning_points,
)
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve, row_ends
from defectscope.temporal.tables import column, times_s
from defectscope.temporal.verdicts import result_of


@dataclass(frozen=True, slots=True)
class _Found:
    first: int
    last: int
    kind: str
    evidence: Mapping[str, Any]


_ORDER = ("luma", "general_flash", "red_flash")


class Flicker:
    """Finds pumping brightness and harmful flashes."""

    name: ClassVar[str] = "flicker"
    defects: ClassVar[tuple[str, ...]] = ("flicker",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"tile_luma", "tile_u", "tile_v"}),
            context_before_s=0.6,
        )

    def open(self, stream: StreamInfo) -> FlickerAnalysis:
        """Returns a fresh analysis."""
        params = self.params
        return FlickerAnalysis(
            stream,
            white_cd_m2=params.white_cd_m2,
            flash_cd_m2=params.flash_cd_m2,
            dark_cd_m2=params.dark_cd_m2,
            red_change=params.red_change,
        )

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns changes of brightness into flickering intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        gain = column(table, "gain") / STEPS_PER_GAIN
        spread = column(table, "spread") / STEPS_PER_GAIN
        # A cut changes places by different amounts; a change of light changes all of them alike.
        uniform = spread <= self.tuned.thresholds["spread"] + np.abs(gain) / 2
        brightness = np.cumsum(np.where(uniform, gain, 0.0))
        found = self._pumping(brightness, starts_s)
        share = self.params.area_share * TILES
        for kind in ("general", "red"):
            rising = column(table, f"{kind}_up") > share
            falling = column(table, f"{kind}_down") > share
            found += self._flashes(f"{kind}_flash", rising, falling, starts_s)
        findings = [self._finding(group, starts_s, ends_s) for group in _merged(found)]
        score = np.minimum(np.abs(gain) / (2 * self.tuned.thresholds["swing"]), 1.0)
        return result_of("flicker", findings, curve(starts_s, score))

    def _pumping(
        self, brightness: NDArray[np.float64], starts_s: NDArray[np.float64]
    ) -> list[_Found]:
        points = turning_points(brightness, self.tuned.thresholds["swing"])
        found: list[_Found] = []
        for first, last, swings in swing_sequences(
            points, starts_s, self.params.longest_swing_s, self.params.least_swings
        ):
            inside = points[bisect_left(points, first) : bisect_right(points, last)]
            sizes = np.abs(np.diff(brightness[inside]))
            span_s = float(starts_s[last] - starts_s[first])
            evidence = {
                "swing_share": round(float(np.expm1(np.median(sizes))), 4),
                "swings_hz": round(swings / 2 / max(span_s, 1e-6), 2),
            }
            # The first swing leaves from the last frame as it should be.
            begin = last_before(brightness, inside[0], inside[1]) + 1
            end = first_after(brightness, inside[-2], inside[-1])
            found.append(_Found(begin, max(begin, end), "luma", evidence))
        return found

    def _flashes(
        self,
        kind: str,
        rising: NDArray[np.bool_],
        falling: NDArray[np.bool_],
        starts_s: NDArray[np.float64],
    ) -> list[_Found]:
        changes = opposing_changes(rising, falling)
        # A flash is a pair of opposing changes.
        found: list[_Found] = []
        for first, last, count in too_frequent(
            changes, starts_s, 2 * self.params.flashes_per_s, 1.0
        ):
            span_s = float(starts_s[last] - starts_s[first])
            rate = (count - 1) / 2 / max(span_s, 1e-6)
            found.append(_Found(first, last, kind, {"flashes_hz": round(rate, 2)}))
        return found

    def _finding(
        self,
        group: list[_Found],
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
    ) -> Finding:
        kind = max((each.kind for each in group), key=_ORDER.index)
        evidence: dict[str, Any] = {"kind": kind, "kinds": sorted({each.kind for each in group})}
        for each in group:
            evidence |= each.evidence
        first, last = min(e.first for e in group), max(e.last for e in group)
        evidence["duration_s"] = round(float(ends_s[last] - starts_s[first]), 4)
        # Pumping by a tenth of the level weighs 1, the allowed number of flashes a second 4.
        flashes = evidence.get("flashes_hz", 0.0) / self.params.flashes_per_s
        swing = evidence.get("swing_share", 0.0)
        evidence["weight"] = round(max(4.0 * flashes, swing / 0.1), 2)
        strength = swing / self.tuned.thresholds["swing"]
        confidence = 0.97 if kind != "luma" else 1.0 - 0.5 / max(strength, 1.0)
        return Finding(
            detector=self.name,
            defect="flicker",
            start_s=float(starts_s[first]),
            end_s=float(ends_s[last]),
            confidence=round(float(np.clip(confidence, 0.5, 0.97)), 4),
            severity=severity_of(self.tuned.severity["flicker"], evidence),
            evidence=evidence,
        )


def _merged(found: list[_Found]) -> list[list[_Found]]:
    """Groups what overlaps: one flashing light is all three kinds at once."""
    groups: list[list[_Found]] = []
    reached = -1
    for each in sorted(found, key=lambda f: (f.first, f.last, f.kind)):
        if groups and each.first <= reached:
            groups[-1].append(each)
        else:
            groups.append([each])
        reached = max(reached, each.last)
    return groups
