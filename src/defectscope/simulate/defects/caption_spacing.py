"""Captions that crowd each other: overlaps, gaps that are too short, cues that flash by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from defectscope.findings import Interval
from defectscope.media.cues import Cue
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import Plan, Simulator, Truth
from defectscope.simulate.effects.caption_cues import CueSimulator, hit_cues
from defectscope.simulate.parameters import jitter, ladder


@parameters
class OverlapParams:
    """How far cues reach into the next one."""

    overlap_ms: Annotated[float, number(20, 5000, "Time that two cues share.", "ms")] = 500.0
    share: Annotated[float, number(0.05, 1, "Share of the cues that are hit.")] = 0.5


class CaptionOverlap(CueSimulator[OverlapParams]):
    """Lets cues stand on while the next one is already there."""

    name = "caption_overlap"
    defects = ("caption_overlap",)
    summary = "two captions at once"
    params = OverlapParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> OverlapParams:
        """Draws how long the overlaps are and how many."""
        return OverlapParams(
            overlap_ms=jitter(rng, ladder(severity, (80.0, 200.0, 450.0, 900.0, 1800.0))),
            share=ladder(severity, (0.2, 0.3, 0.5, 0.7, 0.9)),
        )

    def change(
        self, cues: Sequence[Cue], plan: Plan[OverlapParams], truth: list[Truth]
    ) -> list[Cue]:
        """Returns the cues, some of them too long."""
        out = list(cues)
        for i in hit_cues(cues[:-1], plan.params.share, plan):
            following = out[i + 1]
            # Never past the following cue: it would then be hidden altogether.
            shared_s = min(plan.params.overlap_ms / 1000, following.end_s - following.start_s)
            out[i] = replace(out[i], end_s=following.start_s + shared_s)
            truth.append(plan.truth(self.name, following.start_s, out[i].end_s))
        return out


@parameters
class GapParams:
    """How little time there is between cues, or for one."""

    kind: Annotated[
        str,
        choice(
            ("gap", "duration"),
            "`gap` (the next cue follows too closely) or `duration` (a cue is too short).",
        ),
    ] = "gap"
    length_ms: Annotated[float, number(1, 600, "Length of the gap, or of the cue.", "ms")] = 20.0
    share: Annotated[float, number(0.05, 1, "Share of the cues that are hit.")] = 0.5


class CaptionGap(CueSimulator[GapParams]):
    """Leaves cues too close together, or too short.

    Truth of a gap is the cue after it: the one that comes too early to be noticed as new.
    """

    name = "caption_gap"
    defects = ("caption_gap",)
    summary = "captions too close together or too short"
    params = GapParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> GapParams:
        """Draws which and how short; two frames between cues are a usual minimum."""
        share = ladder(severity, (0.2, 0.3, 0.5, 0.7, 0.9))
        if float(rng.uniform()) < 0.5:
            return GapParams("gap", ladder(severity, (60.0, 40.0, 25.0, 12.0, 4.0)), share)
        return GapParams("duration", ladder(severity, (550.0, 420.0, 300.0, 180.0, 80.0)), share)

    def change(self, cues: Sequence[Cue], plan: Plan[GapParams], truth: list[Truth]) -> list[Cue]:
        """Returns the cues, some of them too close or too short."""
        out = list(cues)
        length_s = plan.params.length_ms / 1000
        if plan.params.kind == "duration":
            for i in hit_cues(cues, plan.params.share, plan):
                out[i] = replace(cues[i], end_s=cues[i].start_s + length_s)
                truth.append(plan.truth(self.name, out[i].start_s, out[i].end_s))
            return out
        for i in hit_cues(cues[:-1], plan.params.share, plan):
            following = cues[i + 1]
            if following.start_s - length_s <= cues[i].start_s:
                continue
            out[i] = replace(out[i], end_s=following.start_s - length_s)
            truth.append(plan.truth(self.name, following.start_s, following.end_s))
        return out


SIMULATORS: tuple[Simulator[Any], ...] = (CaptionOverlap(), CaptionGap())
