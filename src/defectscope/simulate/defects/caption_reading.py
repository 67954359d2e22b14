"""Captions that cannot be read: too fast, or lines too long."""

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
from defectscope.simulate.effects.caption_cues import CueSimulator, hit_cues
from defectscope.simulate.parameters import ladder


@parameters
class SpeedParams:
    """How fast cues must be read."""

    characters_per_s: Annotated[
        float, number(18, 100, "Reading speed of the cues that are hit.", "characters/s")
    ] = 30.0
    share: Annotated[float, number(0.05, 1, "Share of the cues that are hit.")] = 0.5


class CaptionSpeed(CueSimulator[SpeedParams]):
    """Ends cues before anyone can have read them."""

    name = "caption_speed"
    defects = ("caption_speed",)
    summary = "captions too fast to read"
    params = SpeedParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> SpeedParams:
        """Draws the reading speed; 17 to 20 characters a second are usual limits."""
        return SpeedParams(
            characters_per_s=ladder(severity, (22.0, 25.0, 30.0, 38.0, 50.0)),
            share=ladder(severity, (0.2, 0.3, 0.5, 0.7, 0.9)),
        )

    def change(self, cues: Sequence[Cue], plan: Plan[SpeedParams], truth: list[Truth]) -> list[Cue]:
        """Returns the cues, some of them shortened."""
        out = list(cues)
        for i in hit_cues(cues, plan.params.share, plan):
            characters = sum(len(line) for line in cues[i].lines)
            length_s = characters / plan.params.characters_per_s
            if length_s >= cues[i].end_s - cues[i].start_s:
                continue
            out[i] = replace(cues[i], end_s=cues[i].start_s + length_s)
            truth.append(plan.truth(self.name, out[i].start_s, out[i].end_s))
        return out


@parameters
class LengthParams:
    """How long lines are."""

    characters: Annotated[int, number(43, 400, "Characters of a line that is hit, at least.")] = 60
    share: Annotated[float, number(0.05, 1, "Share of the cues that are hit.")] = 0.5


class CaptionLength(CueSimulator[LengthParams]):
    """Joins the lines of cues into one and goes on until it is too long."""

    name = "caption_length"
    defects = ("caption_length",)
    summary = "lines too long for the screen"
    params = LengthParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> LengthParams:
        """Draws the length; 37 to 42 characters are usual limits."""
        return LengthParams(
            characters=round(ladder(severity, (46.0, 52.0, 62.0, 80.0, 120.0))),
            share=ladder(severity, (0.2, 0.3, 0.5, 0.7, 0.9)),
        )

    def change(
        self, cues: Sequence[Cue], plan: Plan[LengthParams], truth: list[Truth]
    ) -> list[Cue]:
        """Returns the cues, some of them with one long line."""
        out = list(cues)
        for i in hit_cues(cues, plan.params.share, plan):
            words = " ".join(cues[i].lines).split() or ["and"]
            line = " ".join(words)
            turn = 0
            while len(line) < plan.params.characters:
                line += " " + words[turn % len(words)]
                turn += 1
            out[i] = replace(cues[i], lines=(line,))
            truth.append(plan.truth(self.name, cues[i].start_s, cues[i].end_s))
        return out


SIMULATORS: tuple[Simulator[Any], ...] = (CaptionSpeed(), CaptionLength())
