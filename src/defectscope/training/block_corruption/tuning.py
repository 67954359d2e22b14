"""Chooses what tells damage in analyzed frames, and what events must pay, on validation.

`defectscope-train tune block_corruption` runs it: the last step that makes detector.json.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.detectors.block_corruption.context_features import context_features
from defectscope.detectors.block_corruption.detector import evidence_of
from defectscope.detectors.block_corruption.events import Known, brief, events, with_brief
from defectscope.detectors.block_corruption.steps import Steps
from defectscope.engine.artifacts import artifact_folder
from defectscope.findings import Interval
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.simulate.effects.damage_mask import CLEAN
from defectscope.temporal.tables import times_s
from defectscope.training.block_corruption.programmes import (
    NAME,
    TOUCHED_SHARE,
    VISIBLE_AREA,
    Evaluated,
    detector_in_use,
    evaluate,
    lasting,
    make_clips,
    match,
    recordings,
)
from defectscope.training.block_corruption.sources import VIDEO_SUFFIXES
from defectscope.training.corpora import Corpus

# A false alarm on clean material costs as much as so much F1: one in ten minutes is the goal whole.
ALARM_COST = 0.1
# Clean material has to stay silent with so much more evidence than it gave, in log-odds: what is
# not at hand is not always tamer than what is.
MARGIN = 0.5
# Context features that the decision may use; docs/results/block_corruption.md compares choices.
CONTEXT_FEATURES = ("logit", "logit_rise", "before", "after", "highest", "lowest")
_RIDGE = 0.1
_RARE = (1.0, 0.5, 0.0, -0.5, -1.0, -2.0)
_CHANGE = (2.0, 3.0, 4.0, 5.0, 6.5, 8.0)
_BRIEF, _LEAP = (3.0, 3.5, 4.0, 4.5), (2.0, 2.5, 3.0, 3.5)
_MOST = (0.5, 0.7, 1.0, 1.4, 2.0)

Clean = Sequence[tuple[Measurements, StreamInfo]]
# The analyzed frames, what tells damage in them, when frames are shown, what is true, and the steps
# where a change costs so much.
Programme = tuple[
    Known, dict[str, np.ndarray], np.ndarray, list[Interval], Callable[[float], Steps]
]


def programme(measured: Measurements, stream: StreamInfo, truth: list[Interval]) -> Programme:
    """Returns what decisions are made of."""
    assert stream.video is not None
    known, evidence_odds = evidence_of(measured)
    edges_s = times_s(measured.tables["frames"])
    edges_s = np.append(edges_s, edges_s[-1] + float(1 / stream.video.frame_rate))
    return (
        known,
        evidence_odds,
        edges_s,
        truth,
        partial(detector_in_use().steps, measured, known),
    )


def labels(evaluated: Evaluated, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tells which analyzed frames are visibly damaged, and of which that is certain either way."""
    areas = evaluated.clip.areas
    touched = np.array([(mask != CLEAN).mean() for mask in evaluated.clip.masks])
    hit = areas[rows] >= VISIBLE_AREA
    return hit, hit | ((areas[rows] == 0) & (touched[rows] <= TOUCHED_SHARE))


def fit_logistic(values: np.ndarray, hit: np.ndarray, ridge: float = _RIDGE) -> np.ndarray:
    """Weights and offset of a logistic regression (Newton's method)."""
    design = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        evidence_odds = 1 / (1 + np.exp(-(design @ weights).clip(-40, 40)))
        slope = design.T @ (evidence_odds - hit) + ridge * weights
        bend = (design * (evidence_odds * (1 - evidence_odds))[:, None]).T @ design
        weights -= np.linalg.solve(bend + ridge * np.eye(len(weights)), slope)
    return weights


def fitted(
    evaluated: Sequence[Evaluated], programmes: Sequence[Programme], names: Sequence[str]
) -> np.ndarray:
    """Returns weights and offset, fitted to frames; programmes beyond the clips are clean."""
    values: list[np.ndarray] = []
    hits: list[np.ndarray] = []
    for k, (known, evidence_odds, *_) in enumerate(programmes):
        table = np.stack([evidence_odds[name] for name in names], axis=1)
        hit, sure = np.zeros(len(table), bool), np.ones(len(table), bool)
        if k < len(evaluated):
            hit, sure = labels(evaluated[k], known.rows)
        values.append(table[sure])
        hits.append(hit[sure])
    return fit_logistic(np.concatenate(values), np.concatenate(hits).astype(float))


