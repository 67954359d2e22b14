"""Which detectors learn from labels, and how each is fitted and found anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.learning import audio_decision, block_decision
from defectscope.learning.anchored import Example
from defectscope.learning.evaluation import Hits
from defectscope.learning.held_out import HeldOut
from defectscope.measurements import Measurements

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Learner:
    """How one detector learns.

    Attributes:
        entry: What of detector.json is fitted.
        defects: All that it can find.
        refit: (detector.json, examples, measurements of titles) -> the entry, fitted.
        kept: (fitted entry, entry before, defects to leave) -> an entry in which these are as
            they were.
        found: (titles, detector.json) -> hits by defect, a title each.
        threshold: (detector.json, defect) -> the evidence that a finding needs.
    """

    entry: str
    defects: tuple[str, ...]
    refit: Callable[[Mapping[str, Any], Sequence[Example], Sequence[Measurements]], Entry]
    kept: Callable[[Mapping[str, Any], Mapping[str, Any], Sequence[str]], Entry]
    found: Callable[[Sequence[HeldOut], Mapping[str, Any]], dict[str, list[Hits]]]
    threshold: Callable[[Mapping[str, Any], str], float]


LEARNERS: Mapping[str, Learner] = {
    audio_decision.DETECTOR: Learner(
        "decision", tuple(CLASSES), audio_decision.refit, audio_decision.kept,
        audio_decision.found, audio_decision.threshold,
    ),
    block_decision.DETECTOR: Learner(
        "calibration", (block_decision.DEFECT,), block_decision.refit, block_decision.kept,
        block_decision.found, block_decision.threshold,
    ),
}  # fmt: skip
