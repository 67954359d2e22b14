"""Captions at the wrong time: missing ones, and ones out of step with the speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from defectscope.findings import Interval
from defectscope.media.cues import Cue
from defectscope.media.stream import StreamInfo
from defectscope.parameters import number, parameters
from defectscope.simulate.contract import Plan, Simulator, Truth
from defectscope.simulate.effects.caption_cues import CueSimulator, shown_in
from defectscope.simulate.parameters import jitter, ladder


@parameters
class ShareParams:
    """How many cues of the span are hit."""

    share: Annotated[float, number(0.05, 1, "Share of the cues; at least one is hit.")] = 0.5


class CaptionMissing(CueSimulator[ShareParams]):
    """Takes out a run of consecutive cues in the middle of the span."""

    name = "caption_missing"
    defects = ("caption_missing",)
    summary = "speech without its captions"
    params = ShareParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> ShareParams:
        """Draws the share of the cues that are gone."""
        return ShareParams(share=ladder(severity, (0.15, 0.3, 0.5, 0.75, 1.0)))

    def change(self, cues: Sequence[Cue], plan: Plan[ShareParams], truth: list[Truth]) -> list[Cue]:
        """Returns the cues that are left."""
        within = [i for i, cue in enumerate(cues) if shown_in(cue, plan.span)]
        if not within:
            return list(cues)
        wanted = max(1, round(plan.params.share * len(within)))
        first = int(plan.rng(3).integers(len(within) - wanted + 1))
        gone = set(within[first : first + wanted])
        lost = [cues[i] for i in sorted(gone)]
        start_s = min(c.start_s for c in lost)
        end_s = max(c.end_s for c in lost)
        truth.append(plan.truth(self.name, start_s, end_s, cues=len(lost)))
        return [cue for i, cue in enumerate(cues) if i not in gone]


@parameters
class DriftParams:
    """How far the cues are from the speech."""

    offset_ms: Annotated[
        float, number(-10000, 10000, "Constant delay of the cues; positive is late.", "ms")
    ] = 1000.0
    drift_ms_per_min: Annotated[
        float,
        number(
            -2000, 2000, "Further delay that grows with time, in milliseconds a minute.", "ms/min"
        ),
    ] = 0.0


class CaptionDrift(CueSimulator[DriftParams]):
    """Moves the cues of the span."""

    name = "caption_drift"
    defects = ("caption_drift",)
    summary = "captions out of step with the speech"
    params = DriftParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> DriftParams:
        """Draws an offset, or a drift that reaches the like of it at the end of the span."""
        size_ms = jitter(rng, ladder(severity, (300.0, 600.0, 1200.0, 2200.0, 4000.0)))
        size_ms *= 1 if float(rng.uniform()) < 0.5 else -1
        minutes = span.duration_s / 60
        if float(rng.uniform()) < 0.35 and minutes > 0.5:
            drift = float(np.clip(size_ms / minutes, -2000, 2000))
            return DriftParams(offset_ms=0.0, drift_ms_per_min=drift)
        return DriftParams(offset_ms=size_ms)

    def change(self, cues: Sequence[Cue], plan: Plan[DriftParams], truth: list[Truth]) -> list[Cue]:
        """Returns the cues, moved."""
        out: list[Cue] = []
        moved: list[Cue] = []
        for cue in cues:
            if not shown_in(cue, plan.span):
                out.append(cue)
                continue
            late_s = self.delay_s(plan, cue.start_s)
            start_s = max(0.0, cue.start_s + late_s)
            end_s = max(start_s + 0.04, cue.end_s + late_s)
            moved.append(replace(cue, start_s=start_s, end_s=end_s))
            out.append(moved[-1])
        if moved:
            start_s = min(cue.start_s for cue in moved)
            truth.append(plan.truth(self.name, start_s, max(cue.end_s for cue in moved)))
        return out

    @staticmethod
    def delay_s(plan: Plan[DriftParams], at_s: float) -> float:
        """Returns how late a cue is that belongs at an instant."""
        minutes = (at_s - plan.span.start_s) / 60
        return (plan.params.offset_ms + plan.params.drift_ms_per_min * minutes) / 1000


SIMULATORS: tuple[Simulator[Any], ...] = (CaptionMissing(), CaptionDrift())
