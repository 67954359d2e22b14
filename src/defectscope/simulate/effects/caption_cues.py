"""What the caption simulators share: changing cues, choosing which are hit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

from defectscope.findings import Interval
from defectscope.media.cues import Captions, Cue
from defectscope.simulate.contract import CaptionSimulator, Plan, Truth
from defectscope.simulate.effects.caption_text import caption_bytes

P = TypeVar("P")


def shown_in(cue: Cue, span: Interval) -> bool:
    """Tells whether a cue is on screen at some time of a span."""
    return cue.start_s < span.end_s and cue.end_s > span.start_s


class CueSimulator(CaptionSimulator[P]):
    """Changes cues and writes them in the format they came in."""

    def apply(self, captions: Captions, plan: Plan[P], truth: list[Truth]) -> bytes:
        """Returns the side-car file with changed cues."""
        return caption_bytes(self.change(captions.cues, plan, truth), captions.format)

    @abstractmethod
    def change(self, cues: Sequence[Cue], plan: Plan[P], truth: list[Truth]) -> list[Cue]:
        """Returns the changed cues and notes the truth."""


def hit_cues(cues: Sequence[Cue], share: float, plan: Plan[Any]) -> list[int]:
    """Returns which cues of the span are hit, in order, by a plan's chance."""
    within = [i for i, cue in enumerate(cues) if shown_in(cue, plan.span)]
    if not within:
        return []
    wanted = max(1, round(share * len(within)))
    picked = plan.rng(3).choice(len(within), size=wanted, replace=False)
    return sorted(within[int(i)] for i in picked)
