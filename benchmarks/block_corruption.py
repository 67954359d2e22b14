"""Measures the block corruption detector on recordings that its training never saw.

    python benchmarks/block_corruption.py --root FOLDER [--root FOLDER ...] --work FOLDER
        [--clean FOLDER] [--real FILE] [--clips 6] [--seed 78 ...] [--tune | --speed]

Clips are made of the recordings of the split, as for training, but whole and as files; the detector
judges the files. With --tune nothing is reported: calibration and thresholds are chosen on the
validation split and written into detector.json. Writes docs/results/block_corruption.json; the page
beside it quotes it.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import block_runs
import block_scores
import numpy as np
from block_material import (
    FRAMES,
    NAME,
    RATE_FPS,
    VISIBLE_AREA,
    Judged,
    judge,
    make_clips,
    recordings,
)

from defectscope.detection.artifacts import bundled
from defectscope.detection.tables import column, times_s
from defectscope.detectors import load
from defectscope.detectors.block_corruption.events import Known, usual
from defectscope.findings import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.simulate._damage_mask import CLEAN
from defectscope.training.recipes.block_sources import VIDEO_SUFFIXES

RESULT = Path(__file__).resolve().parents[1] / "docs" / "results" / f"{NAME}.json"
SEED = 78
# A false alarm on clean material costs as much as so much F1.
ALARM_COST = 0.02


def known(measured: Measurements, stream: StreamInfo) -> tuple[np.ndarray, ...]:
    """Rows, logits and how far they rise above the usual, of every judged frame."""
    frames, samples = measured.tables["frames"], measured.tables["samples"]
    judged = Known.of(
        np.searchsorted(column(frames, "pts"), column(samples, "pts")),
        column(samples, "logit") / 256,
        column(samples, "previous_logit") / 256,
        column(frames, "jump"),
    )
    at_s = times_s(frames)[judged.rows]
    return judged.rows, judged.scores, judged.scores - usual(judged.scores, at_s)


def labelled(
    judged: Sequence[Judged], clean: Sequence[tuple[Measurements, StreamInfo]]
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and rises, and labels, of judged frames that are surely damaged or surely clean."""
    values: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for each in judged:
        areas = each.clip.areas
        touched = np.array([(mask != CLEAN).mean() for mask in each.clip.masks])
        rows, logits, rises = known(each.measured, each.stream)
        hit = areas[rows] >= VISIBLE_AREA
        sure = hit | ((areas[rows] == 0) & (touched[rows] <= block_scores.TOUCHED_SHARE))
        values.append(np.stack([logits, rises], axis=1)[sure])
        labels.append(hit[sure])
    for each in clean:
        _, logits, rises = known(*each)
        values.append(np.stack([logits, rises], axis=1))
        labels.append(np.zeros(len(logits), bool))
    return np.concatenate(values), np.concatenate(labels)


def fit_logistic(values: np.ndarray, labels: np.ndarray, ridge: float = 1e-3) -> np.ndarray:
    """Weights and offset of a logistic regression (Newton's method)."""
    design = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        said = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (said - labels) + ridge * weights
        bend = (design * (said * (1 - said))[:, None]).T @ design
        weights -= np.linalg.solve(bend + ridge * np.eye(len(weights)), slope)
    return weights


