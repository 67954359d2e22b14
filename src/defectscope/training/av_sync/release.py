"""What ships with av_sync's weights: how well they find offsets, and the card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Protocol

from defectscope.detectors.av_sync.network import SyncNet
from defectscope.engine.artifacts import tuned
from defectscope.errors import ArtifactError
from defectscope.training.av_sync.batches import Example
from defectscope.training.av_sync.scores import score_examples
from defectscope.training.contract import CacheView, Release, Split

VERSION = "0.1.0"
# Entries of the shipped detector.json that export writes itself.
_OWN = {
    "name",
    "version",
    "thresholds",
    "severity",
    "calibration",
    "weights",
    "metrics",
    "training",
}

_CARD = {
    "What it is": """
A two-stream network after SyncNet (Chung and Zisserman 2016), small enough to run on a CPU. One
stream takes five frames of a mouth (48 x 64 px at 25 fps), the other 0.2 s of log-mel sound. Each
returns a vector of 128 numbers. The offset at which the vectors agree best, on average over a
passage, is the offset of the sound.
""",
    "Limits": """
It was trained on simulated mouths and on the few speakers named under Data, in English. Faces in
profile, covered mouths, singing and voice-over have no usable offset. The decision must report them
as inconclusive.
""",
}


class Trained(Protocol):
    """What a release needs of the recipe that trained the network."""

    name: ClassVar[str]

    @property
    def settings(self) -> Any:
        """The recipe's settings, `held_out` among them."""
        ...

    def score(self, model: SyncNet, cache: CacheView, split: Split) -> Mapping[str, float]:
        """Scores a split."""
        ...

    def example(self, cache: CacheView, split: Split, place: int) -> Example:
        """Returns one example of a split."""
        ...


def describe(recipe: Trained, model: SyncNet, cache: CacheView) -> Release:
    """Measures on simulated takes and on held-out clips; thresholds stay the shipped ones.

    Where the decision lies is tuned on whole clips by benchmarks/av_sync.py, not on windows.
    """
    metrics: dict[str, Any] = {"simulated": dict(recipe.score(model, cache, "validation"))}
    held = set(recipe.settings.held_out)
    clips: dict[str, list[Example]] = {}
    for place, facts in enumerate(cache.facts("train")):
        if facts["kind"] == "clip" and facts["voice"] in held:
            clips.setdefault(str(facts["voice"]), []).append(recipe.example(cache, "train", place))
    for voice, examples in sorted(clips.items()):
        metrics[voice] = dict(score_examples(model, examples))
    try:
        shipped = tuned(recipe.name)
    except ArtifactError:
        thresholds, severity, extra = {}, {}, {}
    else:
        thresholds, severity = dict(shipped.thresholds), dict(shipped.severity)
        extra = {k: v for k, v in shipped.artifact.items() if k not in _OWN}
    return Release(
        version=VERSION,
        thresholds=thresholds,
        severity=severity,
        calibration={},
        metrics=metrics,
        card=_CARD,
        extra={**extra, "network": {"settings": asdict(recipe.settings)}},
    )
