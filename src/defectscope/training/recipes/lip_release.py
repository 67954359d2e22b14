"""What ships with av_sync's weights: how well they find offsets, and the card."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from defectscope.detection.artifacts import tuned
from defectscope.detectors.av_sync.network import SyncNet
from defectscope.errors import ArtifactError
from defectscope.training.contract import CacheView, Release
from defectscope.training.recipes.lip_batches import Example
from defectscope.training.recipes.lip_scores import score_examples

if TYPE_CHECKING:
    from defectscope.training.recipes.av_sync import AvSync

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
Two streams after SyncNet (Chung and Zisserman 2016), small enough for a processor: five pictures of
a mouth, 48 x 64 px at 25 fps, and a fifth of a second of log-mel sound become vectors of 128
numbers; their mean inner product over a fragment is highest at the offset of the sound.
""",
    "Limits": """
Learned from simulated mouths and from the few speakers named under Data, in English. Faces seen
from the side, covered mouths, singing and speech that belongs to nobody in the picture have no
offset to find: the decision around the network has to call them inconclusive.
""",
}


def describe(recipe: AvSync, model: SyncNet, cache: CacheView) -> Release:
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