def tune(judged: Sequence[Judged], clean: Sequence[tuple[Measurements, StreamInfo]]) -> None:
    """Chooses what occurrences must pay, and how much what is usual counts.

    A logistic regression on single frames gives the slope. How far a rise above the usual counts,
    how rare damage is (the offset) and what an end costs are chosen together by occurrences. Few
    occurrences make a rough landscape, so each choice is scored with its neighbours on the grid.
    """
    slope, relative, offset = fit_logistic(*labelled(judged, clean)).tolist()
    print("fitted to frames", slope, relative, offset)
    detector = load(NAME)
    axes = (
        slope * np.array([0.0, 0.4, 0.8, 1.2, 1.6]),
        slope * np.array([-1.5, -2.0, -2.5, -3.0, -3.5, -4.0]),
        np.array([2.0, 3.0, 4.0, 6.0, 8.0, 11.0]),
    )
    scores = np.empty([len(axis) for axis in axes])
    for place in np.ndindex(*scores.shape):
        rise, rare, change = (float(axis[k]) for axis, k in zip(axes, place, strict=True))
        tuned = dataclasses.replace(
            detector.tuned,
            thresholds={**detector.tuned.thresholds, **_thresholds(change)},
            artifact={
                **detector.tuned.artifact,
                "calibration": {"slope": slope, "relative": rise, "offset": rare},
            },
        )
        found = block_scores.event_scores(judged, tuned)
        alarms = found["false_in_clean_clips"] + sum(
            len(type(detector)(tuned=tuned).decide(*each).findings) for each in clean
        )
        scores[place] = found["f1"] - ALARM_COST * alarms
        print(round(rise, 2), round(rare, 2), change, found, alarms)
    # Points on the edge of the grid have too few neighbours to be trusted.
    windows = np.lib.stride_tricks.sliding_window_view(scores, (3, 3, 3))
    smooth = windows.mean(axis=(3, 4, 5))
    best = tuple(k + 1 for k in np.unravel_index(int(smooth.argmax()), smooth.shape))
    rise, rare, change = (float(axis[k]) for axis, k in zip(axes, best, strict=True))
    file = bundled("model_artifacts") / NAME / "detector.json"
    document = json.loads(file.read_text("utf-8"))
    document["calibration"] = {
        name: round(value, 4)
        for name, value in (("slope", slope), ("relative", rise), ("offset", rare))
    }
    document["thresholds"] |= _thresholds(change)
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print("chosen", scores[best], smooth.max(), document["thresholds"], document["calibration"])


def _thresholds(change: float) -> dict[str, float]:
    """A picture says at most as much as an end costs: one alone begins nothing."""
    return {"change": change, "certain": change, "decision": 0.5}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clean", type=Path, action="append", default=[])
    parser.add_argument("--real", type=Path, action="append", default=[])
    parser.add_argument("--clips", type=int, default=6, help="clips of each recording")
    parser.add_argument("--seed", type=int, action="append", help=f"of the clips; {SEED}")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--make", action="store_true", help="make the clips and stop")
    parser.add_argument(
        "--speed", action="store_true", help="measure speed alone, on a quiet machine"
    )
    options = parser.parse_args(argv)
    if options.speed:
        document = json.loads(RESULT.read_text("utf-8"))
        document["speed_1080x1920"] = block_runs.speed()
        RESULT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        print(json.dumps(document["speed_1080x1920"], indent=1))
        return 0
    options.work.mkdir(parents=True, exist_ok=True)
    split = "validation" if options.tune else options.split
    judged: list[Judged] = []
    seeds = options.seed or [SEED]
    for clip in itertools.chain.from_iterable(
        make_clips(options.root, options.work, split, options.clips, seed) for seed in seeds
    ):
        if options.make:
            continue
        judged.append(Judged(clip, *judge(clip.path, options.work)))
        print(clip.path.name, clip.facts["generator"], [
            (t.start_s, t.end_s) for t in clip.truth], flush=True)  # fmt: skip
    if options.make:
        return 0
    if options.tune:
        whole = [r.path for r in recordings(options.root, split)]
        clean = [judge(p, options.work) for p in whole if p.suffix.lower() in VIDEO_SUFFIXES]
        tune(judged, clean)
        return 0
    result: dict[str, Any] = {
        "clips": len(judged),
        "seeds": seeds,
        "recordings": sorted({j.clip.recording for j in judged}),
        "clip_minutes": round(len(judged) * FRAMES / RATE_FPS / 60, 2),
        "thresholds": dict(load(NAME).tuned.thresholds),
        "events": block_scores.event_scores(judged),
        "frames": block_scores.frame_scores(judged),
        "map_iou": block_scores.map_iou(judged),
        "gate": block_scores.gate_recall(judged),
    }
    if options.clean:
        seen = [r.path.name for s in ("train", "validation") for r in recordings(options.root, s)]
        result["clean_unseen"] = block_scores.clean_minutes(
            options.clean, [*seen, "real_defects"], options.work
        )
    result["real"] = [block_runs.real(path, options.work) for path in options.real]
    for path in options.real:
        block_runs.overlays(path, RESULT.with_name(f"{NAME}_{path.stem}.png"))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