def evidence(one: Programme, weights: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Log-odds of damage in the analyzed frames of a programme."""
    return np.stack([one[1][name] for name in names], axis=1) @ weights[:-1] + weights[-1]


def counts(
    one: Programme, evidence_odds: np.ndarray, change: float, most: float, leap: tuple[float, float]
) -> tuple[int, int, int]:
    """Events that are, that are said, and that match, at one operating point."""
    known, _, edges_s, truth, steps_at = one
    detector = detector_in_use()
    least, steps = detector.tuned.thresholds["least_step"], steps_at(change)
    evidence_odds = evidence_odds.clip(-most * change, most * change)
    shown = edges_s[:-1], edges_s[1:]
    lasting_events = events(
        known, evidence_odds, *shown, steps, 0.5, detector.params.bridge_s, least
    )
    found = [
        Interval(e.start_s, e.end_s)
        for e in with_brief(lasting_events, brief(known, *shown, *leap, steps, least))
    ]
    return len(truth), len(found), match(truth, found)


def score(
    programmes: Sequence[Programme],
    evidence_odds: Sequence[np.ndarray],
    point: tuple[float, ...],
    leap: tuple[float, float],
) -> tuple[float, list[int]]:
    """F1 less the cost of alarms, and events true, said and matched, and alarms."""
    rare, change, most = point
    rows = [
        counts(p, s + rare + (0.0 if p[3] else MARGIN), change, most, leap)
        for p, s in zip(programmes, evidence_odds, strict=True)
    ]
    true, found, matched = (sum(row[k] for row in rows) for k in range(3))
    alarms = sum(row[1] for row in rows if row[0] == 0)
    return 2 * matched / (true + found) - ALARM_COST * alarms, [true, found, matched, alarms]


def search(
    programmes: Sequence[Programme], evidence_odds: Sequence[np.ndarray], leap: tuple[float, float]
) -> dict[str, Any]:
    """Returns the operating point with the best surroundings, and how it and the best one score.

    Few events make a rough landscape, so each point is scored with its neighbours; points on
    the edge of the grid have too few to be trusted.
    """
    shape = (len(_RARE), len(_CHANGE), len(_MOST))
    scores, table = np.empty(shape), np.empty((*shape, 4), int)
    for place in np.ndindex(*shape):
        point = tuple(axis[k] for axis, k in zip((_RARE, _CHANGE, _MOST), place, strict=True))
        scores[place], table[place] = score(programmes, evidence_odds, point, leap)
    windows = np.lib.stride_tricks.sliding_window_view(scores, (3, 3, 3))
    smooth = windows.mean(axis=(3, 4, 5))
    chosen = tuple(int(k) + 1 for k in np.unravel_index(int(smooth.argmax()), smooth.shape))
    single = np.unravel_index(int(scores.argmax()), shape)
    return {
        "rare": _RARE[chosen[0]], "change": _CHANGE[chosen[1]], "most": _MOST[chosen[2]],
        "score": round(float(scores[chosen]), 4), "around": round(float(smooth.max()), 4),
        "true_said_matched_alarms": table[chosen].tolist(),
        "best_score": round(float(scores.max()), 4), "best": table[single].tolist(),
    }  # fmt: skip


def tune(evaluated: Sequence[Evaluated], clean: Clean) -> dict[str, Any]:
    """Weighs the context features and chooses what events must pay.

    A logistic regression on single frames weighs them. How rare damage is (the offset), what
    an end costs and the most that one frame can say are chosen together by events.
    """
    programmes = [programme(j.measured, j.stream, j.clip.truth) for j in evaluated]
    programmes += [programme(*each, []) for each in clean]
    weights = fitted(evaluated, programmes, CONTEXT_FEATURES)
    evidence_odds = [evidence(p, weights, CONTEXT_FEATURES) for p in programmes]
    chosen = search(programmes, evidence_odds, (np.inf, np.inf))
    point = chosen["rare"], chosen["change"], chosen["most"]
    leap = max(
        itertools.product(_BRIEF, _LEAP),
        key=lambda leap: score(programmes, evidence_odds, point, leap)[0],
    )
    chosen = search(programmes, evidence_odds, leap)
    by_name: dict[str, float] = dict(zip(CONTEXT_FEATURES, weights[:-1].tolist(), strict=True))
    every = context_features(np.zeros(1), np.zeros(1), np.zeros(1))
    calibration = {name: round(by_name.get(name, 0.0), 4) for name in every} | {
        "offset": round(float(weights[-1]) + chosen["rare"], 4)
    }
    thresholds = {
        "change": chosen["change"],
        "certain": round(chosen["most"] * chosen["change"], 3),
        "decision": 0.5,
        "brief": leap[0],
        "leap": leap[1],
    }
    return {"calibration": calibration, "thresholds": thresholds, "search": chosen}


def tune_artifact(
    sources: Sequence[Corpus],
    work: Path,
    clips_each: int,
    seeds: Sequence[int],
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Chooses on clips of the validation split, and on clean recordings, and writes detector.json.

    Args:
        sources: What the weights in use were trained on.
        work: Where clips and measurements are kept; a second run reads them.
        clips_each: Clips of every recording.
        seeds: Of the clips; each makes a set of its own.
        report: Takes a line for every clip.

    Returns:
        `calibration`, `thresholds` and how the `search` went.

    Raises:
        InvalidParameterError: There is no recording of the validation split.
    """
    work.mkdir(parents=True, exist_ok=True)
    evaluated: list[Evaluated] = []
    for seed in seeds:
        for clip in make_clips(sources, work, "validation", clips_each, seed):
            evaluated.append(Evaluated(clip, *evaluate(clip.path, work)))
            report(f"{clip.path.name}: {clip.facts['generator']}, {len(clip.truth)} events")
    # Of the recordings of training the network has learned that they are clean.
    whole = [r.path for r in recordings(sources, "validation")]
    clean = [evaluate(p, work) for p in whole if p.suffix.lower() in VIDEO_SUFFIXES]
    found = tune([*evaluated, *lasting(evaluated)], clean)
    folder = detector_in_use().tuned.folder or artifact_folder(NAME)
    file = folder / "detector.json"
    document = json.loads(file.read_text("utf-8"))
    document["calibration"] = found["calibration"]
    document["thresholds"] |= found["thresholds"]
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    report(f"{file}: calibration and thresholds written")
    return found
